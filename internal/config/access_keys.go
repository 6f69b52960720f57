package config

import (
	"crypto/ed25519"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// AccessKeys are the Ed25519 keys of a gateway or a client: public_key, or two in public_keys
// while one takes the other's place.
type AccessKeys struct {
	PublicKey  PublicKey   `toml:"public_key"`
	PublicKeys []PublicKey `toml:"public_keys"`
}

// maxKeys is how many one may have: the old one and the new one.
const maxKeys = 2

// All are the keys, in the order of the file.
func (k AccessKeys) All() []PublicKey {
	if len(k.PublicKeys) > 0 {
		return k.PublicKeys
	}
	return []PublicKey{k.PublicKey}
}

// first and second are as wire.NewAccess and WithSecondKeys take them.
func (k AccessKeys) first() ed25519.PublicKey { return ed25519.PublicKey(k.All()[0]) }

func (k AccessKeys) second(name string, of map[string]ed25519.PublicKey) {
	if all := k.All(); len(all) > 1 {
		of[name] = ed25519.PublicKey(all[1])
	}
}

// partyKeys checks the keys of a gateway or a client. Every key is one party's, and is there
// once.
func (s *source) partyKeys(table, who string, k AccessKeys, keys map[string]string) {
	const one, several = ".public_key", ".public_keys"
	if !s.Has(table + several) {
		s.partyKey(table+one, who, k.PublicKey, keys)
		return
	}
	if s.Has(table + one) {
		s.Fail(table+several, "is set, and so is public_key: put both keys into public_keys")
	}
	if n := len(k.PublicKeys); n < 1 || n > maxKeys {
		s.Fail(table+several, "has %d keys: use 1, or 2 while one takes the other's place", n)
	}
	for _, key := range k.PublicKeys {
		s.partyKey(table+several, who, key, keys)
	}
}

func (s *source) partyKey(at, who string, key PublicKey, keys map[string]string) {
	s.Require(at, string(key))
	if len(key) > 0 {
		if err := wire.CheckPublicKey(key); err != nil {
			s.Fail(at, "of %s: %v", who, err)
		}
	}
	if other, dup := keys[string(key)]; dup && len(key) > 0 {
		if other == who {
			s.Fail(at, "has the key %s twice", wire.Fingerprint(ed25519.PublicKey(key)))
		}
		s.Fail(at, "is the key of %s too", other)
	}
	keys[string(key)] = who
}
