package fleet

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
)

// edits are changes to files that can be taken back.
type edits struct {
	created []string
	before  map[string][]byte
}

// create writes a file that is not there, or is the same.
func (e *edits) create(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	err := writeNew(path, data)
	if err == nil {
		e.created = append(e.created, path)
	}
	return err
}

// extend replaces a file with itself and more at its end.
func (e *edits) extend(path, more string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := replace(path, append(bytes.Clone(old), more...)); err != nil {
		return err
	}
	if e.before == nil {
		e.before = map[string][]byte{}
	}
	e.before[path] = old
	return nil
}

func (e *edits) undo() error {
	var errs []error
	for path, old := range e.before {
		errs = append(errs, replace(path, old))
	}
	for _, path := range e.created {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// replace writes a file anew, as a whole.
func replace(path string, data []byte) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(next, data); err != nil {
		return err
	}
	return os.Rename(next, path)
}
