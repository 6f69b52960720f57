package wire

import (
	"crypto/ed25519"
	"fmt"
	"slices"
)

// Client is who may publish jobs.
type Client struct {
	Name  string
	Key   ed25519.PublicKey
	Kinds []Kind
}

// Access says which clients and gateways the fleet listens to. It is kept
// apart from the manifest, so that adding a client splits nothing.
type Access struct {
	clients  map[string]client
	gateways map[string]*verifier
}

type client struct {
	Client
	key *verifier
}

// NewAccess checks the names and keys and builds the look-ups.
func NewAccess(clients []Client, gateways map[string]ed25519.PublicKey) (*Access, error) {
	a := &Access{clients: map[string]client{}, gateways: map[string]*verifier{}}
	for _, c := range clients {
		if !token.MatchString(c.Name) {
			return nil, fmt.Errorf("client %q: use 1 to 64 letters, digits, _ or -", c.Name)
		}
		if _, ok := a.clients[c.Name]; ok {
			return nil, fmt.Errorf("client %q is listed twice", c.Name)
		}
		key, err := newVerifier(c.Key)
		if err != nil {
			return nil, fmt.Errorf("client %q: %w", c.Name, err)
		}
		for _, k := range c.Kinds {
			if !k.Valid() {
				return nil, fmt.Errorf("client %q: unknown kind %q", c.Name, k)
			}
		}
		a.clients[c.Name] = client{c, key}
	}
	for name, key := range gateways {
		if !token.MatchString(name) {
			return nil, fmt.Errorf("gateway %q: use 1 to 64 letters, digits, _ or -", name)
		}
		v, err := newVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("gateway %q: %w", name, err)
		}
		a.gateways[name] = v
	}
	return a, nil
}

func (c Client) allows(k Kind) bool { return slices.Contains(c.Kinds, k) }
