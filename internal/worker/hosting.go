package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A process has a member of every manifest after its own that the node's operator approved,
// or that enough others did, and that has a node with the keys of this device. Members come
// and go while the process runs. One that can't run is tried again, and keeps nobody else
// from working.

// lookEvery is how often a process looks which members it should have.
const lookEvery = time.Second

// hosting is which members of later manifests a process has.
type hosting struct {
	mu     sync.Mutex
	guests []*guest
	places map[[32]byte]int // the device's node in a manifest that was looked at; -1: none
	looked bool             // once, since the process started
	nonces [3]uint64        // NonceCounts of members that are gone
}

// guest is a member of a later manifest, which runs or is to run.
type guest struct {
	manifest *wire.Manifest
	index    int
	end      context.CancelFunc
	ended    chan struct{}

	member *member               // while it runs; guarded by hosting
	why    atomic.Pointer[error] // it does not
}

// all are the members that there are, that of the configured manifest first.
func (w *Worker) all() []*member {
	w.hosting.mu.Lock()
	defer w.hosting.mu.Unlock()
	var all []*member
	if w.member != nil { // it is not being made
		all = append(all, w.member)
	}
	for _, g := range w.hosting.guests {
		if g.member != nil {
			all = append(all, g.member)
		}
	}
	return all
}

// hostAll keeps the members of later manifests as they should be, until ctx ends. It begins
// once the configured one's knows which manifests follow.
func (w *Worker) hostAll(ctx context.Context) {
	defer w.endGuests(func(*guest) bool { return true })
	select {
	case <-w.learnt:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look has members begin and end.
func (w *Worker) look(ctx context.Context) {
	wanted := map[[32]byte]*wire.Manifest{}
	for _, m := range w.all() {
		m.lookAtSuccessor()
		for _, next := range m.after() {
			if gone, _ := keystore.Retired(StorageOf(w.cfg.Storage, next)); gone == nil {
				wanted[next.Hash()] = next
			}
		}
	}
	delete(wanted, w.cfg.Manifest.Hash())
	w.endGuests(func(g *guest) bool { return wanted[g.manifest.Hash()] == nil })
	for hash, next := range wanted {
		if !w.hosts(hash) && w.Fork() == nil {
			w.invite(ctx, next)
		}
	}
	w.hosting.mu.Lock()
	w.hosting.looked = true
	w.hosting.mu.Unlock()
}

func (w *Worker) hosts(hash [32]byte) bool {
	w.hosting.mu.Lock()
	defer w.hosting.mu.Unlock()
	for _, g := range w.hosting.guests {
		if g.manifest.Hash() == hash {
			return true
		}
	}
	return false
}

// invite begins the member of a manifest that has this device.
func (w *Worker) invite(ctx context.Context, next *wire.Manifest) {
	hash := next.Hash()
	w.hosting.mu.Lock()
	index, known := w.hosting.places[hash]
	w.hosting.mu.Unlock()
	if !known {
		asking, cancel := context.WithTimeout(ctx, openTime)
		defer cancel()
		var err error
		if index, err = Place(asking, w.cfg.Provider, next); err != nil {
			w.log.Warn("not known yet whether this device has a node in a later manifest", "manifest", shortHash(hash), "err", err)
			return
		}
		w.hosting.mu.Lock()
		if w.hosting.places == nil {
			w.hosting.places = map[[32]byte]int{}
		}
		w.hosting.places[hash] = index
		w.hosting.mu.Unlock()
		if index < 0 {
			w.log.Warn("this device has no node in a later manifest: its keys go to other nodes", "manifest", shortHash(hash),
				"epoch", next.Epoch)
		}
	}
	if index < 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	g := &guest{manifest: next, index: index, end: cancel, ended: make(chan struct{})}
	g.waits(errors.New("starting"))
	w.hosting.mu.Lock()
	w.hosting.guests = append(w.hosting.guests, g)
	w.hosting.mu.Unlock()
	w.log.Info("this device has a node in a later manifest, which runs in this process", "manifest", shortHash(hash),
		"epoch", next.Epoch, "index", index)
	go w.serveGuest(ctx, g)
}

func (g *guest) waits(err error) { g.why.Store(&err) }

// endGuests ends some members, and returns once they have ended.
func (w *Worker) endGuests(which func(*guest) bool) {
	w.hosting.mu.Lock()
	var ending, staying []*guest
	for _, g := range w.hosting.guests {
		if which(g) {
			ending = append(ending, g)
		} else {
			staying = append(staying, g)
		}
	}
	w.hosting.mu.Unlock()
	for _, g := range ending {
		g.end()
		<-g.ended
	}
	w.hosting.mu.Lock()
	w.hosting.guests = staying
	w.hosting.mu.Unlock()
}

// The pause between two attempts to run a member, doubling.
const (
	firstAgain = time.Second
	lastAgain  = 30 * time.Second
)

// serveGuest runs a member until ctx ends, however often that takes.
func (w *Worker) serveGuest(ctx context.Context, g *guest) {
	defer close(g.ended)
	for pause := (backoff.Backoff{Min: firstAgain, Max: lastAgain}); ; {
		err := w.runGuest(ctx, g)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it ended")
		}
		g.waits(err)
		w.log.Error("the member of a later manifest does not run; it is tried again", "manifest", shortHash(g.manifest.Hash()), "err", err)
		if pause.Wait(ctx) != nil {
			return
		}
	}
}

// runGuest runs a member once.
func (w *Worker) runGuest(ctx context.Context, g *guest) error {
	m := newMember(w, g.manifest, g.index)
	if err := w.openGuest(ctx, m); err != nil {
		return err
	}
	w.hosting.mu.Lock()
	g.member = m
	w.hosting.mu.Unlock()
	// What changed while it was being built:
	m.run.Step(protocol.AccessChanged{Access: w.access.Load()})
	if r := w.rules.Load(); r != nil {
		m.run.Step(protocol.PolicyChanged{Policy: r.inForce})
	}
	err := m.runMember(ctx)
	drawn, used, dropped := m.nonceCounts()
	w.hosting.mu.Lock()
	g.member = nil
	w.hosting.nonces[0] += drawn
	w.hosting.nonces[1] += used
	w.hosting.nonces[2] += dropped
	w.hosting.mu.Unlock()
	m.leave()
	m.stop()
	return errors.Join(err, m.store.Close())
}

// openGuest opens a member's storage, and builds what runs on it.
func (w *Worker) openGuest(ctx context.Context, m *member) error {
	opening, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	var kept []byte
	w.run.With(func(n *node) { kept = n.KeptFreezes() })
	if err := m.open(opening, kept); err != nil {
		return err
	}
	m.heard = kept
	var err error
	if w.ledger != nil {
		var noted uint64
		if noted, _, err = w.store.Ledger(); err == nil {
			err = m.store.NoteLedger(noted)
		}
	}
	if err == nil {
		err = m.begin()
	}
	if err != nil {
		m.stop()
		return errors.Join(err, m.store.Close())
	}
	return nil
}

// Place is a device's node in a manifest; -1: it has none.
func Place(ctx context.Context, p keyprovider.Provider, m *wire.Manifest) (int, error) {
	card, err := Card(ctx, p, m.Fleet, m.Epoch, 0)
	if err != nil {
		return 0, err
	}
	for i, node := range m.Nodes {
		if bytes.Equal(node.Identity, card.Identity) && bytes.Equal(node.Encryption, card.Encryption) {
			return i, nil
		}
	}
	return -1, nil
}

// guestsReady returns what keeps a member of a later manifest from working; nil if nothing
// does.
func (w *Worker) guestsReady() error {
	w.hosting.mu.Lock()
	defer w.hosting.mu.Unlock()
	if !w.hosting.looked {
		return errors.New("still looking which manifests follow")
	}
	for _, g := range w.hosting.guests {
		var err error
		if g.member != nil {
			err = g.member.Ready()
		} else {
			err = *g.why.Load()
		}
		if err != nil {
			hash := g.manifest.Hash()
			return fmt.Errorf("node %d of manifest %s: %w", g.index, shortHash(hash), err)
		}
	}
	return nil
}
