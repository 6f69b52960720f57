package config

import (
	"net/url"
	"os"
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
	MaxAttempts     int      `toml:"max_attempts"`
	Regions         []string `toml:"regions"` // of a multi-Region key, in order of preference

	// pkcs11
	PKCS11Library      string `toml:"pkcs11_library"` // path of the token's .so
	Slot               *uint  `toml:"slot"`
	TokenLabel         string `toml:"token_label"`
	KeyLabel           string `toml:"key_label"`
	DerivationKeyLabel string `toml:"derivation_key_label"`
	Pin                Secret `toml:"pin"`
	PinFile            string `toml:"pin_file"` // path
	URI                string `toml:"uri"`      // RFC 7512

	// aws-kms and pkcs11
	Derivation string   `toml:"derivation"` // how Derive works with this key
	Timeout    Duration `toml:"timeout"`    // of one call
}

// providerKeys says which keys belong to which type.
var providerKeys = map[string][]string{
	Software: {"key_file", "allow_insecure"},
	AWSKMS: {"key_id", "derivation_key_id", "derivation", "endpoint", "profile", "timeout",
		"max_attempts", "regions"},
	PKCS11: {"pkcs11_library", "slot", "token_label", "key_label", "derivation_key_label",
		"derivation", "pin", "pin_file", "uri", "timeout"},
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
	if s.has(providerTable+"timeout") && (k.Timeout.Duration < time.Millisecond || k.Timeout.Duration > 10*time.Minute) {
		s.fail(providerTable+"timeout", "is %s: use 1ms to 10m", k.Timeout)
	}
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
	if u, err := url.Parse(k.Endpoint); k.Endpoint != "" && (err != nil || u.Host == "" || u.User != nil) {
		s.fail(providerTable+"endpoint", "is not an URL without user name")
	}
	if s.has(providerTable + "max_attempts") {
		s.between(providerTable+"max_attempts", k.MaxAttempts, 1, 100)
	}
	for i, region := range k.Regions {
		if region == "" || slices.Contains(k.Regions[:i], region) {
			s.fail(providerTable+"regions", "has an empty or a repeated region")
		}
	}
}

func (k *KeyProvider) checkPKCS11(s *source) {
	if !s.has(providerTable + "uri") {
		s.require(providerTable+"pkcs11_library", k.PKCS11Library)
		s.require(providerTable+"key_label", k.KeyLabel)
		if k.Slot == nil && k.TokenLabel == "" {
			s.fail(providerTable+"token_label", "is missing: say which token with token_label, slot or uri")
		}
	} else if !strings.HasPrefix(k.URI, "pkcs11:") {
		s.fail(providerTable+"uri", "does not begin with pkcs11:")
	}
	if !s.has(providerTable + "pin") {
		return
	}
	if k.PinFile != "" {
		s.fail(providerTable+"pin", "and pin_file exclude each other")
	}
	if info, err := os.Stat(s.path); err == nil && info.Mode().Perm()&0o077 != 0 {
		s.fail(providerTable+"pin", "is in a file of mode %04o that others can read: chmod 600 %s, or use pin_file",
			info.Mode().Perm(), s.path)
	}
}
