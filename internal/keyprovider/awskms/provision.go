package awskms

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
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
	partition, account string
	regions            []string // the first may be empty: that of whoever runs the commands
	role               string   // ARN
}

var (
	roleARN = regexp.MustCompile(`^arn:([a-z-]+):iam::([0-9]{12}):role/[A-Za-z0-9+=,.@/_-]+$`)
	plain   = regexp.MustCompile(`^[A-Za-z0-9-]+$`) // needs no quotes in a shell
)

// Provision implements keyprovider.Section: it says what makes a node's keys,
// as a worker's role must not be able to make them.
func (s *Section) Provision(
	_ context.Context, n keyprovider.Node, o keyprovider.Options,
) (*keyprovider.Provisioned, error) {
	if err := s.checkNames(); err != nil {
		return nil, fmt.Errorf("%s: node.key_provider: %w", n.File, err)
	}
	at, err := s.newSite(n, o.Role)
	if err != nil {
		return nil, err
	}
	r := &script{&keyprovider.Provisioned{Provider: Type}}
	if at.account == "ACCOUNT_ID" {
		r.Notes = append(r.Notes, "Put the account's number in place of ACCOUNT_ID, or give --role-arn.")
	}
	r.Notes = append(r.Notes, "The role "+at.role+" must exist before its keys.")
	standard := fmt.Sprintf("alias/frost-node-%d", n.Index)
	if err := r.key(n, at, identityRole, cmp.Or(s.KeyID, standard)); err != nil {
		return nil, err
	}
	if s.Derivation == derivationFile {
		r.Notes = append(r.Notes,
			`derivation = "file": the derivation secret is made by frost-worker enroll, in storage_path. `+
				`KMS does not protect the shares.`)
		return r.Provisioned, nil
	}
	if name, err := parseKeyName(s.KeyID); err == nil && name.alias() {
		standard = name.resource
	}
	standard += "-derivation"
	if s.DerivationKeyID == "" {
		r.Notes = append(r.Notes, fmt.Sprintf("Then write under [node.key_provider] in %s: derivation_key_id = %q",
			n.File, standard))
	}
	return r.Provisioned, r.key(n, at, derivationRole, cmp.Or(s.DerivationKeyID, standard))
}

func (s *Section) newSite(n keyprovider.Node, role string) (*site, error) {
	at := &site{partition: "aws", account: "ACCOUNT_ID", regions: []string{""}}
	for _, id := range []string{s.DerivationKeyID, s.KeyID} {
		if name, err := parseKeyName(id); err == nil && name.region != "" {
			at.partition, at.account, at.regions = name.partition, name.account, []string{name.region}
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
		at.regions = s.Regions
	}
	return at, nil
}

// A script is commands for an administrator.
type script struct{ *keyprovider.Provisioned }

func (r *script) add(command string, args ...any) {
	r.Commands = append(r.Commands, fmt.Sprintf(command, args...))
}

// key adds what makes one key and its alias, or, of a key that is there, what
// gives it its policy.
func (r *script) key(n keyprovider.Node, at *site, what *role, id string) error {
	policy := fmt.Sprintf("frost-node-%d-%s.json", n.Index, what.name)
	content, err := at.policy(n.Index, what)
	if err != nil {
		return err
	}
	r.Documents = append(r.Documents, keyprovider.Document{Name: policy, Content: content})
	name, err := parseKeyName(id)
	if err != nil {
		return err
	}
	if !name.alias() {
		r.putPolicies(at, name, policy)
		return nil
	}
	multi := ""
	if len(at.regions) > 1 {
		multi = " --multi-region"
	}
	// A key that its alias leads to is not made again, and nor is a replica: the
	// script runs any number of times.
	home, alias := in(at.regions[0]), name.resource
	r.add("KEY=%s", find(home, alias))
	r.add(`[ -n "$KEY" ] || { KEY=$(aws kms create-key%s --key-spec %s --key-usage %s%s `+
		`--description 'Frostfleet node %d %s' --policy file://%s --query KeyMetadata.KeyId --output text) && `+
		`aws kms create-alias%s --alias-name %s --target-key-id "$KEY"; }`,
		home, what.spec, what.usage, multi, n.Index, what.name, policy, home, alias)
	for _, region := range at.regions[1:] {
		r.add(`aws kms describe-key%s --key-id "$KEY" >/dev/null 2>&1 || `+
			`aws kms replicate-key%s --key-id "$KEY" --replica-region %s --policy file://%s`,
			in(region), home, region, policy)
		r.add(`[ -n "%s" ] || aws kms create-alias%s --alias-name %s --target-key-id "$KEY"`,
			find(in(region), alias), in(region), alias)
	}
	return nil
}

// in is the option of a command; the caller's own region without one.
func in(region string) string {
	if region == "" {
		return ""
	}
	return " --region " + region
}

// find prints the id of the key that an alias leads to, or nothing.
func find(inRegion, alias string) string {
	return fmt.Sprintf(`$(aws kms list-aliases%s --query "Aliases[?AliasName=='%s'].TargetKeyId" --output text)`,
		inRegion, alias)
}

// putPolicies attaches the policy to a key that exists. Replicas have policies of
// their own, and share the id that begins with mrk-.
func (r *script) putPolicies(at *site, name keyName, policy string) {
	regions, id := at.regions, name.id()
	if name.region != "" && !name.multiRegion() {
		regions, id = []string{name.region}, name.String() // it is nowhere else
	}
	for _, region := range regions {
		r.add("aws kms put-key-policy%s --key-id %s --policy-name default --policy file://%s", in(region), id, policy)
	}
}

// policy is a key's: the node's role uses it, and nobody else does.
func (at *site) policy(index int, what *role) (json.RawMessage, error) {
	type statement struct {
		Sid       string
		Effect    string
		Principal map[string]string
		Action    []string
		Resource  string
	}
	return json.MarshalIndent(struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{
		{"Administration", "Allow", map[string]string{"AWS": fmt.Sprintf("arn:%s:iam::%s:root", at.partition, at.account)},
			administration, "*"},
		{fmt.Sprintf("Node%d", index), "Allow", map[string]string{"AWS": at.role}, what.actions, "*"},
	}}, "", "  ")
}
