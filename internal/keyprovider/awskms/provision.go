package awskms

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// A purpose is what one of a node's two keys is for.
type purpose struct {
	name string
	role
	actions []string // of the node's role
}

var (
	identityPurpose   = purpose{"identity", identityRole, []string{"kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"}}
	derivationPurpose = purpose{"derivation", derivationRole, []string{"kms:DescribeKey", "kms:GenerateMac"}}
)

// administration is what the account's administrators may do with the keys by
// their IAM policies: not use them, and not lend them by a grant.
var administration = []string{
	"kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias", "kms:Describe*", "kms:Get*", "kms:List*",
	"kms:EnableKey", "kms:DisableKey", "kms:PutKeyPolicy", "kms:UpdateKeyDescription", "kms:UpdatePrimaryRegion",
	"kms:ReplicateKey", "kms:RevokeGrant", "kms:TagResource", "kms:UntagResource",
	"kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion",
}

// site is where a node's keys are to be made, and for whom.
type site struct {
	partition, region, account string // empty: not known
	more                       []string
	role                       string // ARN
}

var (
	keyARN  = regexp.MustCompile(`^arn:([a-z-]+):kms:([a-z0-9-]+):([0-9]{12}):((?:key|alias)/[A-Za-z0-9/_-]+)$`)
	roleARN = regexp.MustCompile(`^arn:([a-z-]+):iam::([0-9]{12}):role/[A-Za-z0-9+=,.@/_-]+$`)
	plain   = regexp.MustCompile(`^[A-Za-z0-9/_-]+$`) // needs no quotes in a shell
)

// Provision implements keyprovider.Section: it says what makes a node's keys,
// as a worker's role must not be able to make them.
func (s *Section) Provision(
	_ context.Context, n keyprovider.Node, o keyprovider.Options,
) (*keyprovider.Provisioned, error) {
	at, err := s.newSite(n, o.Role)
	if err != nil {
		return nil, err
	}
	r := &script{&keyprovider.Provisioned{Provider: Type}}
	if at.account == "ACCOUNT_ID" {
		r.Notes = append(r.Notes, "Put the account's number in place of ACCOUNT_ID, or give --role-arn.")
	}
	r.Notes = append(r.Notes, "The role "+at.role+" must exist before its keys.")
	if err := r.key(n, at, identityPurpose, s.KeyID, fmt.Sprintf("alias/frost-node-%d", n.Index)); err != nil {
		return nil, err
	}
	if s.Derivation == derivationFile {
		r.Notes = append(r.Notes,
			`derivation = "file": the derivation secret is made by frost-worker enroll, in storage_path. `+
				`KMS does not protect the shares.`)
		return r.Provisioned, nil
	}
	standard := fmt.Sprintf("alias/frost-node-%d-derivation", n.Index)
	if _, alias, ok := strings.Cut(s.KeyID, "alias/"); ok {
		standard = "alias/" + alias + "-derivation"
	}
	if s.DerivationKeyID == "" {
		r.Notes = append(r.Notes, fmt.Sprintf("Then write under [node.key_provider] in %s: derivation_key_id = %q",
			n.File, standard))
	}
	return r.Provisioned, r.key(n, at, derivationPurpose, s.DerivationKeyID, standard)
}

// A script is commands for an administrator.
type script struct{ *keyprovider.Provisioned }

func (s *Section) newSite(n keyprovider.Node, role string) (*site, error) {
	at := &site{partition: "aws", account: "ACCOUNT_ID", role: role}
	for _, id := range []string{s.DerivationKeyID, s.KeyID} {
		if m := keyARN.FindStringSubmatch(id); m != nil {
			at.partition, at.region, at.account = m[1], m[2], m[3]
		}
	}
	if m := roleARN.FindStringSubmatch(role); m != nil {
		at.partition, at.account = m[1], m[2]
	} else if role != "" {
		return nil, fmt.Errorf("--role-arn %q is not the ARN of a role, such as arn:aws:iam::123456789012:role/frost-node-%d",
			role, n.Index)
	}
	at.role = cmp.Or(role, fmt.Sprintf("arn:%s:iam::%s:role/frost-node-%d", at.partition, at.account, n.Index))
	for _, region := range s.Regions {
		if !plain.MatchString(region) {
			return nil, fmt.Errorf("%s: node.key_provider.regions: %q is no region", n.File, region)
		}
	}
	if len(s.Regions) > 0 {
		at.region, at.more = s.Regions[0], s.Regions[1:]
	}
	return at, nil
}

// key adds what makes one key and its alias, or, of a key that is there, what
// gives it its policy.
func (r *script) key(n keyprovider.Node, at *site, what purpose, id, standard string) error {
	policy := fmt.Sprintf("frost-node-%d-%s.json", n.Index, what.name)
	content, err := at.policy(n.Index, what)
	if err != nil {
		return err
	}
	r.Documents = append(r.Documents, keyprovider.Document{Name: policy, Content: content})
	resource := cmp.Or(id, standard)
	if m := keyARN.FindStringSubmatch(resource); m != nil {
		resource = m[4]
	} else if !plain.MatchString(resource) {
		return fmt.Errorf("%s: node.key_provider.%s: %q is no ARN, key id or alias", n.File, what.setting, id)
	}
	alias, isAlias := strings.CutPrefix(resource, "alias/")
	if !isAlias {
		r.putPolicies(at, id, resource, policy)
		return nil
	}
	multi := ""
	if len(at.more) > 0 {
		multi = " --multi-region"
	}
	// A key that its alias leads to is not made again, and nor is a replica: the
	// script runs any number of times.
	alias = "alias/" + alias
	r.add("KEY=" + at.find(at.region, alias))
	r.add(fmt.Sprintf(`[ -n "$KEY" ] || { KEY=$(aws kms create-key%s --key-spec %s --key-usage %s%s `+
		`--description 'Frostfleet node %d %s' --policy file://%s --query KeyMetadata.KeyId --output text) && `+
		`aws kms create-alias%s --alias-name %s --target-key-id "$KEY"; }`,
		at.in(at.region), what.spec, what.usage, multi, n.Index, what.name, policy, at.in(at.region), alias))
	for _, region := range at.more {
		r.add(fmt.Sprintf(`aws kms describe-key%s --key-id "$KEY" >/dev/null 2>&1 || `+
			`aws kms replicate-key%s --key-id "$KEY" --replica-region %s --policy file://%s`,
			at.in(region), at.in(at.region), region, policy))
		r.add(fmt.Sprintf(`[ -n "%s" ] || aws kms create-alias%s --alias-name %s --target-key-id "$KEY"`,
			at.find(region, alias), at.in(region), alias))
	}
	return nil
}

// find prints the id of the key that an alias leads to, or nothing.
func (at *site) find(region, alias string) string {
	return fmt.Sprintf(`$(aws kms list-aliases%s --query "Aliases[?AliasName=='%s'].TargetKeyId" --output text)`,
		at.in(region), alias)
}

// putPolicies attaches the policy to a key that exists. Replicas have policies of
// their own, and share the id that begins with mrk-.
func (r *script) putPolicies(at *site, id, resource, policy string) {
	const command = "aws kms put-key-policy%s --key-id %s --policy-name default --policy file://%s"
	resource = strings.TrimPrefix(resource, "key/")
	regions := append([]string{at.region}, at.more...)
	if m := keyARN.FindStringSubmatch(id); m != nil && !strings.HasPrefix(resource, "mrk-") {
		regions, resource = []string{m[2]}, id // it is nowhere else
	}
	for _, region := range regions {
		r.add(fmt.Sprintf(command, at.in(region), resource, policy))
	}
}

func (r *script) add(command string) { r.Commands = append(r.Commands, command) }

// in is the option of a command; the caller's own region without one.
func (*site) in(region string) string {
	if region == "" {
		return ""
	}
	return " --region " + region
}

// policy is a key's: the node's role uses it, and nobody else does.
func (at *site) policy(index int, what purpose) (json.RawMessage, error) {
	type statement struct {
		Sid       string
		Effect    string
		Principal map[string]string
		Action    []string
		Resource  string
	}
	return json.Marshal(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{
		{"Administration", "Allow", map[string]string{"AWS": fmt.Sprintf("arn:%s:iam::%s:root", at.partition, at.account)},
			administration, "*"},
		{fmt.Sprintf("Node%d", index), "Allow", map[string]string{"AWS": at.role}, what.actions, "*"},
	}})
}
