package launch

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// LoadAccess reads an access list.
func LoadAccess(path string) (*wire.Access, error) {
	list, err := config.LoadAccess(path)
	if err != nil {
		return nil, err
	}
	gateways := map[string]ed25519.PublicKey{}
	for _, g := range list.Gateways {
		gateways[g.Name] = ed25519.PublicKey(g.PublicKey)
	}
	var clients []wire.Client
	for _, c := range list.Clients {
		client := wire.Client{Name: c.Name, Key: ed25519.PublicKey(c.PublicKey)}
		for _, k := range c.Kinds {
			client.Kinds = append(client.Kinds, wire.Kind(k))
		}
		clients = append(clients, client)
	}
	a, err := wire.NewAccess(clients, gateways)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// LoadKey reads an Ed25519 seed, 64 hexadecimal digits, from a file that
// nobody else may read. The mode is that of what was opened.
func LoadKey(path string) (ed25519.PrivateKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("key file %s has mode %04o, and others can read it: chmod 600 %s", path, mode, path)
	}
	text := make([]byte, 1<<10) // far more than there should be
	defer clear(text)
	n, err := io.ReadFull(f, text)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("key file: %w", err)
	}
	var seed [ed25519.SeedSize]byte
	defer clear(seed[:])
	digits := bytes.TrimSpace(text[:n])
	if n == len(text) || len(digits) != 2*len(seed) {
		return nil, fmt.Errorf("key file %s does not hold an Ed25519 seed of 64 hexadecimal digits", path)
	}
	if _, err := hex.Decode(seed[:], digits); err != nil { // it would quote the digit
		return nil, fmt.Errorf("key file %s does not hold an Ed25519 seed of 64 hexadecimal digits", path)
	}
	return ed25519.NewKeyFromSeed(seed[:]), nil
}
