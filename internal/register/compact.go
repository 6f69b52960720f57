package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Compacting makes KEYS anew with nothing but its entries, manifests and successions. It goes from
// step to step, and each step is on the disk before the next one begins:
//
//  1. all entries are exported to a file, which is synced, read again and compared;
//  2. what KEYS was (its configuration, its identity, its manifests and successions) is noted and synced;
//  3. KEYS is deleted, if it is still the one that was exported and nothing was written
//     to it since;
//  4. it is made with the configuration that it had, and the file is imported;
//  5. it is read, and must have all that the file has. Then the note is removed.
//
// It may end anywhere and be begun again with the same folder: from step 2 on the file
// is the register, and what stands in KEYS is not exported once more.

// Names in a compaction's folder.
const (
	CompactFile = "keys.register"
	noteFile    = "compacting.json"
)

// note is what is known of KEYS before it is deleted.
type note struct {
	Version     int      `json:"version"`
	Fleet       string   `json:"fleet"`
	StreamID    string   `json:"stream_id"`
	LastSeq     uint64   `json:"last_seq"`
	Config      []byte   `json:"config"`
	Manifests   [][]byte `json:"manifests"`
	Successions [][]byte `json:"successions"` // since version 2
	Entries     Summary  `json:"entries"`
}

const noteVersion = 2

// Compaction is one, in a folder.
type Compaction struct {
	Dir     string
	Bus     *bus.Bus
	Lineage *wire.Lineage     // as KEYS has it; of an earlier run the file knows more
	Foreign bool              // also leave out heads of other manifests or formats
	Tell    func(step string) // before each
	Entry   func(*Entry)      // for progress
	step    func(string) error
}

// ErrInUse says that programs of the fleet run.
var ErrInUse = errors.New("programs of the fleet run")

// ErrForeign says that KEYS has what this program can't judge: with another manifest, or
// by a later program, it may be an entry.
var ErrForeign = errors.New("heads of another manifest, or of a format that this program does not read")

// Run compacts, or goes on where an earlier run ended. The fleet's programs must be
// stopped, which it checks: each Asker asks the nodes of its manifest.
func (c *Compaction) Run(ctx context.Context, askers ...*Asker) (sum Summary, err error) {
	if err := InUse(ctx, c.Bus, askers...); err != nil {
		return sum, err
	}
	n, err := c.noted()
	if err == nil && n == nil {
		if err = c.export(ctx); err == nil {
			n, err = c.note(ctx)
		}
	}
	if err != nil {
		return sum, err
	}
	if err := InUse(ctx, c.Bus, askers...); err != nil { // the export may have taken long
		return sum, err
	}
	for _, step := range []func(context.Context, *note) error{c.delete, c.create, c.restore, c.check} {
		if err := step(ctx, n); err != nil {
			return sum, err
		}
	}
	return n.Entries, errors.Join(os.Remove(filepath.Join(c.Dir, noteFile)), secret.SyncDir(c.Dir))
}

func (c *Compaction) tell(step string) error {
	c.Tell(step)
	if c.step != nil {
		return c.step(step)
	}
	return nil
}

func (c *Compaction) path() string { return filepath.Join(c.Dir, CompactFile) }

// export writes the file. It has its name only once it is whole and on the disk.
func (c *Compaction) export(ctx context.Context) error {
	if _, err := os.Stat(c.path()); err == nil {
		return nil // of a run that ended before the note: it is compared with KEYS
	}
	if err := c.tell("export"); err != nil {
		return err
	}
	part := c.path() + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	w, err := NewWriter(file, c.Lineage)
	if err != nil {
		return err
	}
	sum, gaps, err := read(ctx, c.Bus, c.Lineage, func(e *Entry) error { c.Entry(e); return w.Write(e) })
	if err = errors.Join(err, w.Close(), file.Sync()); err != nil {
		return err
	}
	if err := c.foreign(sum); err != nil {
		return err
	}
	if err := c.damaged(ctx, gaps); err != nil {
		return err
	}
	if sum.Partial > 0 {
		return fmt.Errorf("%d entries of KEYS lack deals: run frostctl register refill on the running fleet first",
			sum.Partial)
	}
	return errors.Join(os.Rename(part, c.path()), secret.SyncDir(c.Dir))
}

// damaged fails if a copy of KEYS that did not answer may have what was not read. Where
// none can, compacting is how to be rid of the gap.
func (c *Compaction) damaged(ctx context.Context, gaps []bus.Gap) error {
	var d Damage
	if d.add(gaps); d.Unread == 0 {
		return nil
	}
	if gone, err := c.Bus.AtNoCopy(ctx, gaps); gone || err != nil {
		return err
	}
	state, err := c.Bus.KeysState(ctx)
	if err == nil {
		err = fmt.Errorf("KEYS is damaged: %d messages were not read, of sequences %s. Nothing is deleted, as another "+
			"copy may have them: %s", d.Unread, d.Sequences, state.Mend)
	}
	return err
}

// foreign fails if compacting would delete what may be entries all the same.
func (c *Compaction) foreign(sum Summary) error {
	if sum.Foreign == 0 || c.Foreign {
		return nil
	}
	return fmt.Errorf("KEYS has %d %w: nothing is deleted. Is this the fleet's manifest, and the fleet's version of "+
		"the program? If they are junk, repeat with --drop-foreign", sum.Foreign, ErrForeign)
}

// read hands the file's entries to f, and fails unless all of it verifies. What it knows of
// manifests is known from then on.
func (c *Compaction) read(f func(*Entry) error) (Summary, error) {
	file, err := os.Open(c.path())
	if err != nil {
		return Summary{}, err
	}
	defer func() { _ = file.Close() }()
	var bad error
	sum, err := ReadFile(io.Reader(file), c.Lineage, Reading{
		Lineage: func(l *wire.Lineage) error { c.Lineage = l; return nil },
		Entry:   f,
		Dropped: func(err error) { bad = errors.Join(bad, err) },
	})
	if err = errors.Join(err, bad); err == nil && sum.Partial > 0 {
		err = fmt.Errorf("%d entries lack deals", sum.Partial)
	}
	if err != nil {
		return sum, fmt.Errorf("%s: %w", c.path(), err)
	}
	return sum, nil
}

// note reads the file again, compares it with KEYS, and notes what KEYS is.
func (c *Compaction) note(ctx context.Context) (*note, error) {
	if err := c.tell("verify the export"); err != nil {
		return nil, err
	}
	n := &note{Version: noteVersion, Fleet: c.Lineage.Pinned().Fleet}
	var err error
	if n.StreamID, err = c.Bus.StreamID(ctx, bus.Keys); err != nil {
		return nil, err
	}
	if n.LastSeq, err = c.Bus.LastSeq(ctx, bus.Keys); err != nil {
		return nil, err
	}
	if n.Config, err = c.Bus.Config(ctx, bus.Keys); err != nil {
		return nil, err
	}
	if err = c.noteManifests(ctx, n); err != nil {
		return nil, err
	}
	if n.Entries, err = c.compare(ctx, false); err != nil {
		return nil, err
	}
	data, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	part := filepath.Join(c.Dir, noteFile+".part")
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	return n, errors.Join(os.Rename(part, filepath.Join(c.Dir, noteFile)), secret.SyncDir(c.Dir))
}

// compare fails unless KEYS has the file's entries, and no others unless it may: the
// fleet may have run since a compaction ended halfway, and made some.
func (c *Compaction) compare(ctx context.Context, more bool) (Summary, error) {
	var inFile, inKeys, others board.Holdings
	sum, err := c.read(func(e *Entry) error { inFile.Add(wire.NewHolding(e.ID, e.Transcript)); return nil })
	if err != nil {
		return sum, err
	}
	there, err := Read(ctx, c.Bus, c.Lineage, func(e *Entry) error {
		one := wire.NewHolding(e.ID, e.Transcript)
		if inFile.Has(one) {
			inKeys.Add(one)
		} else {
			others.Add(one)
		}
		return nil
	})
	if err == nil && !more {
		err = c.foreign(there)
	}
	if err != nil {
		return sum, err
	}
	if inFile.Root() != inKeys.Root() || others.Len() > 0 && !more {
		return sum, fmt.Errorf("%s has %d entries, of which KEYS has %d, and KEYS has %d others: if the file is of an "+
			"earlier compaction, give another folder", c.path(), inFile.Len(), inKeys.Len(), others.Len())
	}
	return sum, nil
}

// maxNoted bounds the manifests that are noted, and the successions.
const maxNoted = 1 << 13

// noteManifests notes the fleet's manifests, also those that nodes may still come to approve,
// and what proves that one follows another: of those that nobody goes by, too, if two follow
// one.
func (c *Compaction) noteManifests(ctx context.Context, n *note) error {
	seen := map[[32]byte]bool{}
	err := each(ctx, c.Bus, wire.Manifests, func(data []byte) bool {
		m, err := wire.ParseManifest(data)
		if err == nil && m.FleetID() == c.Lineage.Pinned().FleetID() && !seen[m.Hash()] {
			seen[m.Hash()] = true
			n.Manifests = append(n.Manifests, data)
		}
		return len(n.Manifests) < maxNoted
	})
	if err != nil {
		return err
	}
	clear(seen)
	return each(ctx, c.Bus, wire.Successions, func(data []byte) bool {
		if _, next, err := openSuccession(c.Lineage, data); err == nil && !seen[next.Hash()] {
			seen[next.Hash()] = true
			n.Successions = append(n.Successions, data)
		}
		return len(n.Successions) < maxNoted
	})
}

// noted is the note of an earlier run, nil if there is none.
func (c *Compaction) noted() (*note, error) {
	data, err := os.ReadFile(filepath.Join(c.Dir, noteFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var n note
	if err == nil {
		err = json.Unmarshal(data, &n)
	}
	if err == nil && (n.Version < 1 || n.Version > noteVersion || n.Fleet != c.Lineage.Pinned().Fleet) {
		err = fmt.Errorf("a compaction of fleet %q, format %d", n.Fleet, n.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(c.Dir, noteFile), err)
	}
	if _, err := c.read(func(*Entry) error { return nil }); err != nil {
		return nil, fmt.Errorf("the file that KEYS is to be made of: %w", err)
	}
	return &n, nil
}

// delete deletes the KEYS that was exported, and no other.
func (c *Compaction) delete(ctx context.Context, n *note) error {
	there, err := c.Bus.Exists(ctx, bus.Keys)
	if err != nil || !there {
		return err
	}
	id, err := c.Bus.StreamID(ctx, bus.Keys)
	if err != nil || id != n.StreamID { // it was made anew already
		return err
	}
	last, err := c.Bus.LastSeq(ctx, bus.Keys)
	if err != nil {
		return err
	}
	if last != n.LastSeq {
		return fmt.Errorf("KEYS was written to since it was exported (%d, then %d): stop all programs, remove %s and "+
			"begin again", n.LastSeq, last, c.Dir)
	}
	if err := c.tell("delete KEYS"); err != nil {
		return err
	}
	return c.Bus.Delete(ctx, bus.Keys)
}

func (c *Compaction) create(ctx context.Context, n *note) error {
	if err := c.tell("create KEYS"); err != nil {
		return err
	}
	if err := c.Bus.Create(ctx, bus.Keys, n.Config); err != nil {
		return err
	}
	for _, data := range n.Manifests {
		m, err := wire.ParseManifest(data)
		if err == nil {
			err = storeManifest(ctx, c.Bus, m, data)
		}
		if err != nil {
			return err
		}
	}
	for _, data := range n.Successions {
		if err := StoreSuccession(ctx, c.Bus, c.Lineage, data); err != nil {
			return err
		}
	}
	return StoreLineage(ctx, c.Bus, c.Lineage)
}

func (c *Compaction) restore(ctx context.Context, _ *note) error {
	if err := c.tell("import"); err != nil {
		return err
	}
	_, err := c.read(func(e *Entry) error { c.Entry(e); return Store(ctx, c.Bus, c.Lineage, e, nil) })
	return err
}

func (c *Compaction) check(ctx context.Context, _ *note) error {
	if err := c.tell("verify KEYS"); err != nil {
		return err
	}
	_, err := c.compare(ctx, true)
	return err
}

// listenTime is longer than a program that runs is silent.
var listenTime = 3 * time.Second

// InUse fails with ErrInUse if a node answers that an Asker asks, or if a node or a gateway
// publishes heartbeats. Nothing vouches for that: whoever can speak on the bus can hold it up.
func InUse(ctx context.Context, b *bus.Bus, askers ...*Asker) error {
	before, err := heartbeats(ctx, b)
	if err != nil {
		return err
	}
	for _, a := range askers {
		for _, n := range AskAll(ctx, a) {
			if n.Error == "" {
				return fmt.Errorf("%w: node %d answers; stop all workers and gateways first", ErrInUse, n.Node)
			}
		}
	}
	select {
	case <-time.After(listenTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := heartbeats(ctx, b)
	if err != nil {
		return err
	}
	for subject, seq := range after {
		if seq != before[subject] {
			return fmt.Errorf("%w: something publishes %s; stop all workers and gateways first", ErrInUse, subject)
		}
	}
	return nil
}

func heartbeats(ctx context.Context, b *bus.Bus) (map[string]uint64, error) {
	all := map[string]uint64{}
	there, err := b.Exists(ctx, bus.Presence)
	if err != nil || !there {
		return all, err
	}
	messages, err := b.Slots(ctx, bus.Presence, "presence.>")
	for _, m := range messages {
		all[m.Subject] = m.Seq
	}
	return all, err
}
