package wire

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
)

// Client is who may publish jobs.
type Client struct {
	Name  string
	Key   ed25519.PublicKey
	Kinds []Kind
}

// Access says which clients and gateways the fleet listens to, and to whom it does
// not listen any more. It is kept apart from the manifest, so that adding a client
// splits nothing. It does not change: a new list replaces it. A nil list has nobody.
type Access struct {
	clients  map[string]client
	gateways map[string]keys
	revoked  Revoked

	administrators map[string]administrator // WithAdministrators
	quorum         int                      // of them unfreezes
}

// Revoked lists whom the fleet does not listen to any more. It is about live messages
// only: a batch that all nodes certified stays what it is.
type Revoked struct {
	Nodes       []int    // by index in the manifest
	Identities  [][]byte // nodes by identity key, as in the manifest
	SessionKeys [][]byte // Ed25519 keys that a node's device vouched for
	Gateways    []string // by name
}

var errRevoked = errors.New("its sender is revoked in the access list")

type client struct {
	Client
	keys keys
}

// NewAccess checks the names and keys and builds the look-ups. Second keys:
// WithSecondKeys.
func NewAccess(clients []Client, gateways map[string]ed25519.PublicKey, revoked ...Revoked) (*Access, error) {
	a := &Access{clients: map[string]client{}, gateways: map[string]keys{}}
	for _, r := range revoked {
		a.revoked.Nodes = append(a.revoked.Nodes, r.Nodes...)
		a.revoked.Identities = append(a.revoked.Identities, r.Identities...)
		a.revoked.SessionKeys = append(a.revoked.SessionKeys, r.SessionKeys...)
		a.revoked.Gateways = append(a.revoked.Gateways, r.Gateways...)
	}
	for _, c := range clients {
		if !token.MatchString(c.Name) {
			return nil, fmt.Errorf("client %q: use 1 to 64 letters, digits, _ or -", c.Name)
		}
		if _, ok := a.clients[c.Name]; ok {
			return nil, fmt.Errorf("client %q is listed twice", c.Name)
		}
		key, err := newKey(c.Key)
		if err != nil {
			return nil, fmt.Errorf("client %q: %w", c.Name, err)
		}
		for _, k := range c.Kinds {
			if !k.Valid() {
				return nil, fmt.Errorf("client %q: unknown kind %q", c.Name, k)
			}
		}
		a.clients[c.Name] = client{c, keys{key}}
	}
	for name, public := range gateways {
		if !token.MatchString(name) {
			return nil, fmt.Errorf("gateway %q: use 1 to 64 letters, digits, _ or -", name)
		}
		key, err := newKey(public)
		if err != nil {
			return nil, fmt.Errorf("gateway %q: %w", name, err)
		}
		a.gateways[name] = keys{key}
	}
	return a, nil
}

func (c Client) allows(k Kind) bool { return slices.Contains(c.Kinds, k) }

// StillAllows reports whether a client may ask for a kind under a key that it had in the
// list before. What is in work under another key of it is the client's all the same.
func (a *Access) StillAllows(before *Access, name string, k Kind) bool {
	is, had := a.clients[name], before.clients[name]
	return is.allows(k) && is.keys.any(had.keys)
}

// IsClient reports whether a key is one of a client's.
func (a *Access) IsClient(name string, key ed25519.PublicKey) bool {
	return a.clients[name].keys.has(key)
}

// StillHears reports whether a gateway may speak, and under every key under which it might
// by the list before: then what it said counts, whichever key it was.
func (a *Access) StillHears(before *Access, gateway string) bool {
	is, err := a.gateway(gateway)
	had, errBefore := before.gateway(gateway)
	return err == nil && errBefore == nil && is.all(had)
}

// gateway returns the keys of a gateway that may speak.
func (a *Access) gateway(name string) (keys, error) {
	if a == nil {
		return nil, fmt.Errorf("gateway %.64q: there is no access list", name)
	}
	listed, ok := a.gateways[name]
	switch {
	case slices.Contains(a.revoked.Gateways, name):
		return nil, fmt.Errorf("gateway %.64q is revoked in the access list", name)
	case !ok:
		return nil, fmt.Errorf("gateway %.64q is not in the access list", name)
	}
	return listed, nil
}

// CheckGateway returns why nobody listens to a gateway with this name and key.
func (a *Access) CheckGateway(name string, key ed25519.PublicKey) error {
	listed, err := a.gateway(name)
	if err == nil && !listed.has(key) {
		err = fmt.Errorf("gateway %.64q has another key in the access list", name)
	}
	return err
}

// RevokesNode reports whether node i of a manifest is revoked.
func (a *Access) RevokesNode(m *Manifest, i int) bool {
	if a == nil || len(a.revoked.Nodes)+len(a.revoked.Identities) == 0 || i >= len(m.Nodes) {
		return false
	}
	return slices.Contains(a.revoked.Nodes, i) || contains(a.revoked.Identities, m.Nodes[i].Identity)
}

// RevokedNode returns the first node of a manifest that is revoked, -1 if none is.
func (a *Access) RevokedNode(m *Manifest) int {
	return slices.IndexFunc(m.Nodes, func(n NodeCard) bool { return a.RevokesNode(m, n.Index) })
}

// RevokesKey reports whether a session key is revoked.
func (a *Access) RevokesKey(key []byte) bool { return a != nil && contains(a.revoked.SessionKeys, key) }

func contains(list [][]byte, key []byte) bool {
	return slices.ContainsFunc(list, func(other []byte) bool { return bytes.Equal(other, key) })
}
