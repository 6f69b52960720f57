package kmstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// faultKey is one key with its replicas, which share the secret and have each
// their own state and policy, as in AWS.
type faultKey struct {
	Key
	id       string
	signer   *ecdsa.PrivateKey // nil unless the spec is a curve of crypto/elliptic
	mac      []byte            // HMAC keys
	replicas map[string]*replica
}

type replica struct {
	state  string // Enabled, Disabled, PendingDeletion
	denied []string
}

var curves = map[string]elliptic.Curve{
	"ECC_NIST_P256": elliptic.P256(), "ECC_NIST_P384": elliptic.P384(), "ECC_NIST_P521": elliptic.P521(),
}

// CreateKey makes a key. Those of other specs than ECC_NIST_* and HMAC_256
// (RSA_2048, ECC_SECG_P256K1, SYMMETRIC_DEFAULT) can only be described.
func (f *FaultKMS) CreateKey(k Key) string {
	key := &faultKey{Key: k, id: newID(k.MultiRegion), replicas: map[string]*replica{k.region(): {state: "Enabled"}}}
	var err error
	if curve := curves[k.Spec]; curve != nil {
		key.signer, err = ecdsa.GenerateKey(curve, rand.Reader)
	}
	if strings.HasPrefix(k.Spec, "HMAC_") {
		key.mac = make([]byte, 32)
		_, err = rand.Read(key.mac)
	}
	if err != nil {
		panic(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[key.id] = key
	return keyARN(k.region(), key.id)
}

// newID has the form of AWS: a UUID, or mrk- and its digits.
func newID(multi bool) string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err)
	}
	if multi {
		return "mrk-" + hex.EncodeToString(b[:])
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// CreateAlias makes an alias or moves it.
func (f *FaultKMS) CreateAlias(region, alias, arn string) {
	_, resource := splitARN(arn)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aliases[region+"/"+alias] = strings.TrimPrefix(resource, "key/")
}

// Replicate makes a replica of a multi-Region key.
func (f *FaultKMS) Replicate(arn, region string) string {
	key, _ := f.find(arn)
	if !key.MultiRegion {
		panic("kmstest: not a multi-Region key: " + arn)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key.replicas[region] = &replica{state: "Enabled"}
	return keyARN(region, key.id)
}

// Disable switches a key off in its region.
func (f *FaultKMS) Disable(arn string) { f.setState(arn, "Disabled") }

// Enable switches it on.
func (f *FaultKMS) Enable(arn string) { f.setState(arn, "Enabled") }

// ScheduleDeletion takes it out of use.
func (f *FaultKMS) ScheduleDeletion(arn string) { f.setState(arn, "PendingDeletion") }

// SetState sets any state: Creating, PendingImport, Unavailable, Updating too.
func (f *FaultKMS) SetState(arn, state string) { f.setState(arn, state) }

func (f *FaultKMS) setState(arn, state string) {
	_, r := f.find(arn)
	f.mu.Lock()
	defer f.mu.Unlock()
	r.state = state
}

// Deny denies actions (kms:Sign) with a key in its region, in place of those
// denied before.
func (f *FaultKMS) Deny(arn string, actions ...string) {
	_, r := f.find(arn)
	f.mu.Lock()
	defer f.mu.Unlock()
	r.denied = slices.Clone(actions)
}

func (f *FaultKMS) find(arn string) (*faultKey, *replica) {
	region, resource := splitARN(arn)
	f.mu.Lock()
	defer f.mu.Unlock()
	key := f.keys[strings.TrimPrefix(resource, "key/")]
	if key == nil || key.replicas[region] == nil {
		panic("kmstest: no key " + arn)
	}
	return key, key.replicas[region]
}

// lookup resolves what a caller names: ARN, id, alias ARN or alias. It gives
// copies of what may change.
func (f *FaultKMS) lookup(region, name string) (*faultKey, replica, *awsError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	resource := name
	if strings.HasPrefix(name, "arn:") {
		var at string
		if at, resource = splitARN(name); at != region {
			return nil, replica{}, &awsError{"NotFoundException", "Invalid arn " + at, 0}
		}
	}
	id := strings.TrimPrefix(resource, "key/")
	if strings.HasPrefix(resource, "alias/") {
		if id = f.aliases[region+"/"+resource]; id == "" {
			return nil, replica{}, &awsError{"NotFoundException",
				"Alias arn:aws:kms:" + region + ":" + Account + ":" + resource + " is not found.", 0}
		}
	}
	key := f.keys[id]
	if key == nil || key.replicas[region] == nil {
		return nil, replica{}, &awsError{"NotFoundException", "Key '" + keyARN(region, id) + "' does not exist", 0}
	}
	return key, *key.replicas[region], nil
}
