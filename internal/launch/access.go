package launch

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// LoadAccess reads an access list.
func LoadAccess(path string) (*protocol.Access, error) {
	list, err := config.LoadAccess(path)
	if err != nil {
		return nil, err
	}
	gateways := map[string]ed25519.PublicKey{}
	for _, g := range list.Gateways {
		gateways[g.Name] = ed25519.PublicKey(g.PublicKey)
	}
	var clients []protocol.Client
	for _, c := range list.Clients {
		client := protocol.Client{Name: c.Name, Key: ed25519.PublicKey(c.PublicKey)}
		for _, k := range c.Kinds {
			client.Kinds = append(client.Kinds, protocol.Kind(k))
		}
		clients = append(clients, client)
	}
	a, err := protocol.NewAccess(clients, gateways)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// LoadKey reads an Ed25519 seed, 64 hexadecimal digits, from a file that
// nobody else may read.
func LoadKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("key file %s has mode %04o, and others can read it: chmod 600 %s", path, mode, path)
	}
	text, err := readBounded(path, 1<<10)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer clear(text)
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("key file %s does not hold an Ed25519 seed of 64 hexadecimal digits", path)
	}
	defer clear(seed)
	return ed25519.NewKeyFromSeed(seed), nil
}
