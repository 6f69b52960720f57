package secret

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace writes a file of mode 0600 in the place of the one of its name, if there is
// one: whatever happens in between, one of the two is there, whole. The folder has to be
// there. The file is durable when Replace returns.
func Replace(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // of mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(dir)
}
