package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/frostfleet/frostfleet/internal/config"
)

// NewClient is one more client of a fleet with a cluster. One that made its keys
// itself gives their public halves; for another, AddClient makes them.
type NewClient struct {
	Party
	PublicKey config.PublicKey // Ed25519, for its jobs
	NKey      string           // for NATS
}

// AddClient adds a client to the access list and to every server's
// configuration, and returns the directory that is for the client. Either all
// files change or none. The servers take it at their next reload.
func AddClient(dir string, c NewClient) (clientDir string, err error) {
	if (c.PublicKey == nil) != (c.NKey == "") {
		return "", errors.New("a client that has keys has two: give its Ed25519 key and its nkey, or neither")
	}
	if err := c.check(); err != nil {
		return "", err
	}
	unlock, err := lockFleet(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	servers, err := ServerFiles(dir)
	if err != nil {
		return "", err
	}
	access, err := config.LoadAccess(filepath.Join(dir, AccessFile))
	if err != nil {
		return "", err
	}
	for _, other := range access.Clients {
		if other.Name == c.Name {
			return "", fmt.Errorf("client %s is in %s already: use another name", c.Name, AccessFile)
		}
	}
	if err := c.checkServers(servers); err != nil {
		return "", err
	}
	clientDir = filepath.Join(dir, clientsDir, c.Name)
	if err := os.MkdirAll(filepath.Dir(clientDir), 0o700); err != nil {
		return "", err
	}
	if err := os.Mkdir(clientDir, 0o700); err != nil {
		return "", fmt.Errorf("%w: it may hold a client's keys, and is not replaced", err)
	}
	changes := edits{created: []string{clientDir}}
	defer func() {
		if err != nil {
			err = errors.Join(err, changes.undo())
		}
	}()
	if err := c.makeKeys(clientDir); err != nil {
		return "", err
	}
	return clientDir, c.add(dir, clientDir, servers, &changes)
}

// checkServers refuses what would have two users or accounts of one name: no server
// starts with that, nor reloads it. The files are also edited by hand.
func (c *NewClient) checkServers(servers []string) error {
	if c.NKey != "" {
		if err := checkUser(c.NKey); err != nil {
			return err
		}
	}
	for _, file := range servers {
		for _, path := range []string{file, filepath.Join(filepath.Dir(file), clientsConf)} {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if c.NKey != "" && bytes.Contains(text, []byte(c.NKey)) {
				return fmt.Errorf("nkey %s is the user of somebody else, in %s", c.NKey, path)
			}
			if account := accountName(c.Name); bytes.Contains(text, []byte(account+" {")) {
				return fmt.Errorf("%s has account %s already, and %s does not: an earlier add-client was cut short; "+
					"take the account out of every server's file, then repeat", path, account, AccessFile)
			}
		}
	}
	return nil
}

// lockFleet keeps two changes of one fleet's files apart: each replaces whole files.
func lockFleet(dir string) (unlock func(), err error) {
	lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	if err := lock.Lock(); err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return func() { _ = lock.Unlock() }, nil
}

// makeKeys makes the keys of a client that has none.
func (c *NewClient) makeKeys(dir string) (err error) {
	if c.NKey != "" {
		return nil // it has them
	}
	if c.NKey, err = newSeed(filepath.Join(dir, clientSeed)); err != nil {
		return err
	}
	public, err := makeKey(filepath.Join(dir, clientKey))
	c.PublicKey = config.PublicKey(public)
	return err
}

// add writes the client's directory and then the servers' and the access list.
func (c *NewClient) add(dir, clientDir string, servers []string, changes *edits) error {
	first, err := config.ParseClient(filepath.Join(dir, ClientFile))
	if err != nil {
		return err
	}
	if all := strings.Count(first.Bus.URL, ",") + 1; len(servers) < all {
		return fmt.Errorf("%s names %d NATS servers, and %s has the files of %d: all need the client, put them back",
			ClientFile, all, filepath.Join(dir, natsDir), len(servers))
	}
	manifest, err := config.LoadManifest(filepath.Join(dir, ManifestFile))
	if err != nil {
		return err
	}
	entry := "\n" + c.entry([]byte(c.PublicKey))
	permits := clientPermissions(manifest.Fleet, c.Name)
	account := clientAccount(c.Name, c.NKey)
	for _, file := range servers {
		server := filepath.Dir(file)
		if err := errors.Join(
			changes.create(filepath.Join(server, permissions, "client-"+c.Name+".conf"), []byte(permits)),
			changes.extend(filepath.Join(server, clientsConf), account),
		); err != nil {
			return err
		}
	}
	if err := changes.extend(filepath.Join(dir, AccessFile), entry); err != nil {
		return err
	}
	if _, err := config.LoadAccess(filepath.Join(dir, AccessFile)); err != nil {
		return err // a key that is another's
	}
	for _, name := range []string{ManifestFile, AccessFile, AuthorityFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := writeNew(filepath.Join(clientDir, name), data); err != nil {
			return err
		}
	}
	o := Options{Name: manifest.Fleet, Client: c.Name, BusURL: first.Bus.URL, Cluster: new(Cluster)}
	return writeNew(filepath.Join(clientDir, ClientFile), clientConfig(o))
}

// ServerFiles are the configurations of the NATS servers in a fleet directory.
func ServerFiles(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, natsDir, "*", serverConf))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no NATS servers: make a fleet with frostctl fleet init DIR --cluster 3",
			filepath.Join(dir, natsDir))
	}
	return files, err
}

// ReloadCommands have every server in a fleet directory read its configuration
// again, each on its machine. They do so twice: in its first reload with a new
// account, nats-server (2.15.2 and before) does not set up what that imports, and
// the account's requests get no responders.
func ReloadCommands(dir string) ([]string, error) {
	files, err := ServerFiles(dir)
	var commands []string
	for range 2 {
		for _, file := range files {
			commands = append(commands, "nats-server --signal reload="+filepath.Join(filepath.Dir(file), pidFile))
		}
	}
	return commands, err
}
