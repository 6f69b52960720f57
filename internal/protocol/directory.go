package protocol

import (
	"errors"
	"maps"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// directory finds keys: it reads KEYS, and computes the public keys of every
// batch that all n nodes certified.
type directory struct {
	board     *board.Board
	out       *outbox
	manifest  *wire.Manifest
	finished  map[string]*finishedBatch
	computing map[string]bool // batches on their way into finished: whether they changed meanwhile
	keys      int             // in finished
	catchUp
}

// catchUp is how far the directory is with what KEYS had at the start.
type catchUp struct {
	complete   bool            // all of it is in finished
	pending    map[string]bool // batches that are missing for that, once KEYS was read
	fetchFirst map[string]bool // batches looked up before their turn
}

// finishedBatch is what the directory knows of a batch: public parts only.
type finishedBatch struct {
	id     string
	header wire.BatchHeader
	certs  [][]byte
	public *frost.Public
}

func newDirectory(m *wire.Manifest, o *wire.Opener, out *outbox) *directory {
	return &directory{
		board: board.New(m, o, maxBoardBytes), out: out, manifest: m,
		finished: map[string]*finishedBatch{}, computing: map[string]bool{},
		catchUp: catchUp{fetchFirst: map[string]bool{}},
	}
}

// onMessage takes a message of KEYS. It returns the batch and the slot that the
// message changed, if it did.
func (d *directory) onMessage(msg wire.LogMessage, again bool) (b *board.Batch, slot wire.Slot, changed bool) {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || d.finished[slot.ID] != nil {
		return nil, slot, false
	}
	if b, changed = d.board.Put(msg); changed && again {
		b.Asked()
	}
	if changed && (slot.Kind == wire.SlotCert || b.Certified() != nil) {
		d.summarize(b)
	}
	return b, slot, changed
}

// summarize has a certified batch's public keys computed from its deals. Where
// deals are missing the batch is fetched again.
func (d *directory) summarize(b *board.Batch) {
	if d.isComputing(b.ID) {
		d.computing[b.ID] = true
		return
	}
	if b.Incomplete() {
		d.out.do(Refetch{ID: b.ID})
	}
	cert := b.Certified()
	if cert == nil || !b.AllDeals() || b.Header() == nil {
		return
	}
	d.computing[b.ID] = false
	m, raw := d.manifest, b.Deals()
	finished := &finishedBatch{id: b.ID, header: *b.Header(), certs: b.Certificates()}
	d.out.do(Compute{Urgent: d.fetchFirst[b.ID], Name: "check deals", Trace: b.Trace, Run: func() Event {
		return summarize(m, finished, cert, raw)
	}})
}

func (d *directory) isComputing(id string) bool {
	_, under := d.computing[id]
	return under
}

type summarized struct {
	batch *finishedBatch
	blame int // the node whose deal is no deal of the batch, or -1
	code  wire.Code
	err   error
}

func (summarized) event() {}

// summarize always answers: a summary that is lost would hold up the directory
// for ever.
func summarize(m *wire.Manifest, b *finishedBatch, cert *wire.Certificate, raw [][]byte) (answer summarized) {
	answer = summarized{batch: b, blame: -1}
	fail := func(code wire.Code, reason string) { answer.code, answer.err = code, errors.New(reason) }
	defer func() {
		if recover() != nil {
			fail(wire.CodeInternal, errPanicked.Error())
		}
	}()
	deals, culprit := board.Decode(raw, b.header)
	if culprit >= 0 || wire.Transcript(raw) != cert.Transcript {
		answer.blame = culprit
		fail(wire.CodeOtherTranscript, "the certificates are not over the deals in the log: restore KEYS from a mirror")
		return answer
	}
	public, err := frost.Summarize(b.header.Params(m), deals)
	if err != nil || wire.KeyRoot(public.PublicKeys, b.header.Client) != cert.Root {
		fail(wire.CodeInternal, "certified keys do not follow from the deals")
		return answer
	}
	b.public = public
	return answer
}

// onSummary takes a batch into the directory. It returns nil if its keys are not
// those that were certified.
func (d *directory) onSummary(e summarized) *finishedBatch {
	b := e.batch
	changed := d.computing[b.id]
	delete(d.computing, b.id)
	if log := d.board.Get(b.id); e.err != nil && changed && log != nil {
		if d.summarize(log); d.isComputing(b.id) {
			return nil
		}
	}
	defer d.caughtUp(b.id)
	if e.err != nil {
		d.out.do(Report{What: ReportAborted, Kind: wire.KindKeygen, ID: b.id,
			Code: e.code, Reason: e.err.Error(), Culprit: e.blame})
		return nil
	}
	d.finished[b.id] = b
	d.keys += int(b.header.K)
	d.board.Forget(b.id)
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

// expire drops batches that nothing was heard of for long. While the directory is
// being filled every batch is old, and the one that is being read would be dropped.
func (d *directory) expire(now time.Time) {
	if d.complete {
		d.board.Expire(now.Add(-boardLife))
	}
}

// find returns a batch, nil if it is not known. While the directory is being
// filled, an unknown one is looked up in KEYS before its turn, once.
func (d *directory) find(id string) *finishedBatch {
	if b := d.finished[id]; b != nil {
		return b
	}
	if !d.complete && !d.fetchFirst[id] && !d.isComputing(id) {
		d.fetchFirst[id] = true
		d.out.do(Refetch{ID: id})
	}
	return nil
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
