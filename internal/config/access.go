package config

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Access is the access list: whom the fleet listens to, and to whom not any more. It
// is apart from the manifest, so that adding a client changes no transcript.
type Access struct {
	Version  int             `toml:"version"` // accessVersion by default
	Gateways []AccessGateway `toml:"gateway"`
	Clients  []AccessClient  `toml:"client"`
	Revoked  []AccessRevoked `toml:"revoked"`

	Administrators []AccessAdministrator `toml:"administrator"`
	Freeze         AccessFreeze          `toml:"freeze"`
}

// accessVersion is the version of access lists that this program reads.
const accessVersion = 1

// AccessGateway is one [[gateway]].
type AccessGateway struct {
	Name string `toml:"name"`
	AccessKeys
}

// AccessClient is one [[client]].
type AccessClient struct {
	Name string `toml:"name"`
	AccessKeys
	Kinds []wire.Kind `toml:"kinds"` // keygen, sign
}

// AccessRevoked is one [[revoked]]: a node, by its index or by its identity key, a
// node's session key, or a gateway.
type AccessRevoked struct {
	Node       *int          `toml:"node"`
	Identity   wire.HexBytes `toml:"identity"`
	SessionKey PublicKey     `toml:"session_key"`
	Gateway    string        `toml:"gateway"`
	Reason     string        `toml:"reason"` // for people
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

// AccessFile is the file that LoadAccess reads.
func AccessFile(path string) secret.File { return fileOf(path, new(Access)) }

// AccessOf is LoadAccess where the file's text is there already.
func AccessOf(path string, text []byte) (*Access, error) {
	return parse(path, text, new(Access), false)
}

func (*Access) files(*source) {}

func (a *Access) check(s *source) {
	if s.Has("version") && a.Version != accessVersion {
		s.Fail("version", "is %d: this program reads access lists of version %d", a.Version, accessVersion)
	}
	if len(s.errors) == 0 && len(a.Gateways)+len(a.Clients)+len(a.Revoked)+len(a.Administrators) == 0 {
		s.Fail("gateway", "is missing, and so is everything else: a list that was cut off as it was written, or a full "+
			"disk's. It would end all jobs and lift all revocations")
	}
	keys := map[string]string{} // public key -> whose
	names := map[string]bool{}
	for i, g := range a.Gateways {
		s.party(fmt.Sprintf("gateway[%d]", i), "gateway "+g.Name, g.Name, g.AccessKeys, names, keys)
	}
	clear(names)
	for i, c := range a.Clients {
		table := fmt.Sprintf("client[%d]", i)
		s.party(table, "client "+c.Name, c.Name, c.AccessKeys, names, keys)
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
	for i := range a.Revoked {
		a.Revoked[i].check(s, fmt.Sprintf("revoked[%d]", i))
	}
	a.checkAdministrators(s, keys)
}

// check wants exactly one that is revoked. An entry that meant nobody would pass
// for a revocation.
func (r *AccessRevoked) check(s *source, table string) {
	var named []string
	for _, key := range []string{"node", "identity", "session_key", "gateway"} {
		if s.Has(table + "." + key) {
			named = append(named, key)
		}
	}
	if len(named) != 1 {
		s.Fail(table, "names %d of node, identity, session_key and gateway: name one, and make a [[revoked]] for each",
			len(named))
		return
	}
	key := table + "." + named[0]
	switch named[0] {
	case "node":
		if r.Node != nil {
			s.Between(key, *r.Node, 0, wire.MaxNodes-1)
		}
	case "identity":
		if _, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), r.Identity); err != nil {
			s.Fail(key, "is not a node's identity key as the manifest has it (P-256, 130 hexadecimal characters)")
		}
	case "session_key":
		s.Require(key, string(r.SessionKey))
	case "gateway":
		s.token(key, r.Gateway)
	}
}

// Wire makes the list that programs use.
func (a *Access) Wire() (*wire.Access, error) {
	gateways, secondGateways := map[string]ed25519.PublicKey{}, map[string]ed25519.PublicKey{}
	for _, g := range a.Gateways {
		gateways[g.Name] = g.first()
		g.second(g.Name, secondGateways)
	}
	var clients []wire.Client
	secondClients := map[string]ed25519.PublicKey{}
	for _, c := range a.Clients {
		clients = append(clients, wire.Client{Name: c.Name, Key: c.first(), Kinds: c.Kinds})
		c.second(c.Name, secondClients)
	}
	list, err := wire.NewAccess(clients, gateways, a.revoked())
	if err == nil {
		list, err = list.WithSecondKeys(secondClients, secondGateways)
	}
	if err != nil {
		return nil, err
	}
	return a.withAdministrators(list)
}

func (a *Access) revoked() (all wire.Revoked) {
	for _, r := range a.Revoked {
		switch {
		case r.Node != nil:
			all.Nodes = append(all.Nodes, *r.Node)
		case len(r.Identity) > 0:
			all.Identities = append(all.Identities, r.Identity)
		case len(r.SessionKey) > 0:
			all.SessionKeys = append(all.SessionKeys, r.SessionKey)
		default:
			all.Gateways = append(all.Gateways, r.Gateway)
		}
	}
	return all
}

// party checks what a gateway and a client have in common: names are unique
// within their kind, keys within the list.
func (s *source) party(table, who, name string, k AccessKeys, names map[string]bool, keys map[string]string) {
	s.token(table+".name", name)
	if name != "" && names[name] {
		s.Fail(table+".name", "%q is taken by an entry above", name)
	}
	names[name] = true
	s.partyKeys(table, who, k, keys)
}
