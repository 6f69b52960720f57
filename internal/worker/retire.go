package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A generation is wiped at one node once nobody needs it there: every key that KEYS has is
// under a later manifest, and enough nodes of that one say that they hold all of its keys.

// Errors of a storage that may not be wiped.
var (
	ErrNeeded   = errors.New("the shares are still needed")
	ErrNobody   = errors.New("no manifest follows it that enough nodes approved")
	ErrNoHolder = errors.New("too few nodes of the later manifest hold its keys")
)

// Retirement is what was found before a storage is wiped.
type Retirement struct {
	Manifest *wire.Manifest
	Next     *wire.Manifest // the newest
	Storage  string
	Stored   int       // generations of batches in the storage
	Lost     int       // batches there that never came to be an entry, and so have no keys
	Left     []string  // batches whose newest generation in KEYS is not a later manifest's
	Due      []string  // batches that all nodes certified, and that no gateway has written to KEYS yet
	Holders  []Holders // by manifest that has keys
}

// Holders are how many nodes of a manifest hold all of its keys.
type Holders struct {
	Manifest *wire.Manifest
	Batches  int
	Nodes    []int // by their last heartbeats, or by the storage beside the one that is wiped
}

// Refused is why the storage may not be wiped; nil if it may.
func (r *Retirement) Refused() error {
	if len(r.Left) > 0 {
		return fmt.Errorf("%w: %d batches have no whole entry of a later generation in KEYS: %s: let frostctl fleet reshare "+
			"end first", ErrNeeded, len(r.Left), some(r.Left))
	}
	if len(r.Due) > 0 {
		return fmt.Errorf("%w: all nodes certified %d batches that KEYS does not have: %s: a gateway that runs writes them, and "+
			"then they have to move", ErrNeeded, len(r.Due), some(r.Due))
	}
	for _, h := range r.Holders {
		if len(h.Nodes) < h.Manifest.T {
			return fmt.Errorf("%w: of manifest %s, nodes %v are present with all %d batches, and it takes %d: start the others, "+
				"and look at frostctl fleet reshare --status", ErrNoHolder, shortHash(h.Manifest.Hash()), h.Nodes, h.Batches, h.Manifest.T)
		}
	}
	return nil
}

// maxNamed is how many batches are named that are left.
const maxNamed = 5

func some(batches []string) string {
	if len(batches) > maxNamed {
		return fmt.Sprintf("%v, ...", batches[:maxNamed])
	}
	return fmt.Sprint(batches)
}

// surveyor is what a survey has read.
type surveyor struct {
	bus      *bus.Bus
	access   *wire.Access
	storage  string                     // of the node
	identity []byte                     // the device's
	newest   map[string]*wire.Entry     // by batch
	entries  map[[32]byte][]*wire.Entry // by manifest
}

// Survey looks whether what a node's storage keeps of a manifest is still needed anywhere.
// The worker must not run. L is what KEYS has of manifests, and identity the device's key.
func Survey(
	ctx context.Context, b *bus.Bus, l *wire.Lineage, access *wire.Access, storage string, identity []byte, m *wire.Manifest,
) (*Retirement, error) {
	if fork := l.Fork(); fork != nil {
		return nil, fork
	}
	r := &Retirement{Manifest: m, Next: l.Newest(), Storage: StorageOf(storage, m)}
	if r.Next.Epoch <= m.Epoch {
		return nil, fmt.Errorf("%w: %s", ErrNobody, shortHash(m.Hash()))
	}
	kept, err := copies(r.Storage) // which fails while the worker runs
	if err != nil {
		return nil, err
	}
	s := &surveyor{
		bus: b, access: access, storage: storage, identity: identity, newest: map[string]*wire.Entry{},
		entries: map[[32]byte][]*wire.Entry{},
	}
	if err := s.read(ctx, l); err != nil {
		return nil, err
	}
	early := map[[32]byte]bool{m.Hash(): true} // manifests that are no later than this one
	for _, before := range l.Before(m) {
		early[before.Hash()] = true
	}
	homes := map[[32]byte]bool{r.Next.Hash(): true}
	for id, e := range s.newest {
		if homes[e.Manifest] = true; early[e.Manifest] {
			r.Left = append(r.Left, id)
		}
	}
	if err := s.due(ctx, r, r.count(kept, s.newest)); err != nil {
		return nil, err
	}
	for _, later := range l.Chain() {
		if hash := later.Hash(); homes[hash] && !early[hash] {
			h, err := s.holders(ctx, later)
			if err != nil {
				return nil, err
			}
			r.Holders = append(r.Holders, h)
		}
	}
	return r, nil
}

// read reads KEYS.
func (s *surveyor) read(ctx context.Context, l *wire.Lineage) error {
	sum, err := register.Read(ctx, s.bus, l, func(e *register.Entry) error {
		s.entries[e.Manifest] = append(s.entries[e.Manifest], e.Entry)
		if was := s.newest[e.ID]; was == nil || was.Generation < e.Generation {
			s.newest[e.ID] = e.Entry
		}
		return nil
	})
	if err == nil && sum.Damage.Unread > 0 {
		err = fmt.Errorf("%w: KEYS lacks messages (%s), and nobody knows of what", ErrNeeded, sum.Damage.Sequences)
	}
	return err
}

// count goes through the storage that is to be wiped. What KEYS has was counted: of the
// rest, what is complete was an entry once, and has keys; what is not is returned.
func (r *Retirement) count(kept []stored, newest map[string]*wire.Entry) (unfinished []string) {
	r.Stored = len(kept)
	complete := map[string]bool{}
	for _, c := range kept {
		if newest[c.Batch] == nil {
			complete[c.Batch] = complete[c.Batch] || c.complete
		}
	}
	for batch, was := range complete {
		if was {
			r.Left = append(r.Left, batch)
		} else {
			unfinished = append(unfinished, batch)
		}
	}
	slices.Sort(r.Left)
	slices.Sort(unfinished)
	return unfinished
}

// due tells apart the batches that this node certified and that are not in KEYS: those that all
// nodes have certified come to be keys as soon as a gateway writes them.
func (s *surveyor) due(ctx context.Context, r *Retirement, unfinished []string) error {
	if err := s.bus.Grow(r.Manifest.N); err != nil {
		return err
	}
	for _, batch := range unfinished {
		certified := 0
		for i := range r.Manifest.Nodes {
			slot := wire.Slot{Kind: wire.SlotCert, ID: batch, Node: i}
			_, there, err := s.bus.Last(ctx, bus.RoundsOf(i), slot.String())
			if err != nil {
				return err
			}
			if there {
				certified++
			}
		}
		if certified == r.Manifest.N {
			r.Due = append(r.Due, batch)
		}
	}
	r.Lost = len(unfinished) - len(r.Due)
	return nil
}

// stored is a generation of a batch in a node's storage.
type stored struct {
	keystore.Ref
	complete bool
}

// copies lists a storage; nothing, if there is none.
func copies(storage string) (all []stored, err error) {
	if _, err := os.Stat(filepath.Join(storage, keystore.FileName)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	err = keystore.Copies(storage, func(c *keystore.Copy) error {
		all = append(all, stored{c.Ref, c.Certificates != nil})
		return nil
	})
	return all, err
}

// lookFor is for how long nodes are looked for that hold all keys: a heartbeat comes every
// second.
const lookFor = 15 * time.Second

// holders looks which nodes of a manifest hold all keys that are under it.
func (s *surveyor) holders(ctx context.Context, later *wire.Manifest) (Holders, error) {
	h := Holders{Manifest: later}
	all, current := new(board.Holdings), new(board.Holdings)
	for _, e := range s.entries[later.Hash()] {
		holding := wire.NewHolding(e.ID, e.Transcript)
		all.Add(holding)
		if s.newest[e.ID] == e { // a node may have passed over what came before
			current.Add(holding)
		}
	}
	h.Batches = current.Len()
	own, err := s.ownNode(later)
	if err != nil {
		return h, err
	}
	if own >= 0 && s.access.RevokesNode(later, own) {
		own = -1 // what it holds signs nothing
	}
	opener := wire.NewOpener(later, s.access)
	for end := clock.Now().Add(lookFor); ; {
		h.Nodes = nil
		for i := range later.Nodes {
			beat, err := s.heard(ctx, opener, later, i)
			if err != nil {
				return h, err
			}
			if i == own || beat != nil && (beat.Holdings == all.Root() || beat.Holdings == current.Root()) {
				h.Nodes = append(h.Nodes, i)
			}
		}
		if len(h.Nodes) >= later.T || clock.Now().After(end) {
			return h, nil
		}
		if err := backoff.Sleep(ctx, time.Second); err != nil {
			return h, err
		}
	}
}

// heard is a node's last heartbeat, if it is of now and not its last word.
func (s *surveyor) heard(ctx context.Context, o *wire.Opener, m *wire.Manifest, node int) (*wire.Heartbeat, error) {
	msg, ok, err := s.bus.Last(ctx, bus.Presence, m.NodePresence(node))
	if err != nil || !ok {
		return nil, err
	}
	o.SetTime(clock.Now())
	_, beat, err := o.Heartbeat(machine.LogMessage(msg))
	if err != nil || beat.Leaving || clock.Now().Sub(msg.Time) > lookFor {
		return nil, nil // junk, or of nobody who is there
	}
	return beat, nil
}

// ownNode is this device's node in a later manifest, if the storage beside the one that is
// wiped has all of its keys: its process is stopped now, and is not heard. -1: it has none.
func (s *surveyor) ownNode(later *wire.Manifest) (int, error) {
	own := slices.IndexFunc(later.Nodes, func(c wire.NodeCard) bool { return bytes.Equal(c.Identity, s.identity) })
	kept, err := copies(StorageOf(s.storage, later))
	if err != nil || own < 0 {
		return -1, err
	}
	has := map[keystore.Ref]bool{}
	for _, c := range kept {
		has[c.Ref] = c.complete
	}
	for _, e := range s.entries[later.Hash()] {
		if s.newest[e.ID] == e && !has[keystore.Ref{Batch: e.ID, Generation: e.Generation}] {
			return -1, nil
		}
	}
	return own, nil
}
