package awskms

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Type names this back end.
const Type = "aws-kms"

// Backend is AWS KMS.
func Backend() keyprovider.Backend {
	return keyprovider.Backend{
		Type: Type, Section: func() keyprovider.Section { return new(Section) },
		Operations: []string{keyprovider.OpSign, keyprovider.OpDerive, keyprovider.OpPublicKey, keyprovider.OpDescribe},
	}
}

// Section is [node.key_provider] with type = "aws-kms".
type Section struct {
	KeyID           string `toml:"key_id"`            // ARN, id or alias of the identity key
	DerivationKeyID string `toml:"derivation_key_id"` // of the HMAC_256 key; Derive fails without one
	Derivation      string `toml:"derivation"`        // kms or file; empty: kms, if there is a key
	Endpoint        string `toml:"endpoint"`          // URL in place of AWS's, the same for all regions
	Profile         string `toml:"profile"`           // of the shared configuration
	// in order of preference; else the key's, else the chain's
	Regions    []string             `toml:"regions"`
	HedgeAfter keyprovider.Duration `toml:"hedge_after"` // until the next region is asked too; 500 ms when 0
	keyprovider.Device
}

// Values of Section.Derivation.
const (
	derivationKMS  = "kms"  // GenerateMac with derivation_key_id
	derivationFile = "file" // a secret in storage_path, outside KMS
)

// prices are those of AWS KMS in most regions: requests with asymmetric keys
// other than RSA 2048, other requests, and customer managed keys. The guide
// docs/aws-kms.md cites them with their date.
var prices = keyprovider.Prices{Sign: 0.15, PublicKey: 0.15, Derive: 0.03, Describe: 0.03, KeyMonth: 1}

// Check implements keyprovider.Section.
func (s *Section) Check(t keyprovider.Table, _ keyprovider.Node) {
	s.CheckDevice(t, prices)
	t.Require("key_id", s.KeyID)
	if s.DerivationKeyID != "" && s.DerivationKeyID == s.KeyID {
		t.Fail("derivation_key_id", "is key_id: identity and derivation are two keys")
	}
	if s.Derivation != "" {
		t.OneOf("derivation", s.Derivation, derivationKMS, derivationFile)
	}
	switch {
	case s.Derivation == derivationFile && s.DerivationKeyID != "":
		t.Fail("derivation", "is %q, and derivation_key_id names a key: take one of the two out; "+
			"KMS protects the shares only with the key", derivationFile)
	case s.Derivation == derivationKMS && s.DerivationKeyID == "":
		t.Fail("derivation", "is %q, and derivation_key_id is missing", derivationKMS)
	}
	if s.Endpoint != "" && badEndpoint(s.Endpoint) != "" {
		t.Fail("endpoint", "%s", badEndpoint(s.Endpoint))
	}
	for i, region := range s.Regions {
		if region == "" || slices.Contains(s.Regions[:i], region) {
			t.Fail("regions", "has an empty or a repeated region")
		}
	}
	s.HedgeAfter.Check(t, "hedge_after", time.Minute)
	if t.Has("hedge_after") && len(s.Regions) < 2 {
		t.Fail("hedge_after", "is for a key in several regions: name two or more in regions")
	}
}

// CanDerive implements keyprovider.Section.
func (s *Section) CanDerive(n keyprovider.Node) error {
	if s.DerivationKeyID != "" || s.Derivation == derivationFile {
		return nil
	}
	bare := func(name string) (*region, error) { return &region{name: name}, nil }
	home := func() string { // the SDK's chain may know another one; it is not asked here
		return cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "REGION")
	}
	k, err := placeKey(identityRole, s.KeyID, s.Regions, bare, home)
	if err != nil {
		return err
	}
	return cannotDerive(k, n.Enrolled)
}

// CheckMachine implements keyprovider.Section. It looks at the names of the keys,
// at what the AWS SDK will read, and at the derivation secret.
func (s *Section) CheckMachine(n keyprovider.Node, enrolling bool) error {
	errs := []error{s.checkNames(), checkSettings()}
	if s.Derivation == derivationFile && (n.Enrolled || !enrolling) {
		kept, err := readSecret(secretFile(n))
		kept.Wipe()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// secretFile is where derivation = "file" keeps the derivation secret.
func secretFile(n keyprovider.Node) string {
	return filepath.Join(n.Storage, "derivation.key")
}

// DeviceKeys implements keyprovider.Section. KMS deletes a key after a time in which that can
// be cancelled, and takes no alias; of a key in several regions each replica goes first.
func (s *Section) DeviceKeys(n keyprovider.Node) []keyprovider.DeviceKey {
	key := func(use, id string) keyprovider.DeviceKey {
		of := "$(aws kms describe-key --query KeyMetadata.KeyId --output text --key-id " + keyprovider.ShellWord(id) + ")"
		return keyprovider.DeviceKey{
			Use: use, Name: "key " + id, Destroy: "aws kms schedule-key-deletion --pending-window-in-days 30 --key-id " + of,
		}
	}
	keys := []keyprovider.DeviceKey{key(keyprovider.UseIdentity, s.KeyID)}
	switch {
	case s.DerivationKeyID != "":
		keys = append(keys, key(keyprovider.UseDerivation, s.DerivationKeyID))
	case s.Derivation == derivationFile:
		keys = append(keys, keyprovider.DeviceKey{
			Use: keyprovider.UseDerivation, Name: "file " + secretFile(n), Destroy: "shred -u " + keyprovider.ShellWord(secretFile(n)),
		})
	}
	return keys
}

// Charges implements keyprovider.Section: a replica is charged as a key.
func (s *Section) Charges() keyprovider.Prices {
	p := s.Prices
	p.Keys = max(1, len(s.Regions))
	if s.DerivationKeyID != "" {
		p.Keys *= 2
	}
	return p
}

// openTime bounds Open with all of its calls.
const openTime = 30 * time.Second

// Open implements keyprovider.Section.
func (s *Section) Open(ctx context.Context, n keyprovider.Node, o keyprovider.Options) (keyprovider.Provider, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if o.Scratch != "" {
		n.Storage, n.Enrolled, o.Enrolling = o.Scratch, false, true
	}
	p, err := Open(ctx, Options{Section: *s, Node: n, Options: o})
	if err != nil {
		return nil, err // not p: a nil pointer is no nil interface
	}
	return p, nil
}
