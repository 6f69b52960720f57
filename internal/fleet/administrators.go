package fleet

import (
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Administrators freeze clients, keys and the fleet, and unfreeze together. Init makes the
// keys of the first; in production each makes its own, and only the public half is
// told.

const administratorKey = "administrator.key"

func administratorName(i int) string { return fmt.Sprintf("administrator%d", i) }

// AdministratorConfig is what frostctl freeze of administrator i reads.
func AdministratorConfig(i int) string { return administratorName(i) + "/administrator.toml" }

// NewAdministrator makes an administrator's key in a new file, and gives its entry in the
// access list.
func NewAdministrator(name, path string) (public ed25519.PublicKey, entry string, err error) {
	if !wire.IsToken(name) {
		return nil, "", fmt.Errorf("administrator %.64q: use 1 to 64 letters, digits, _ or -", name)
	}
	if public, err = makeKey(path); err != nil {
		return nil, "", err
	}
	return public, fmt.Sprintf("[[administrator]]\nname = %q\npublic_key = \"%x\"\n", name, []byte(public)), nil
}

// writeAdministrators makes each administrator's folder, and gives their entries in the
// access list.
func writeAdministrators(dir string, o Options) (entries string, err error) {
	var all []string
	for i := range o.Administrators {
		name := administratorName(i)
		_, entry, err := NewAdministrator(name, filepath.Join(dir, name, administratorKey))
		if err != nil {
			return "", err
		}
		all = append(all, entry)
		config := render("administrator.toml", o.values(0, 0))
		if err := writeNew(filepath.Join(dir, AdministratorConfig(i)), config); err != nil {
			return "", err
		}
	}
	return strings.Join(all, "\n"), nil
}

func administratorPermissions(fleet, name string) string {
	return strings.NewReplacer(
		"Administrator carol,", "Administrator "+name+",", `.carol"`, "."+name+`"`,
	).Replace(ofFleet(fleet, exampleAdministrator))
}

// adminUser is an administrator's account in the servers' configurations.
type adminUser struct{ Name, Key string }
