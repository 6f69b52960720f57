package client

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/reload"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Load makes a Config of a client.toml and the files that it names: the
// manifest, the access list (for the gateways' keys), the client's own key, and
// what the connection needs. The error has everything that is wrong.
func Load(path string) (Config, error) {
	file, err := config.LoadClient(path)
	if err != nil {
		return Config{}, err
	}
	manifest, errManifest := LoadManifest(file.Client.Manifest)
	if want := file.Client.Fleet; errManifest == nil && want != "" && want != manifest.Fleet {
		errManifest = fmt.Errorf("%s: client.fleet is %q, but the manifest %s is of fleet %q",
			path, want, file.Client.Manifest, manifest.Fleet)
	}
	access, errAccess := config.LoadAccess(file.Client.Access)
	key, errKey := config.LoadKey(file.Client.KeyFile)
	if errAccess == nil && errKey == nil {
		errAccess = checkListed(file.Client.Name, key.Public().(ed25519.PublicKey), access, file.Client.Access)
	}
	if err := errors.Join(errManifest, errAccess, errKey); err != nil {
		return Config{}, err
	}
	listed, err := access.Wire()
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", file.Client.Access, err)
	}
	cfg := Config{
		Name: file.Client.Name, Key: key, Manifest: manifest, Gateways: map[string]ed25519.PublicKey{},
		SecondKeys: map[string]ed25519.PublicKey{},
		URL:        file.Bus.URL, Credentials: file.Bus.Credentials,
		TLSCA: file.Bus.TLSCA, TLSCert: file.Bus.TLSCert, TLSKey: file.Bus.TLSKey, AccessFile: file.Client.Access,
		Recheck: file.Client.Recheck,
	}
	for _, g := range access.Gateways {
		all := g.All()
		if listed.CheckGateway(g.Name, ed25519.PublicKey(all[0])) != nil { // revoked
			continue
		}
		cfg.Gateways[g.Name] = ed25519.PublicKey(all[0])
		if len(all) > 1 {
			cfg.SecondKeys[g.Name] = ed25519.PublicKey(all[1])
		}
	}
	return cfg, nil
}

// checkListed finds a mixed-up key before the fleet does. A client's copy of the
// list need not name the client; if it does, it must be right.
func checkListed(name string, key ed25519.PublicKey, access *config.Access, path string) error {
	for _, c := range access.Clients {
		if c.Name == name && !slices.ContainsFunc(c.All(), func(k config.PublicKey) bool { return bytes.Equal(k, key) }) {
			return fmt.Errorf("%s: client %s is listed with public key %s, but its key file has %x",
				path, name, c.All()[0], []byte(key))
		}
	}
	return nil
}

// followAccess keeps the gateways as an access list has them, until the client is
// closed. A list that can't be read changes nothing.
func (c *Client) followAccess(path string) (ended func()) {
	r := reload.New(c.log, reload.Thing{
		Name: "access", Files: []secret.File{config.AccessFile(path)},
		Take: func(texts [][]byte) (reload.Taken, error) {
			list, err := config.AccessOf(path, texts[0])
			if err != nil {
				return reload.Taken{}, err
			}
			next, err := list.Wire()
			if err != nil {
				return reload.Taken{}, fmt.Errorf("%s: %w", path, err)
			}
			c.access.Store(next)
			return reload.Taken{}, nil
		},
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		reload.Run[struct{}](c.closed, r, nil)
	}()
	return func() { <-done }
}
