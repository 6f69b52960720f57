package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What is frozen is known from CONTROL, and kept in a file beside the keystore: whoever
// loses, empties or withholds that stream unfreezes nothing. The file is there from the
// keystore's beginning, so that one that is missing is damage too. Damage ends the start.

// FreezesFile is the file's name in the node's storage.
const FreezesFile = "freezes"

// controlIdle is how often a node that hears nothing of CONTROL asks whether it missed
// anything: it obeys within two seconds.
const controlIdle = time.Second

// ErrFreezesFile says that the node can't know what is frozen.
var ErrFreezesFile = errors.New("this node can't tell what administrators froze")

// beginFreezes makes the file in a storage that has no keystore yet. Where the process has
// a member of another manifest already, it begins with what that one kept: what CONTROL lost
// since stays frozen under all manifests.
func beginFreezes(storage string, m *wire.Manifest, kept []byte) error {
	if holds(storage) {
		return nil
	}
	if kept == nil {
		kept = wire.NewFreezeBook(m).Keep()
	}
	return secret.Create(filepath.Join(storage, FreezesFile), kept)
}

// CheckFreezes opens the file, if there is a keystore or a file, for those who look before
// they start.
func CheckFreezes(storage string, m *wire.Manifest) error {
	if !holds(storage) {
		return nil
	}
	_, err := OpenFreezes(storage, m)
	return err
}

// holds reports whether a storage has a keystore or such a file, or something that can't
// be read.
func holds(storage string) bool {
	for _, name := range []string{keystore.FileName, FreezesFile} {
		if _, err := os.Stat(filepath.Join(storage, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// OpenFreezes reads what a node's storage keeps of freezes. Errors wrap ErrFreezesFile, and
// say what to do.
func OpenFreezes(storage string, m *wire.Manifest) (*wire.FreezeBook, error) {
	path := filepath.Join(storage, FreezesFile)
	kept, err := readKept(path)
	if err == nil {
		var book *wire.FreezeBook
		if book, err = wire.OpenKeptFreezes(m, kept); err == nil {
			return book, nil
		}
	}
	return nil, fmt.Errorf("%w, and signs nothing: %s: %w. Put the file back from a copy, or have CONTROL alone tell: "+
		"frost-worker freezes --config FILE --rebuild (docs/freeze.md)", ErrFreezesFile, path, err)
}

// OpenAllFreezes is OpenFreezes for a manifest's part of a node's storage, with what the
// parts of other manifests have beside it: one of their members may have heard more.
func OpenAllFreezes(storage string, m *wire.Manifest) (*wire.FreezeBook, error) {
	own := StorageOf(storage, m)
	book, err := OpenFreezes(own, m)
	if err != nil {
		return nil, err
	}
	inside, err := os.ReadDir(storage)
	if err != nil {
		return nil, err
	}
	parts := []string{storage}
	for _, entry := range inside {
		parts = append(parts, filepath.Join(storage, entry.Name()))
	}
	for _, part := range parts {
		path := filepath.Join(part, FreezesFile)
		if info, err := os.Stat(path); part == own || err != nil || !info.Mode().IsRegular() {
			continue
		}
		kept, err := readKept(path)
		if err == nil {
			_, err = book.Learn(kept)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFreezesFile, path, err)
		}
	}
	return book, nil
}

// foundingFreezes is what the founding manifest's part of a storage keeps, for a process that
// is configured with a later one and has no such file yet; nil: nothing.
func foundingFreezes(storage string, m *wire.Manifest) ([]byte, error) {
	if !m.Successor() || !holds(storage) {
		return nil, nil
	}
	kept, err := readKept(filepath.Join(storage, FreezesFile))
	if err == nil {
		_, err = wire.OpenKeptFreezes(m, kept)
	}
	return kept, err
}

// RebuildFreezes puts the file of a node that is stopped aside, and makes one with no
// freezes in it: the next start has them from CONTROL, and those that CONTROL lost are
// lifted at this node. It returns where the old file is; "" if there was none.
func RebuildFreezes(storage string, m *wire.Manifest) (aside string, err error) {
	path := filepath.Join(storage, FreezesFile)
	aside = path + ".bad-" + time.Now().UTC().Format("20060102T150405Z")
	if err := os.Rename(path, aside); errors.Is(err, fs.ErrNotExist) {
		aside = ""
	} else if err != nil {
		return "", err
	}
	return aside, secret.Create(path, wire.NewFreezeBook(m).Keep())
}

// readKept reads no more than such a file can have.
func readKept(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, wire.MaxKeptFreezes+1))
}

// replaceKept replaces the file as a whole, durably.
func replaceKept(path string, kept []byte) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(kept)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err == nil {
		err = secret.SyncDir(filepath.Dir(path))
	}
	return err
}

// obedience is what a worker does about freezes, and about another policy, beside its
// machine.
type obedience struct {
	mu      sync.Mutex
	leaving map[*departure]struct{}

	keeping sync.Mutex
	unkept  atomic.Bool // the file is to be written
	failed  atomic.Pointer[error]
}

// departure is a message that is on its way out.
type departure struct {
	protocol.Publish
	stop func(why error)
}

var (
	errFrozen      = errors.New("an administrator froze what it is for")
	errOtherPolicy = errors.New("another policy is in force since it was made")
)

// followControl reads what administrators said, to its present end, and then on.
func (m *member) followControl(ctx context.Context) error {
	m.run.With(func(n *node) {
		for _, f := range n.Freezes() {
			m.log.Warn("frozen since before the start", "id", wire.ShortFreezeID(f.ID), "what", f.Target(), "by", f.By,
				"reason", f.Reason)
		}
	})
	return m.run.Follow(ctx, bus.Control, 1, bus.FollowOptions{Idle: controlIdle})
}

// unlessStopped ends ctx when what a message is for is frozen, or when another policy than
// that of the message is in force. It returns why it is so by now, nil if it is not.
func (m *member) unlessStopped(ctx context.Context, e protocol.Publish) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	d := &departure{e, cancel}
	o := &m.obedience
	o.mu.Lock()
	if o.leaving == nil {
		o.leaving = map[*departure]struct{}{}
	}
	o.leaving[d] = struct{}{}
	o.mu.Unlock()
	gone := func() {
		o.mu.Lock()
		delete(o.leaving, d)
		o.mu.Unlock()
		cancel(nil)
	}
	return ctx, gone, m.stopped(e) // after it is among those that are stopped
}

// stopped returns why a message must not leave any more, nil if it may.
func (m *member) stopped(e protocol.Publish) error {
	switch {
	case e.FrozenBy(m.node.Frozen()) != nil:
		return errFrozen
	case e.Policy != [32]byte{} && e.Policy != m.host.PolicyHash():
		return errOtherPolicy
	}
	return nil
}

// stopDepartures stops what is on its way and must not leave any more.
func (m *member) stopDepartures() {
	o := &m.obedience
	o.mu.Lock()
	defer o.mu.Unlock()
	for d := range o.leaving {
		if err := m.stopped(d.Publish); err != nil {
			d.stop(err)
		}
	}
}

// freezesChanged stops what is on its way for whom is frozen now, and has the file written.
func (m *member) freezesChanged() {
	m.stopDepartures()
	m.obedience.unkept.Store(true)
	m.run.Go(m.keepFreezes)
}

// keepFreezes writes the file, if it is to be written. Until it can, the log has what is
// missing in it.
func (m *member) keepFreezes() {
	o := &m.obedience
	if !o.keeping.TryLock() {
		return // who writes looks again, or the next tick does
	}
	defer o.keeping.Unlock()
	for o.unkept.Swap(false) {
		var kept []byte
		m.run.With(func(n *node) { kept = n.KeptFreezes() })
		if err := replaceKept(filepath.Join(m.cfg.Storage, FreezesFile), kept); err != nil {
			if o.failed.Swap(&err) == nil {
				m.log.Error("freezes not kept on disk; they are obeyed all the same, and the write is repeated", "err", err)
			}
			o.unkept.Store(true)
			return
		}
		o.failed.Store(nil)
	}
}

// unkeptFreezes returns why the file is not as it should be; nil if it is.
func (m *member) unkeptFreezes() error {
	if err := m.obedience.failed.Load(); err != nil {
		return fmt.Errorf("freezes are not kept on disk: %w", *err)
	}
	return nil
}

// Frozen is what this node knows to be frozen.
func (m *member) Frozen() *wire.Frozen { return m.node.Frozen() }
