package protocol

import (
	"errors"
	"maps"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// directory finds keys: it reads the register, and computes what aggregation needs of
// every batch in it.
type directory struct {
	register  *board.Register
	out       *outbox
	manifest  *wire.Manifest
	finished  map[string]*finishedBatch
	computing map[string]bool // entries on their way into finished
	keys      int             // in finished
	comparison
	catchUp
}

// comparison is what the register has, and what it lacks.
type comparison struct {
	held      board.Holdings // whole entries
	reconcile *reconciler
}

// catchUp is how far the directory is with what KEYS had at the start, and later.
type catchUp struct {
	end        keysEnd
	complete   bool            // all of it is in finished
	pending    map[string]bool // batches that are missing for that, once KEYS was read
	fetchFirst map[string]bool // batches looked up before their turn
}

// finishedBatch is what the directory knows of a batch: public parts only.
type finishedBatch struct {
	id         string
	header     wire.BatchHeader
	transcript [32]byte
	certs      [][]byte
	public     *frost.Public
}

// newDirectory returns an empty directory. writing tells the transcripts of the entries
// that this gateway is writing: they come into the directory by themselves.
func newDirectory(
	m *wire.Manifest, out *outbox, writing func(id string) (transcript [32]byte, ok bool),
) *directory {
	d := &directory{
		out: out, manifest: m, finished: map[string]*finishedBatch{}, computing: map[string]bool{}, catchUp: catchUp{fetchFirst: map[string]bool{}},
	}
	d.register = board.NewRegister(maxBoardBytes, func(ref wire.BatchRef) (transcript [32]byte, ok bool) {
		if f := d.finished[ref.ID]; f != nil {
			return f.transcript, true
		}
		return writing(ref.ID)
	})
	d.reconcile = newReconciler(m, d, out)
	return d
}

// onKeys takes a message of KEYS.
func (d *directory) onKeys(msg readMessage) {
	entry, err := d.register.Put(msg.read)
	switch {
	case err != nil:
		report := badEntry(msg, err)
		if report.What == ReportConflict {
			d.drop(report.ID)
		}
		d.out.do(report)
	case entry != nil && entry.Whole():
		d.hold(entry.ID, entry.Transcript)
		d.summarize(entry)
	}
}

// drop takes a batch out of the directory: nobody knows which its keys are.
func (d *directory) drop(id string) {
	if f := d.finished[id]; f != nil {
		d.keys -= int(f.header.K)
		delete(d.finished, id)
	}
}

// summarize has what aggregation needs computed from an entry's deals.
func (d *directory) summarize(e *board.Entry) {
	if d.computing[e.ID] {
		return
	}
	d.computing[e.ID] = true
	m, entry, raw := d.manifest, e.Entry, e.Raw()
	d.out.do(Compute{Urgent: d.fetchFirst[e.ID], Name: "check deals", Run: func() Event {
		public, err := sumUp(m, entry.Header, raw)
		if err == nil && wire.KeyRoot(wire.EntryKeys(public.PublicKeys, entry.Header.Client, entry.Transcript)) != entry.Root {
			err = errOtherKeys
		}
		return summarized{err: err, batch: &finishedBatch{
			id: entry.ID, header: entry.Header, transcript: entry.Transcript, certs: entry.Certificates, public: public,
		}}
	}})
}

type summarized struct {
	batch *finishedBatch
	err   error
}

func (summarized) event() {}

var (
	errOtherKeys = errors.New("all nodes certified keys that do not follow from the deals")
	errNoDeals   = errors.New("all nodes certified deals that do not decode")
)

// sumUp computes a batch's public parts from its deals. It always answers: a summary
// that is lost would hold up the directory for ever.
func sumUp(m *wire.Manifest, h wire.BatchHeader, raw [][]byte) (public *frost.Public, err error) {
	defer func() {
		if recover() != nil {
			public, err = nil, errPanicked
		}
	}()
	deals, culprit := board.Decode(raw, h)
	if culprit >= 0 {
		return nil, errNoDeals
	}
	return frost.Summarize(h.Params(m), deals)
}

// onSummary takes a batch into the directory. It returns nil if its keys are not
// those that were certified.
func (d *directory) onSummary(e summarized) *finishedBatch {
	b := e.batch
	delete(d.computing, b.id)
	d.register.Forget(wire.BatchRef{ID: b.id})
	defer d.caughtUp(b.id)
	if e.err != nil {
		d.out.do(Report{What: ReportAborted, Kind: wire.KindKeygen, ID: b.id,
			Code: wire.CodeInternal, Reason: e.err.Error(), Culprit: -1})
		return nil
	}
	return d.add(b)
}

// add takes a batch in that stands in the register. It returns nil if it is there
// already, or refused.
func (d *directory) add(b *finishedBatch) *finishedBatch {
	if d.finished[b.id] != nil || d.register.Refused(b.id) {
		return nil
	}
	d.hold(b.id, b.transcript)
	d.finished[b.id] = b
	d.keys += int(b.header.K)
	return b
}

// onRead notes that KEYS was read to its end.
func (d *directory) onRead() {
	d.pending = maps.Clone(d.computing)
	d.caughtUp("")
}

// caughtUp notes that a batch of the start is through.
func (d *directory) caughtUp(id string) {
	if d.complete || d.pending == nil {
		return
	}
	if delete(d.pending, id); len(d.pending) == 0 {
		d.complete = true
		clear(d.fetchFirst)
	}
}

// onTick has entries that lack deals read once more.
func (d *directory) onTick(now time.Time) {
	d.register.Tick(now)
	if !d.complete {
		return // what they lack may be read yet
	}
	for _, id := range d.register.Late() {
		d.out.do(Refetch{ID: id, Register: true})
	}
}

// find returns a batch, nil if it is not known. While the directory is being
// filled, an unknown one is looked up in KEYS before its turn, once.
func (d *directory) find(id string) *finishedBatch {
	if b := d.finished[id]; b != nil {
		return b
	}
	if !d.complete && !d.fetchFirst[id] && !d.computing[id] {
		d.fetchFirst[id] = true
		d.out.do(Refetch{ID: id, Register: true})
	}
	return nil
}

// proven reports whether a batch is known to exist that can't be used yet: its head
// is here, and deals are missing, or it is on its way in.
func (d *directory) proven(id string) bool {
	return d.register.Get(wire.BatchRef{ID: id}) != nil || d.computing[id]
}

// key is the gateway's view of one key: public parts only.
func (b *finishedBatch) key(m *wire.Manifest, index int) frost.Key {
	suite := frost.Suite(b.header.Suite)
	size := m.T * suite.PointSize()
	return frost.Key{
		Suite: suite, N: m.N, T: m.T, PublicKey: b.public.PublicKeys[index],
		VSSCommitment: b.public.Commitments[index*size : (index+1)*size],
	}
}

// hold notes that the register has an entry, whoever reads it.
func (d *directory) hold(id string, transcript [32]byte) {
	if one := wire.NewHolding(id, transcript); d.held.Add(one) {
		d.reconcile.onHeld(one)
	}
}

// What the reconciler asks of the directory.

func (d *directory) read() bool                { return d.complete }
func (d *directory) holdings() *board.Holdings { return &d.held }
func (d *directory) isRefused(id string) bool  { return d.register.Refused(id) }

// hasOther reports whether the directory has another entry of a batch.
func (d *directory) hasOther(e *wire.Entry) bool {
	f := d.finished[e.ID]
	return f != nil && f.transcript != e.Transcript
}

// refuse takes a batch out that has two valid entries.
func (d *directory) refuse(e *wire.Entry) {
	d.register.Refuse(e.ID)
	d.drop(e.ID)
	d.out.do(Report{What: ReportConflict, Kind: wire.KindKeygen, ID: e.ID, Culprit: -1,
		Reason: "a node holds another valid entry than KEYS: all nodes certified both"})
}
