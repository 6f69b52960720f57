package client

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/config"
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
	cfg := Config{
		Name: file.Client.Name, Key: key, Manifest: manifest, Gateways: map[string]ed25519.PublicKey{},
		URL: file.Bus.URL, Credentials: file.Bus.Credentials,
		TLSCA: file.Bus.TLSCA, TLSCert: file.Bus.TLSCert, TLSKey: file.Bus.TLSKey,
	}
	for _, g := range access.Gateways {
		cfg.Gateways[g.Name] = ed25519.PublicKey(g.PublicKey)
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
