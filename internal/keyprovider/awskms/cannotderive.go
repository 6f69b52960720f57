package awskms

import (
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

const cannotDeriveText = "ECDSA signatures by KMS are randomised: no two are equal, so that no secret can be " +
	"recovered from them. A node needs a second key, of spec HMAC_256, for its shares; no two nodes may have the " +
	"same. Make it as an administrator, with the commands that frost-worker provision prints, which give it its key " +
	`policy in every region; or by hand:
%s
Write under [node.key_provider]:
  derivation_key_id = "%s"
Let nobody but the node's role use it, as who may call kms:GenerateMac can decrypt the shares:
  {"Effect": "Allow", "Action": [%s], "Resource": [%s]}
Or set derivation = "file", which keeps the secret in storage_path: KMS then no longer protects the shares.`

// putBackText comes first for a node that has shares, or is about to get some.
const putBackText = `This node is in a manifest: put back the derivation_key_id (or the derivation = "file") that it ` +
	"enrolled with; a new key does not open its shares, and the manifest refuses it. What follows is for a node that " +
	"enrols anew.\n"

// cannotDerive says why a key for signatures derives nothing and prints what
// mends it: commands, the line of the configuration, the policy statement. In
// one region the second command makes an alias, in several it makes the
// replicas.
func cannotDerive(identity *key, enrolled bool) *keyprovider.Error {
	at := identity.replicas[0]
	near, err := parseKeyName(at.id)
	if err != nil || near.region == "" { // KMS described the key without its ARN
		near = keyName{"aws", at.region.name, "ACCOUNT", "key/ID"}
	}
	commands := []string{derivationRole.create(near.region, near.multiRegion()) +
		` --description "Frostfleet derivation key: shares are lost with it" --query KeyMetadata.Arn --output text`}
	setting := "ARN_PRINTED_ABOVE"
	if len(identity.replicas) == 1 {
		setting = fmt.Sprintf("alias/frost-derivation-%.12s", near.id()) // so that no two nodes are told the same
		if identity.name.alias() {
			setting = identity.name.resource + "-derivation"
		}
		commands = append(commands, fmt.Sprintf("aws kms create-alias --region %s --alias-name %s --target-key-id "+
			"ARN_PRINTED_ABOVE", near.region, setting))
	}
	near.resource = "key/KEY_ID_PRINTED_ABOVE"
	arns := []string{near.String()}
	for _, other := range identity.replicas[1:] {
		commands = append(commands, fmt.Sprintf("aws kms replicate-key --region %s --key-id ARN_PRINTED_ABOVE "+
			"--replica-region %s", near.region, other.region.name))
		arns = append(arns, near.in(other.region.name).String())
	}
	text := fmt.Sprintf(cannotDeriveText, "  "+strings.Join(commands, "\n  "), setting,
		list(derivationRole.actions), list(arns))
	if enrolled {
		text = putBackText + text
	}
	return identity.fault(keyprovider.CannotDerive, generateMac, text, keyprovider.ErrCannotDerive)
}

func list(s []string) string { return `"` + strings.Join(s, `", "`) + `"` }
