package protocol

import (
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// registrar follows the rounds of one manifest's nodes, and makes entries of the batches that all nodes
// certified. The gateway that works on a batch's job writes at once; every other one
// writes what it does not find in the register a while later, so that a batch is not
// lost with its gateway.
type registrar struct {
	rounds    *board.Board
	directory *directory
	out       *outbox
	view      *view
	waiting   map[string]bool // batches that another gateway should write
	computing map[string]bool // entries in the making
	writing   map[string]*finishedBatch
}

// registerWait is how long a gateway leaves a batch to the one that works on its job.
const registerWait = 10 * time.Second

func newRegistrar(v *view, d *directory, out *outbox) *registrar {
	return &registrar{
		rounds: board.New(v.manifest, v.opener, maxBoardBytes), directory: d, out: out, view: v,
		waiting: map[string]bool{}, computing: map[string]bool{}, writing: map[string]*finishedBatch{},
	}
}

// onRounds takes a message of the rounds. It returns the batch and the slot that the
// message changed, if it did.
func (r *registrar) onRounds(msg wire.LogMessage, again bool) (b *board.Batch, slot wire.Slot, changed bool) {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || r.directory.finished[slot.ID] != nil {
		return nil, slot, false
	}
	put := r.rounds.Put
	if again {
		put = r.rounds.PutAgain
	}
	if b, changed = put(msg); !changed {
		return b, slot, false
	}
	if again {
		b.Asked()
	}
	if slot.Kind == wire.SlotCert && b.Incomplete() {
		r.out.do(Refetch{ID: b.ID})
	}
	if b.Certified() != nil && b.Job == "" {
		r.wait(b.ID)
	}
	return b, slot, true
}

// wait has a look taken a while later whether the batch was registered.
func (r *registrar) wait(id string) {
	if !r.waiting[id] {
		r.waiting[id] = true
		r.out.do(After{Delay: registerWait, Timer: Timer{id, timerRegister}})
	}
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
	cert := b.Certified()
	if r.writing[b.ID] != nil || r.computing[b.ID] || r.directory.finished[b.ID] != nil || b.OtherTranscript() ||
		!b.AllDeals() || b.Header() == nil || cert == nil && !differ(b.Roots()) {
		return
	}
	r.computing[b.ID] = true
	transcript := wire.Transcript(b.Digests())
	made := assembled{
		batch: &finishedBatch{
			BatchRef: wire.BatchRef{ID: b.ID}, view: r.view, header: *b.Header(), origin: r.view.manifest.Hash(),
			madeBy: transcript, transcript: transcript, first: b.Certificates(),
		},
		write: WriteEntry{ID: b.ID, Deals: b.Deals(), Job: b.Job, Trace: b.Trace},
	}
	m, digests, roots := r.view.manifest, b.Digests(), b.Roots()
	r.out.do(Compute{Name: "make entry", Trace: b.Trace, Run: func() Event {
		made.assemble(m, digests, roots)
		return made
	}})
}

func differ(roots map[int][32]byte) bool {
	seen := map[[32]byte]bool{}
	for _, root := range roots {
		seen[root] = true
	}
	return len(seen) > 1
}

// assembled is an entry, or the nodes whose certificates don't follow from its deals.
type assembled struct {
	batch *finishedBatch
	write WriteEntry
	liars []int // ascending
	err   error
}

func (a *assembled) assemble(m *wire.Manifest, digests [][32]byte, roots map[int][32]byte) {
	f := a.batch
	if f.public, a.err = sumUp(m, f.header, a.write.Deals); a.err != nil {
		return
	}
	var compact bool
	a.write.Deals, compact = wire.EntryDeals(a.write.Deals)
	head := wire.NewEntryHead(m, f.header, f.public.PublicKeys, f.first, digests, compact)
	f.root = wire.KeyRoot(head.Keys)
	for node, certified := range roots {
		if certified != f.root {
			a.liars = append(a.liars, node)
		}
	}
	slices.Sort(a.liars)
	if len(roots) == m.N && len(a.liars) == 0 {
		a.write.Head = wire.Encode(head)
	}
}

func (assembled) event() {}

// onAssembled has an entry written. It returns the node whose certificate is false,
// or -1.
func (r *registrar) onAssembled(e assembled) (culprit int) {
	id := e.batch.ID
	delete(r.computing, id)
	switch {
	case r.directory.finished[id] != nil:
	case e.err != nil:
		r.out.do(Report{What: ReportAborted, Kind: wire.KindKeygen, ID: id, Job: e.write.Job, Trace: e.write.Trace,
			Code: wire.CodeInternal, Reason: e.err.Error(), Culprit: -1})
	case len(e.liars) > 0:
		return e.liars[0]
	case e.write.Head != nil:
		r.writing[id] = e.batch
		r.out.do(e.write)
	}
	return -1
}

// onWritten takes a batch into the directory that KEYS has acknowledged, all of it.
func (r *registrar) onWritten(e EntryWritten) *finishedBatch {
	f := r.writing[e.ID]
	if f == nil {
		return nil
	}
	delete(r.writing, e.ID)
	report := Report{What: ReportRegistered, Kind: wire.KindKeygen, ID: f.ID, Job: e.Job, Trace: e.Trace, Culprit: -1}
	if e.Err != nil { // somebody else may have succeeded
		report.What, report.Reason = ReportBadEntry, fmt.Sprintf("not written: %v", e.Err)
		r.out.do(report, Refetch{ID: f.ID, Register: true})
		r.wait(f.ID)
		return nil
	}
	report.Suite, report.Count = frost.Suite(f.header.Suite), int(f.header.K)
	r.out.do(report)
	return r.directory.add(f)
}

// falseCertificate is the complaint about a certificate that does not follow from the
// deals. The node's own device signed it, so nobody has to be believed.
func falseCertificate(node int, context [32]byte) *wire.Complaint {
	who := uint8(node)
	return &wire.Complaint{Session: context, Code: wire.CodeFalseCertificate, Culprit: &who, Reason: fmt.Sprintf(
		"node %d certified what does not follow from the deals in the rounds: its own device signed that", node)}
}

// ending is why a batch is given up.
type ending struct {
	node   int // that ended it
	why    *wire.Complaint
	proven bool // a false certificate, which this gateway found; else the node says so, and may say anything
}

// givenUp returns what ended a batch: a false certificate, or a node that gave up; nil
// if nothing did.
func givenUp(b *board.Batch, context [32]byte) *ending {
	if node := b.FalseCertificate(); node >= 0 {
		return &ending{node, falseCertificate(node, context), true}
	}
	if node, abort := b.Abort(); abort != nil {
		return &ending{node: node, why: abort}
	}
	return nil
}
