package protocol

import (
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// registrar follows the rounds, and makes entries of the batches that all nodes
// certified. The gateway that works on a batch's job writes at once; every other one
// writes what it does not find in the register a while later, so that a batch is not
// lost with its gateway.
type registrar struct {
	rounds    *board.Board
	directory *directory
	out       *outbox
	manifest  *wire.Manifest
	waiting   map[string]bool // batches that another gateway should write
	computing map[string]bool // entries in the making
}

// registerWait is how long a gateway leaves a batch to the one that works on its job.
const registerWait = 10 * time.Second

func newRegistrar(m *wire.Manifest, o *wire.Opener, d *directory, out *outbox) *registrar {
	return &registrar{
		rounds: board.New(m, o, maxBoardBytes), directory: d, out: out, manifest: m,
		waiting: map[string]bool{}, computing: map[string]bool{},
	}
}

// onRounds takes a message of the rounds. It returns the batch and the slot that the
// message changed, if it did.
func (r *registrar) onRounds(msg wire.LogMessage, again bool) (b *board.Batch, slot wire.Slot, changed bool) {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || r.directory.finished[slot.ID] != nil {
		return nil, slot, false
	}
	if b, changed = r.rounds.Put(msg); !changed {
		return b, slot, false
	}
	if again {
		b.Asked()
	}
	if slot.Kind == wire.SlotCert && b.Incomplete() {
		r.out.do(Refetch{ID: b.ID})
	}
	if b.Certified() != nil && !r.waiting[b.ID] {
		r.waiting[b.ID] = true
		r.out.do(After{Delay: registerWait, Timer: Timer{b.ID, timerRegister}})
	}
	return b, slot, true
}

// onTimer writes a batch that nobody else has written. Before the register is read it
// can't be told.
func (r *registrar) onTimer(t Timer) {
	b := r.rounds.Get(t.ID)
	switch {
	case t.Kind != timerRegister:
		return
	case b == nil || r.directory.finished[t.ID] != nil:
		delete(r.waiting, t.ID)
	case !r.directory.complete:
		r.out.do(After{Delay: registerWait, Timer: t})
	default:
		delete(r.waiting, t.ID)
		r.register(b)
	}
}

// register has a batch's entry made, if all certificates and deals are there. Where
// two nodes certified other keys over the same deals it finds out who is wrong.
func (r *registrar) register(b *board.Batch) {
	_, writing := r.directory.writing[b.ID]
	if writing || r.computing[b.ID] || r.directory.finished[b.ID] != nil || b.FalseCertificate() >= 0 ||
		!b.AllDeals() || b.Header() == nil || b.Certified() == nil && !b.RootsDiffer() {
		return
	}
	r.computing[b.ID] = true
	m, h, raw, digests := r.manifest, *b.Header(), b.Deals(), b.Digests()
	made := assembled{id: b.ID, header: h, deals: raw, digests: digests}
	r.out.do(Compute{Name: "make entry", Trace: b.Trace, Run: func() Event {
		transcript := wire.Transcript(digests)
		if made.public, made.err = sumUp(m, h, raw); made.err == nil {
			made.root = wire.KeyRoot(wire.EntryKeys(made.public.PublicKeys, h.Client, transcript))
		}
		return made
	}})
}

type assembled struct {
	id      string
	header  wire.BatchHeader
	deals   [][]byte
	digests [][32]byte
	public  *frost.Public
	root    [32]byte
	err     error
}

func (assembled) event() {}

// onAssembled has an entry written. It returns the node whose certificate is false,
// or -1.
func (r *registrar) onAssembled(e assembled) (culprit int) {
	delete(r.computing, e.id)
	b := r.rounds.Get(e.id)
	if b == nil || r.directory.finished[e.id] != nil {
		return -1
	}
	if e.err != nil {
		r.out.do(Report{What: ReportAborted, Kind: wire.KindKeygen, ID: e.id,
			Code: wire.CodeInternal, Reason: e.err.Error(), Culprit: -1})
		return -1
	}
	if wrong := b.FalseRoots(e.root); len(wrong) > 0 {
		return wrong[0]
	}
	cert, transcript := b.Certified(), wire.Transcript(e.digests)
	if cert == nil || cert.Transcript != transcript {
		return -1 // the rounds changed meanwhile
	}
	f := &finishedBatch{
		id: e.id, header: e.header, transcript: transcript, certs: b.Certificates(), public: e.public,
	}
	head := wire.NewEntryHead(r.manifest, f.header, f.public.PublicKeys, f.certs, e.digests)
	r.directory.writing[e.id] = transcript
	r.out.do(WriteEntry{ID: e.id, Head: wire.Encode(head), Deals: e.deals, Trace: b.Trace, batch: f})
	return -1
}

// onWritten takes a batch into the directory that KEYS has acknowledged, all of it.
func (r *registrar) onWritten(e EntryWritten) *finishedBatch {
	f := e.Entry.batch
	delete(r.directory.writing, f.id)
	if e.Err != nil { // somebody else may have succeeded
		r.out.do(
			Report{What: ReportBadEntry, Kind: wire.KindKeygen, ID: f.id, Reason: fmt.Sprintf("not written: %v", e.Err), Culprit: -1},
			Refetch{ID: f.id, Register: true},
		)
		return nil
	}
	r.out.do(Report{What: ReportRegistered, Kind: wire.KindKeygen, ID: f.id, Trace: e.Entry.Trace,
		Suite: frost.Suite(f.header.Suite), Count: int(f.header.K), Culprit: -1})
	return r.directory.add(f)
}

// falseCertificate is the complaint about a certificate that does not follow from the
// deals. The node's own device signed it, so nobody has to be believed.
func falseCertificate(node int, context [32]byte) *wire.Complaint {
	who := uint8(node)
	return &wire.Complaint{Session: context, Code: wire.CodeFalseCertificate, Culprit: &who, Reason: fmt.Sprintf(
		"node %d certified what does not follow from the deals in the rounds: its own device signed that", node)}
}

// givenUp returns the node that ended a batch, and why: one that certified something
// false, or one that gave up; -1 and nil if none did.
func givenUp(b *board.Batch, context [32]byte) (int, *wire.Complaint) {
	if node := b.FalseCertificate(); node >= 0 {
		return node, falseCertificate(node, context)
	}
	return b.Abort()
}
