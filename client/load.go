package client

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/frostfleet/frostfleet/internal/config"
)

// Load makes a Config of a client.toml and the files that it names: the
// manifest, the access list (for the gateways' keys) and the client's own key.
func Load(path string) (Config, error) {
	file, err := config.LoadClient(path)
	if err != nil {
		return Config{}, err
	}
	cfg := Config{
		Name: file.Client.Name, URL: file.Bus.URL, Credentials: file.Bus.Credentials,
		TLSCA: file.Bus.TLSCA, TLSCert: file.Bus.TLSCert, TLSKey: file.Bus.TLSKey,
	}
	if cfg.Manifest, err = LoadManifest(file.Client.Manifest); err != nil {
		return Config{}, err
	}
	if want := file.Client.Fleet; want != "" && want != cfg.Manifest.Fleet {
		return Config{}, fmt.Errorf("%s: fleet is %q, but the manifest %s is of fleet %q",
			path, want, file.Client.Manifest, cfg.Manifest.Fleet)
	}
	access, err := config.LoadAccess(file.Client.Access)
	if err != nil {
		return Config{}, err
	}
	cfg.Gateways = map[string]ed25519.PublicKey{}
	for _, g := range access.Gateways {
		cfg.Gateways[g.Name] = ed25519.PublicKey(g.PublicKey)
	}
	if cfg.Key, err = loadKey(file.Client.KeyFile); err != nil {
		return Config{}, err
	}
	if err := checkListed(cfg.Name, cfg.Key.Public().(ed25519.PublicKey), access, file.Client.Access); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// checkListed finds a mixed-up key before the fleet does. A client's copy of the
// list need not name the client; if it does, it must be right.
func checkListed(name string, key ed25519.PublicKey, access *config.Access, path string) error {
	for _, c := range access.Clients {
		if c.Name == name && !key.Equal(ed25519.PublicKey(c.PublicKey)) {
			return fmt.Errorf("%s: client %s is listed with public key %s, but its key file has %x",
				path, name, c.PublicKey, []byte(key))
		}
	}
	return nil
}

// loadKey reads an Ed25519 seed, 64 hexadecimal digits, from a file that
// nobody else may read.
func loadKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("key file %s has mode %04o, and others can read it: chmod 600 %s", path, mode, path)
	}
	text, err := readBounded(path, 1<<10)
	defer clear(text)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	defer clear(seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("key file %s does not hold an Ed25519 seed of 64 hexadecimal digits", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err
}
