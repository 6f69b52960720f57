package config

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Access is the access list: whom the fleet listens to. It is apart from the
// manifest, so that adding a client changes no transcript.
type Access struct {
	Gateways []AccessGateway `toml:"gateway"`
	Clients  []AccessClient  `toml:"client"`
}

// AccessGateway is one [[gateway]].
type AccessGateway struct {
	Name      string    `toml:"name"`
	PublicKey PublicKey `toml:"public_key"`
}

// AccessClient is one [[client]].
type AccessClient struct {
	Name      string      `toml:"name"`
	PublicKey PublicKey   `toml:"public_key"`
	Kinds     []wire.Kind `toml:"kinds"` // keygen, sign
}

// PublicKey is an Ed25519 public key, written in hexadecimal.
type PublicKey ed25519.PublicKey

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *PublicKey) UnmarshalText(text []byte) error {
	key, err := hex.DecodeString(string(text))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return errors.New("not an Ed25519 public key of 64 hexadecimal characters")
	}
	*k = key
	return nil
}

// String gives the hexadecimal form.
func (k PublicKey) String() string { return hex.EncodeToString(k) }

// LoadAccess reads an access list.
func LoadAccess(path string) (*Access, error) {
	return load(path, new(Access), false)
}

func (*Access) files(*source) {}

func (a *Access) check(s *source) {
	keys := map[string]string{} // public key -> whose
	names := map[string]bool{}
	for i, g := range a.Gateways {
		s.party(fmt.Sprintf("gateway[%d]", i), "gateway "+g.Name, g.Name, g.PublicKey, names, keys)
	}
	clear(names)
	for i, c := range a.Clients {
		table := fmt.Sprintf("client[%d]", i)
		s.party(table, "client "+c.Name, c.Name, c.PublicKey, names, keys)
		if len(c.Kinds) == 0 {
			s.Fail(table+".kinds", "is empty or missing: name what the client may ask for: %s", wire.Or(wire.KindNames()))
		}
		for j, kind := range c.Kinds {
			s.OneOf(table+".kinds", string(kind), wire.KindNames()...)
			if slices.Contains(c.Kinds[:j], kind) {
				s.Fail(table+".kinds", "has %q twice", kind)
			}
		}
	}
}

// party checks what a gateway and a client have in common: names are unique
// within their kind, keys within the list.
func (s *source) party(table, who, name string, key PublicKey, names map[string]bool, keys map[string]string) {
	s.token(table+".name", name)
	if name != "" && names[name] {
		s.Fail(table+".name", "%q is taken by an entry above", name)
	}
	names[name] = true
	s.Require(table+".public_key", string(key))
	if other, dup := keys[string(key)]; dup && len(key) > 0 {
		s.Fail(table+".public_key", "is the key of %s too", other)
	}
	keys[string(key)] = who
}
