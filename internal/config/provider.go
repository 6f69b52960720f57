package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Types of key providers.
const (
	Software = "software"
	AWSKMS   = "aws-kms"
	PKCS11   = "pkcs11"
)

// Ways to derive: KeyProvider.Derivation. Empty is by the key that is there.
const (
	DerivationKMS  = "kms"  // aws-kms: GenerateMac with derivation_key_id
	DerivationFile = "file" // aws-kms: a secret in storage_path, outside KMS
	DerivationHMAC = "hmac" // pkcs11: CKM_SHA256_HMAC
	DerivationECDH = "ecdh" // pkcs11: CKM_ECDH1_DERIVE
)

// KeyProvider is the section [node.key_provider]. Type says which of the other
// fields count; one of another type is an error.
type KeyProvider struct {
	Type string `toml:"type"` // software, aws-kms, pkcs11

	// software
	KeyFile       string `toml:"key_file"`       // path
	AllowInsecure bool   `toml:"allow_insecure"` // on mainnet all the same

	// aws-kms
	KeyID           string   `toml:"key_id"`            // ARN, id or alias of the identity key
	DerivationKeyID string   `toml:"derivation_key_id"` // of the HMAC_256 key
	Endpoint        string   `toml:"endpoint"`          // URL, for tests and VPC endpoints
	Profile         string   `toml:"profile"`           // of the AWS configuration
	Regions         []string `toml:"regions"`           // of a multi-Region key, in order of preference
	HedgeAfter      Duration `toml:"hedge_after"`       // when to ask the next region too; 0: the provider's default

	// pkcs11
	PKCS11Library      string `toml:"pkcs11_library"` // path of the token's .so
	Slot               *uint  `toml:"slot"`
	TokenLabel         string `toml:"token_label"`
	KeyLabel           string `toml:"key_label"`
	DerivationKeyLabel string `toml:"derivation_key_label"`
	Pin                Secret `toml:"pin"`      // nil: none here; ${NAME} is resolved already
	PinFile            string `toml:"pin_file"` // path
	URI                string `toml:"uri"`      // RFC 7512; its PIN has moved to Pin or PinFile
	Sessions           int    `toml:"sessions"` // with the token; 0: the provider's default

	// aws-kms and pkcs11
	Derivation  string   `toml:"derivation"` // how Derive works: see the constants
	Timeout     Duration `toml:"timeout"`    // of one call; 0: the default
	MaxAttempts int      `toml:"max_attempts"`
	Prices      Prices   `toml:"prices"`
}

// providerKeys says which keys belong to which type.
var providerKeys = map[string][]string{
	Software: {"key_file", "allow_insecure"},
	AWSKMS: {"key_id", "derivation_key_id", "derivation", "endpoint", "profile", "timeout",
		"max_attempts", "regions", "hedge_after", "prices"},
	PKCS11: {"pkcs11_library", "slot", "token_label", "key_label", "derivation_key_label",
		"derivation", "pin", "pin_file", "uri", "sessions", "timeout", "max_attempts", "prices"},
}

const providerTable = "node.key_provider."

func (k *KeyProvider) check(s *source, network string) {
	s.oneOf(providerTable+"type", k.Type, []string{Software, AWSKMS, PKCS11})
	own, known := providerKeys[k.Type]
	if !known {
		return
	}
	for _, keys := range providerKeys {
		for _, key := range keys {
			if s.has(providerTable+key) && !slices.Contains(own, key) {
				s.fail(providerTable+key, "is not for type %q, which has %s", k.Type, strings.Join(own, ", "))
			}
		}
	}
	s.duration(providerTable+"timeout", k.Timeout, 30*time.Second) // a node waits no longer for a call with its repetitions
	if s.has(providerTable + "max_attempts") {
		s.between(providerTable+"max_attempts", k.MaxAttempts, 1, 100)
	}
	k.Prices.check(s, k.Type)
	switch k.Type {
	case Software:
		k.checkSoftware(s, network)
	case AWSKMS:
		k.checkAWSKMS(s)
	case PKCS11:
		k.checkPKCS11(s)
	}
	for _, path := range []*string{&k.KeyFile, &k.PKCS11Library, &k.PinFile} {
		s.absolute(path)
	}
}

// duration wants one that is set to be from a millisecond to high.
func (s *source) duration(key string, d Duration, high time.Duration) {
	if s.has(key) && (d.Duration < time.Millisecond || d.Duration > high) {
		s.fail(key, "is %s: use 1ms to %s", d, high)
	}
}

func (k *KeyProvider) checkSoftware(s *source, network string) {
	s.require(providerTable+"key_file", k.KeyFile)
	if network == "mainnet" && !k.AllowInsecure {
		s.fail(providerTable+"type", "is %q, which keeps keys in a plain file: on mainnet use %s or %s, "+
			"or set allow_insecure = true if nothing of value is at stake", Software, AWSKMS, PKCS11)
	}
}

func (k *KeyProvider) checkAWSKMS(s *source) {
	s.require(providerTable+"key_id", k.KeyID)
	if k.DerivationKeyID != "" && k.DerivationKeyID == k.KeyID {
		s.fail(providerTable+"derivation_key_id", "is key_id: identity and derivation are two keys")
	}
	k.checkDerivation(s, DerivationKMS, DerivationFile)
	switch {
	case k.Derivation == DerivationFile && k.DerivationKeyID != "":
		s.fail(providerTable+"derivation", "is %q, and derivation_key_id names a key: take one of the two out; "+
			"KMS protects the shares only with the key", DerivationFile)
	case k.Derivation == DerivationKMS && k.DerivationKeyID == "":
		s.fail(providerTable+"derivation", "is %q, and derivation_key_id is missing", DerivationKMS)
	}
	k.checkEndpoint(s)
	for i, region := range k.Regions {
		if region == "" || slices.Contains(k.Regions[:i], region) {
			s.fail(providerTable+"regions", "has an empty or a repeated region")
		}
	}
	s.duration(providerTable+"hedge_after", k.HedgeAfter, time.Minute)
	if s.has(providerTable+"hedge_after") && len(k.Regions) < 2 {
		s.fail(providerTable+"hedge_after", "is for a key in several regions: name two or more in regions")
	}
}

// checkEndpoint wants TLS: who reads what KMS derives has the node's shares.
func (k *KeyProvider) checkEndpoint(s *source) {
	if k.Endpoint == "" {
		return
	}
	u, err := url.Parse(k.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		s.fail(providerTable+"endpoint", "is not an URL without user name")
	case u.Scheme == "http":
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			s.fail(providerTable+"endpoint", "is not https, and not on this machine: who can read along has the node's shares")
		}
	case u.Scheme != "https":
		s.fail(providerTable+"endpoint", "is not an https URL")
	}
}

func (k *KeyProvider) checkDerivation(s *source, ways ...string) {
	if k.Derivation != "" {
		s.oneOf(providerTable+"derivation", k.Derivation, ways)
	}
}
