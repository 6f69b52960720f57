package register

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// LineageFile is where a node keeps what it knows of its fleet's manifests, in the storage
// directory: a register file without entries. With it the storage proves what it holds when
// KEYS is lost.
const LineageFile = "lineage"

// KeepLineage writes the file anew. It is on the disk when KeepLineage returns nil.
func KeepLineage(dir string, l *wire.Lineage) error {
	var out bytes.Buffer
	w, err := NewWriter(&out, l)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return err
	}
	return secret.Replace(filepath.Join(dir, LineageFile), out.Bytes())
}

// KeptLineage is what a node kept, as far as the manifest given proves it: that alone where
// there is no file.
func KeptLineage(dir string, pinned *wire.Manifest) (*wire.Lineage, error) {
	l := wire.NewLineage(pinned)
	path := filepath.Join(dir, LineageFile)
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var unproven error
	_, err = ReadFile(file, l, Reading{
		Lineage: func(more *wire.Lineage) error { l = more; return nil },
		Dropped: func(err error) { unproven = err },
		Entry:   func(*Entry) error { return errors.New("it has entries") },
	})
	if err = errors.Join(err, unproven); err != nil {
		return nil, fmt.Errorf("%s: %w: remove it, and KEYS tells anew", path, err)
	}
	return l, nil
}
