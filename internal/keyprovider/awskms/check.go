package awskms

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// check holds what KMS says of a key against what its role wants: first what
// the key is, then whether it works now.
func (k *key) check(meta *types.KeyMetadata, at *replica) error {
	if why := k.role.misfit(string(meta.KeySpec), string(meta.KeyUsage), at.region.name); why != "" {
		return k.fault(keyprovider.WrongKey, describeKey, why,
			fmt.Errorf("%s: it is %s with %s", at.region.name, meta.KeySpec, meta.KeyUsage))
	}
	if len(k.replicas) > 1 && !aws.ToBool(meta.MultiRegion) {
		return k.fault(keyprovider.WrongKey, describeKey, fmt.Sprintf("regions has %d regions, and this key lives in one: "+
			"leave regions out, or use a multi-Region key (%s)",
			len(k.replicas), k.role.create(k.replicas[0].region.name, true)),
			fmt.Errorf("%s: it is no multi-Region key", at.region.name))
	}
	if meta.KeyState == types.KeyStateEnabled || meta.KeyState == types.KeyStateUpdating {
		return nil // while it is updated, its primary Region moves, and it works
	}
	text := at.region.name + ": its state is " + string(meta.KeyState)
	if meta.DeletionDate != nil {
		text += ", to be deleted on " + meta.DeletionDate.UTC().Format(time.DateOnly)
	}
	named := *at
	named.id = nameOf(meta) // most commands that mend take no alias
	return named.fault(classifyState(string(meta.KeyState)), describeKey, errors.New(text))
}

// misfit says why a key can't have this role; empty if it can.
func (r *role) misfit(spec, usage, region string) string {
	if spec == r.spec && usage == r.usage {
		return ""
	}
	why := r.must()
	switch {
	case r == derivationRole:
	case strings.HasPrefix(spec, "RSA_"):
		why += ": an RSA key can't be the identity of a node, as the manifest and the certificates have P-256 keys"
	case strings.HasPrefix(spec, "ECC_") && spec != r.spec:
		why += ": the manifest and the certificates have keys on P-256, not on this curve"
	}
	return why + "; make one: " + r.create(region, false)
}

// agree wants the key that one region named to be the one that another did.
func (k *key) agree(first, other *replica) error {
	a, errA := parseKeyName(first.id)
	b, errB := parseKeyName(other.id)
	if errA == nil && errB == nil && a.multiRegion() && a.resource == b.resource &&
		(a.account == b.account || a.account == "" || b.account == "") {
		return nil
	}
	return k.otherKey(first, other, describeKey)
}

func (k *key) otherKey(first, other *replica, a action) error {
	return k.fault(keyprovider.WrongKey, a, fmt.Sprintf("all of regions must have replicas of one multi-Region key: "+
		"aws kms replicate-key --region %s --key-id %s --replica-region %s --policy file://POLICY.json, "+
		"with the key policy that frost-worker provision prints", first.region.name, first.id, other.region.name),
		fmt.Errorf("the regions have different keys: %s has %s, %s has %s",
			first.region.name, first.id, other.region.name, other.id))
}
