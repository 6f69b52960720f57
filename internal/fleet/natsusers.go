package fleet

import (
	"fmt"
	"path/filepath"

	"github.com/nats-io/nkeys"
)

// natsUsers are the public keys that the servers' configurations name.
type natsUsers struct {
	Administrator, System, Gateway, Client string
	Workers                                []string
	Admins                                 []adminUser // who freeze
}

// writeUsers makes the nkey of everybody who connects, each seed in a file of
// its own.
func writeUsers(dir string, o Options) (u natsUsers, err error) {
	for i := range o.N {
		public, err := newSeed(filepath.Join(dir, filepath.Dir(NodeFile(i)), busSeed))
		if err != nil {
			return u, err
		}
		u.Workers = append(u.Workers, public)
	}
	for i := range o.Administrators {
		name := administratorName(i)
		public, err := newSeed(filepath.Join(dir, name, busSeed))
		if err != nil {
			return u, err
		}
		u.Admins = append(u.Admins, adminUser{name, public})
	}
	for _, user := range []struct {
		public *string
		path   string
	}{
		{&u.Administrator, AdministratorFile},
		{&u.System, systemSeed},
		{&u.Gateway, filepath.Join(filepath.Dir(GatewayFile), busSeed)},
		{&u.Client, clientSeed},
	} {
		if *user.public, err = newSeed(filepath.Join(dir, user.path)); err != nil {
			return u, err
		}
	}
	return u, nil
}

// newSeed writes the seed of a new nkey into a new file and returns the public
// key.
func newSeed(path string) (public string, err error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	defer key.Wipe()
	seed, err := key.Seed()
	if err != nil {
		return "", err
	}
	defer clear(seed)
	if public, err = key.PublicKey(); err != nil {
		return "", err
	}
	return public, writeNew(path, append(seed, '\n'))
}

// checkUser refuses a public key that no user of NATS can have.
func checkUser(public string) error {
	if !nkeys.IsValidPublicUserKey(public) {
		return fmt.Errorf("%.64q is not the public nkey of a user: it starts with U (nk -gen user -pubout)", public)
	}
	return nil
}
