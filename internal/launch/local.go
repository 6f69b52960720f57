package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/frostfleet/frostfleet/internal/config"
)

// CheckProvider finds what is wrong with a node's key provider that this
// machine alone can tell: files, environment, what no device is needed for. A
// node that enrols has no secrets yet.
func CheckProvider(n *config.Node, enrolling bool) error {
	return errors.Join(requireDerivationKey(n), n.Node.KeyProvider.Section.CheckMachine(n.Provider(), enrolling))
}

// CheckDirectory wants a directory that this user may write to, or make: a
// program makes its own.
func CheckDirectory(key, path string) error {
	there := path
	info, err := os.Stat(there)
	for errors.Is(err, fs.ErrNotExist) && there != filepath.Dir(there) {
		there = filepath.Dir(there)
		info, err = os.Stat(there)
	}
	const mayWrite = 0x2 | 0x1 // W_OK, X_OK
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", key, err)
	case !info.IsDir():
		return fmt.Errorf("%s: %s is not a directory", key, there)
	case syscall.Access(there, mayWrite) != nil && there != path:
		return fmt.Errorf("%s: %s does not exist, and this user may not make it: "+
			"install -d -m 700 -o USER %s, for the user that runs the program", key, path, path)
	case syscall.Access(there, mayWrite) != nil:
		return fmt.Errorf("%s: this user may not write to %s: run the program as its owner, or chown it", key, path)
	}
	return nil
}
