package protocol

import (
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// directory finds keys: it reads the register, and computes what aggregation needs of
// every batch in it. Of a batch with several generations the highest counts whose entry is
// whole.
type directory struct {
	register  *board.Register
	views     *views
	out       *outbox
	finished  map[string]*finishedBatch
	older     map[wire.BatchRef][32]byte // transcripts of generations that do not count any more
	computing map[wire.BatchRef]bool     // entries on their way into finished
	comparison
	catchUp
}

// comparison is what the register has, and what it lacks.
type comparison struct {
	reconcilers map[*view]*reconciler
	waiting     int // jobs that wait for what the register lacks
}

// catchUp is how far the directory is with what KEYS had at the start, and later.
type catchUp struct {
	end        keysEnd
	complete   bool                   // all of it is in finished
	pending    map[wire.BatchRef]bool // entries that are missing for that, once KEYS was read
	fetchFirst map[string]bool        // batches looked up before their turn
}

// newDirectory returns an empty directory. writing tells the transcripts of the entries
// that this gateway is writing: they come into the directory by themselves.
func newDirectory(s *views, out *outbox, writing board.Done) *directory {
	d := &directory{
		views: s, out: out, finished: map[string]*finishedBatch{}, older: map[wire.BatchRef][32]byte{},
		computing: map[wire.BatchRef]bool{}, catchUp: catchUp{fetchFirst: map[string]bool{}},
		comparison: comparison{reconcilers: map[*view]*reconciler{}},
	}
	d.register = board.NewRegister(maxBoardBytes, func(ref wire.BatchRef) (transcript [32]byte, ok bool) {
		if f := d.finished[ref.ID]; f != nil && f.Generation == ref.Generation {
			return f.transcript, true
		}
		if transcript, ok = d.older[ref]; ok {
			return transcript, true
		}
		return writing(ref)
	}).Placed()
	d.follow()
	return d
}

// follow compares the register with what the nodes of each manifest hold. Those of one that
// follows while this gateway works take nothing of its readiness.
func (d *directory) follow() {
	for _, v := range d.views.chain {
		if d.reconcilers[v] != nil {
			continue
		}
		d.reconcilers[v] = newReconciler(v.manifest, viewKeys{d, v}, d.out)
		for _, p := range d.reconcilers[v].peers {
			p.latched = d.complete
		}
	}
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
	case entry != nil:
		d.onEntry(entry)
	}
}

// onEntry takes an entry that is news, or has another deal now.
func (d *directory) onEntry(e *board.Entry) {
	v, f := d.views.of(e.Manifest), d.finished[e.ID]
	switch {
	case f != nil && !f.continues(e.Entry):
		d.refuse(e.Entry)
	case v == nil || !e.Whole(): // the program goes by a manifest that this machine was not told of
	default:
		d.hold(v, e.ID, e.Transcript)
		if f != nil && f.Generation > e.Generation {
			d.older[e.Ref()] = e.Transcript
			d.tellFirst(f, newFinished(v, e.Entry))
			d.register.Forget(e.Ref())
			return
		}
		d.summarize(v, e)
	}
}

// has reports whether a generation of a batch is the one that counts.
func (d *directory) has(ref wire.BatchRef) bool {
	f := d.finished[ref.ID]
	return f != nil && f.BatchRef == ref
}

// drop takes a batch out of the directory: nobody knows which its keys are.
func (d *directory) drop(id string) {
	if f := d.finished[id]; f != nil {
		d.leave(f)
		delete(d.finished, id)
	}
}

// leave and enter count a batch for the view whose nodes have its keys.
func (d *directory) leave(f *finishedBatch) {
	f.view.batches--
	f.view.keys -= int(f.header.K)
}

func (d *directory) enter(f *finishedBatch) {
	f.view.batches++
	f.view.keys += int(f.header.K)
}

// keys counts those in finished.
func (d *directory) keys() (count int) {
	for _, v := range d.views.chain {
		count += v.keys
	}
	return count
}

// summarize has what aggregation needs computed from an entry's deals.
func (d *directory) summarize(v *view, e *board.Entry) {
	if d.computing[e.Ref()] {
		return
	}
	d.computing[e.Ref()] = true
	f, keys, raw := newFinished(v, e.Entry), e.PublicKeys(), e.Raw()
	sum := func() (*frost.Public, error) { return sumUp(v.manifest, f.header, raw) }
	if e.Generation > 0 {
		r, source := e.Reshare(), d.views.lineage.Manifest(e.Source)
		sum = func() (*frost.Public, error) { return sumUpLater(r, source, v.manifest, keys, raw) }
	}
	d.out.do(Compute{Urgent: d.fetchFirst[e.ID], Name: "check deals", Run: func() Event {
		public, err := sum()
		if f.public = public; err == nil && wire.KeyRoot(f.keys()) != f.root {
			err = errOtherKeys
		}
		return summarized{err: err, batch: f}
	}})
}

type summarized struct {
	batch *finishedBatch
	err   error
}

func (summarized) event() {}

// onSummary takes a batch into the directory. It returns nil if its keys are not
// those that were certified.
func (d *directory) onSummary(e summarized) *finishedBatch {
	b := e.batch
	delete(d.computing, b.BatchRef)
	d.register.Forget(b.BatchRef)
	defer d.caughtUp(b.BatchRef)
	if e.err != nil {
		d.out.do(Report{What: ReportAborted, Kind: wire.KindKeygen, ID: b.ID,
			Code: wire.CodeInternal, Reason: e.err.Error(), Culprit: -1})
		return nil
	}
	return d.add(b)
}

// add takes a batch in that stands in the register. It returns nil if it is there
// already, in this generation or a later one, or refused.
func (d *directory) add(b *finishedBatch) *finishedBatch {
	if d.register.Refused(b.ID) {
		return nil
	}
	d.hold(b.view, b.ID, b.transcript)
	before := d.finished[b.ID]
	switch {
	case before == nil:
	case before.madeBy != b.madeBy || before.root != b.root:
		d.refuseBatch(b.ID)
		return nil
	case before.Generation >= b.Generation:
		if before.Generation > b.Generation {
			d.older[b.BatchRef] = b.transcript
			d.tellFirst(before, b)
		}
		return nil
	default:
		b.first = before.first
		d.older[before.BatchRef] = before.transcript
		d.leave(before)
	}
	d.finished[b.ID] = b
	d.enter(b)
	return b
}

// tellFirst completes a batch whose later generation came in first: entries are summed up beside
// each other, and the result of the job that made the keys has the certificates of generation 0.
func (d *directory) tellFirst(later, earlier *finishedBatch) {
	if later.first == nil && earlier.first != nil {
		whole := *later
		whole.first = earlier.first
		d.finished[later.ID] = &whole
	}
}

// onRead notes that KEYS was read to its end.
func (d *directory) onRead() {
	d.pending = maps.Clone(d.computing)
	d.caughtUp(wire.BatchRef{})
}

// caughtUp notes that a batch of the start is through.
func (d *directory) caughtUp(ref wire.BatchRef) {
	if d.complete || d.pending == nil {
		return
	}
	if delete(d.pending, ref); len(d.pending) == 0 {
		d.complete = true
		clear(d.fetchFirst)
	}
}

// onTick has entries that lack deals read once more, and the register compared with what
// nodes hold.
func (d *directory) onTick(now time.Time) {
	d.register.Tick(now)
	if d.complete { // else what they lack may be read yet
		for _, id := range d.register.Late() {
			d.out.do(Refetch{ID: id, Register: true})
		}
	}
	for _, v := range d.views.chain {
		d.reconcilers[v].onTick(now, v.presence.holdings)
	}
}

// find returns a batch, nil if it is not known. While the directory is being
// filled, an unknown one is looked up in KEYS before its turn, once.
func (d *directory) find(id string) *finishedBatch {
	if b := d.finished[id]; b != nil {
		return b
	}
	if !d.complete && !d.fetchFirst[id] && !d.underWay(id) {
		d.fetchFirst[id] = true
		d.out.do(Refetch{ID: id, Register: true})
	}
	return nil
}

// underWay reports whether an entry of a batch is on its way into the directory.
func (d *directory) underWay(id string) bool {
	return slices.ContainsFunc(d.register.Of(id), func(e *board.Entry) bool { return d.computing[e.Ref()] })
}

// proven reports whether a batch is known to exist that can't be used yet: its head
// is here, and deals are missing, or it is on its way in.
func (d *directory) proven(id string) bool { return len(d.register.Of(id)) > 0 }

// mayHold reports whether some node may hold a batch that the register lacks.
func (d *directory) mayHold(id string) (may bool) {
	for _, v := range d.views.chain {
		may = d.reconcilers[v].mayHold(id) || may
	}
	return may
}

// hold notes that the register has an entry, whoever reads it.
func (d *directory) hold(v *view, id string, transcript [32]byte) {
	if one := wire.NewHolding(id, transcript); v.held.Add(one) {
		d.reconcilers[v].onHeld(one)
	}
}

// hasOther reports whether the directory has another entry of a batch than a valid one that
// a node holds: of the same generation, or one of other keys.
func (d *directory) hasOther(e *wire.Entry) bool {
	f := d.finished[e.ID]
	if f == nil {
		return false
	}
	if !f.continues(e) {
		return true
	}
	known, ok := d.older[wire.BatchRef{ID: e.ID, Generation: e.Generation}]
	if f.Generation == e.Generation {
		known, ok = f.transcript, true
	}
	return ok && known != e.Transcript
}

// refuse takes a batch out that has two valid entries.
func (d *directory) refuse(e *wire.Entry) { d.refuseBatch(e.ID) }

func (d *directory) refuseBatch(id string) {
	d.register.Refuse(id)
	d.drop(id)
	d.out.do(Report{What: ReportConflict, Kind: wire.KindKeygen, ID: id, Culprit: -1,
		Reason: "there is another valid entry than the one in KEYS: all nodes certified both"})
}

// viewKeys is what the reconciler of one manifest's nodes asks of the directory.
type viewKeys struct {
	*directory
	view *view
}

func (k viewKeys) read() bool                { return k.complete }
func (k viewKeys) holdings() *board.Holdings { return &k.view.held }
func (k viewKeys) isRefused(id string) bool  { return k.register.Refused(id) }
