package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// OpenStore opens the keystore of a node that is stopped, for those who read it: nothing is
// made where there is none. The device must be the manifest's.
func OpenStore(ctx context.Context, p keyprovider.Provider, m *wire.Manifest, index int, storage string) (
	*keystore.Store, error) {
	path := filepath.Join(storage, keystore.FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there: this node holds nothing until it has run and read KEYS", path)
	}
	if err := CheckCard(ctx, p, m, index); err != nil {
		return nil, err
	}
	derived, err := derive(ctx, p, purposeSeal, m.Fleet, m.Epoch)
	if err != nil {
		return nil, err
	}
	defer derived.Wipe()
	seal := sealKey(derived, m)
	defer clear(seal[:])
	return keystore.Open(storage, &seal)
}

// OpenAudit opens the audit log of a node.
func OpenAudit(path string, index int, m *wire.Manifest, log *slog.Logger) (*audit.Writer, error) {
	return audit.Open(audit.Config{
		Dir: path, By: fmt.Sprintf("worker-%d", index), Role: "worker", Manifest: hashText(m.Hash()), Log: log,
	})
}
