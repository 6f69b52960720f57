package register

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
