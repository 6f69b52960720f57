package secret

import (
	"errors"
	"os"
	"path/filepath"
)

// Create writes a new file of mode 0600, and its folder. It gives the file its
// name when it is complete, whatever happens in between, and never in place of
// another: then the error wraps fs.ErrExist. The file is durable when Create
// returns.
func Create(path string, data []byte) error {
	dir := filepath.Dir(path)
	changed := lacking(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), path)
	}
	for _, d := range changed {
		if err == nil {
			err = SyncDir(d)
		}
	}
	return err
}

// lacking returns dir, and above it the folders up to the first that exists: those
// that get a name in them when dir is made.
func lacking(dir string) []string {
	all := []string{dir}
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return all
		}
		dir = filepath.Dir(dir)
		all = append(all, dir)
	}
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
