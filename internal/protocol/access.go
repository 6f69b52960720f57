package protocol

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
	clients  map[string]Client
	gateways map[string]ed25519.PublicKey
}

// NewAccess checks the names and keys and builds the look-ups.
func NewAccess(clients []Client, gateways map[string]ed25519.PublicKey) (*Access, error) {
	a := &Access{clients: map[string]Client{}, gateways: map[string]ed25519.PublicKey{}}
	for _, c := range clients {
		if !token.MatchString(c.Name) {
			return nil, fmt.Errorf("client %q: use 1 to 64 letters, digits, _ or -", c.Name)
		}
		if _, ok := a.clients[c.Name]; ok {
			return nil, fmt.Errorf("client %q stands twice", c.Name)
		}
		if len(c.Key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("client %q: public key of %d bytes, want %d", c.Name, len(c.Key), ed25519.PublicKeySize)
		}
		for _, k := range c.Kinds {
			if !k.Valid() {
				return nil, fmt.Errorf("client %q: unknown kind %q", c.Name, k)
			}
		}
		a.clients[c.Name] = c
	}
	for name, key := range gateways {
		if !token.MatchString(name) || len(key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("gateway %q: bad name or a public key that is not %d bytes", name, ed25519.PublicKeySize)
		}
		a.gateways[name] = key
	}
	return a, nil
}

func (c Client) allows(k Kind) bool { return slices.Contains(c.Kinds, k) }
