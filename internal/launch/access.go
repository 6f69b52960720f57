package launch

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// LoadAccess reads an access list.
func LoadAccess(path string) (*wire.Access, error) {
	list, err := config.LoadAccess(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: get the fleet's access.toml from its operators", err)
	}
	if err != nil {
		return nil, err
	}
	gateways := map[string]ed25519.PublicKey{}
	for _, g := range list.Gateways {
		gateways[g.Name] = ed25519.PublicKey(g.PublicKey)
	}
	var clients []wire.Client
	for _, c := range list.Clients {
		clients = append(clients, wire.Client{Name: c.Name, Key: ed25519.PublicKey(c.PublicKey), Kinds: c.Kinds})
	}
	a, err := wire.NewAccess(clients, gateways)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}
