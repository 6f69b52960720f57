package protocol

import (
	"bytes"
	"errors"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
	"testing"
	"time"
)

// A batch of two keys on its way through a 2-of-3 fleet without a gateway.
type batchTest struct {
	*fleet
	job  wire.SignedJob
	head wire.BatchHeader
	id   string
	form uint32 // of its task
}

func newBatch(t testing.TB, chain string) *batchTest {
	f := newFleet(t, 2, 3).start()
	f.desk = nil
	job := f.keygen(1, "alice", chain, 2)
	head := f.header(job, 0, 0)
	return &batchTest{f, job, head, wire.ShortID(head.Context(f.m)), 0}
}

// deliver posts the task, also a second time.
func (b *batchTest) deliver() { b.task((&wire.Task{Job: b.job}).InForm(b.form), jobID(1)) }

// dealt is a batch whose deals are made and not yet out.
func dealt(t testing.TB, chain string) *batchTest {
	b := newBatch(t, chain)
	b.deliver()
	return b
}

// release publishes what a node wants said of a kind.
func (b *batchTest) release(i int, kind wire.SlotKind) {
	b.t.Helper()
	w := b.nodes[i].want(kind)
	b.nodes[i].out = nil
	b.nodes[i].fill(w)
	b.register()
}

// register does what a gateway does that follows the rounds: it writes the entry of a
// batch that all nodes certified.
func (b *batchTest) register() {
	desk := b.newDesk()
	b.show(desk)
	for _, timer := range desk.timers {
		desk.do(timer)
	}
	for _, e := range desk.writes {
		b.write(e)
	}
}

func (b *batchTest) releaseAll(kind wire.SlotKind) {
	for i := range b.nodes {
		b.release(i, kind)
	}
}

// phase is how far a node is; forgotten batches count as idle.
func (b *batchTest) phase(i int) dkgPhase {
	if d := b.nodes[i].dealer.batches[b.id]; d != nil {
		return d.phase
	}
	return dkgIdle
}

func TestKeygen(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		t.Run(chain, func(t *testing.T) {
			b := dealt(t, chain)
			for i := range b.nodes {
				equal(t, "phase before all deals are in", b.phase(2), dkgDealt)
				if len(b.nodes[2].store) != 0 {
					t.Fatal("certified before all deals are in")
				}
				b.release(i, wire.SlotDeal)
			}
			for i, a := range b.nodes {
				equal(t, "phase with all deals", b.phase(i), dkgCertifying)
				if a.dealer.known[wire.BatchRef{ID: b.id}].Complete || a.done[b.id] {
					t.Fatal("complete without certificates")
				}
			}
			b.release(0, wire.SlotCert)
			b.release(1, wire.SlotCert)
			equal(t, "complete with two certificates", b.nodes[0].done[b.id], false)
			b.release(2, wire.SlotCert)
			first := b.nodes[0].store[b.id]
			for i, a := range b.nodes {
				equal(t, "complete", a.done[b.id], true)
				equal(t, "known as complete", a.dealer.known[wire.BatchRef{ID: b.id}],
					KnownBatch{Transcript: first.Transcript, MadeBy: first.Transcript, Complete: true})
				r := a.store[b.id]
				if r.Context != b.head.Context(b.m) || r.Header != b.head || r.Transcript != wire.Transcript(wire.DealDigests(r.Deals)) ||
					len(r.Deals) != 3 {
					t.Errorf("node %d: record %+v", i, r)
				}
				if r.Root != first.Root || !bytes.Equal(bytes.Join(r.Batch.PublicKeys, nil), bytes.Join(first.Batch.PublicKeys, nil)) {
					t.Errorf("node %d has other keys", i)
				}
				if i > 0 && bytes.Equal(r.Batch.Shares.Expose(), first.Batch.Shares.Expose()) {
					t.Errorf("nodes 0 and %d have the same shares", i)
				}
				if a.dealer.board.Bytes() != 0 || len(a.dealer.batches)+a.dealer.board.Len() != 0 {
					t.Errorf("node %d still holds %d bytes of %d batches", i, a.dealer.board.Bytes(), len(a.dealer.batches))
				}
			}
		})
	}
}

// The task comes again at every stage: nobody deals or certifies twice.
func TestTaskAgain(t *testing.T) {
	b := dealt(t, "solana")
	b.deliver()
	b.releaseAll(wire.SlotDeal) // fails if a second deal is wanted
	b.deliver()
	b.releaseAll(wire.SlotCert)
	b.deliver()
	for i, a := range b.nodes {
		if _, count := a.reported(ReportDealt); count != 1 || len(a.out) > 0 {
			t.Errorf("node %d dealt %d times and wants %d more messages", i, count, len(a.out))
		}
	}
}

// The computation of a deal reads nothing that a step writes. The race
// detector sees it.
func TestTaskAgainWhileDealing(t *testing.T) {
	b := newBatch(t, "solana")
	b.nodes[0].hold = true
	b.deliver()
	done := make(chan Event)
	go func() { done <- b.nodes[0].held[0].Run() }()
	b.deliver()
	b.nodes[0].do(<-done)
	b.nodes[0].want(wire.SlotDeal)
}

func TestJunkInSlots(t *testing.T) {
	b := dealt(t, "solana")
	foreign := newFleet(t, 2, 3)
	real := b.nodes[0].want(wire.SlotDeal)
	subject := real.slot.String()
	elsewhere := wire.Slot{Kind: wire.SlotDeal, ID: someBatch, Node: 0}.String()
	for _, junk := range [][]byte{
		nil, []byte("junk"),
		b.sessions[1].Seal(b.m, subject, real.body),                // by another node
		b.sessions[0].Seal(b.m, elsewhere, real.body),              // for another slot
		foreign.sessions[0].Seal(foreign.m, subject, real.body),    // of another fleet
		wire.SealGateway(b.gateway, "gw", b.m, subject, real.body), // by a gateway
	} {
		b.post(subject, junk)
	}
	b.post("dkg."+b.id+".deal.7", b.sessions[0].Seal(b.m, subject, real.body)) // no such node
	b.post("dkg.x.y", nil)
	if b.nodes[1].dealer.board.Get(b.id).Has(wire.SlotDeal, 0) {
		t.Fatal("junk became the slot's value")
	}
	b.releaseAll(wire.SlotDeal)
	b.releaseAll(wire.SlotCert)
	equal(t, "complete", b.nodes[1].done[b.id], true)
	if len(b.nodes[0].dealer.batches) != 0 {
		t.Error("junk opened entries")
	}
}

// The first message that a node signed is its slot's value, later ones are
// not: every reader has the same deals.
func TestFirstDealWins(t *testing.T) {
	b := dealt(t, "solana")
	second := b.newActor(2)
	second.replay()
	other := second.want(wire.SlotDeal)
	b.releaseAll(wire.SlotDeal)
	b.say(other.slot, other.body)
	b.releaseAll(wire.SlotCert)
	equal(t, "complete", b.nodes[0].done[b.id], true)
}

func TestOwnDealReplaced(t *testing.T) {
	b := dealt(t, "solana")
	second := b.newActor(0) // another process with this index, or a broker that kept an old deal
	second.replay()
	other := second.want(wire.SlotDeal)
	b.say(other.slot, other.body)
	b.release(1, wire.SlotDeal)
	b.release(2, wire.SlotDeal)
	abort := b.aborted(0)
	equal(t, "code", abort.Code, wire.CodeDealReplaced)
	if len(b.nodes[0].store) != 0 {
		t.Error("certified a transcript with a deal that is not its own")
	}
}

// A node does not check its own proofs, and so refuses any that it did not make: others have to
// see the very deal that it certifies.
func TestOwnProofsReplaced(t *testing.T) {
	for form := range uint32(wire.Form + 1) {
		b := newBatch(t, "solana")
		b.form = form
		b.deliver()
		own := b.nodes[0].want(wire.SlotDeal)
		h, d, err := wire.DecodeDeal(own.body)
		b.check(err)
		d.Proofs[len(d.Proofs)-1] ^= 1
		b.say(own.slot, wire.EncodeDeal(h, d))
		b.release(1, wire.SlotDeal)
		b.release(2, wire.SlotDeal)
		equal(t, "code", b.aborted(0).Code, wire.CodeDealReplaced)
		equal(t, "batches in store", len(b.nodes[0].store), 0)
		for i := 1; i < 3; i++ {
			equal(t, "code of another node", b.aborted(i).Code, wire.Code(frost.CodeProof))
		}
	}
}

// aborted is what node i says why it gave the batch up.
func (b *batchTest) aborted(i int) *wire.Complaint {
	b.t.Helper()
	c := must(wire.DecodeComplaint(b.nodes[i].want(wire.SlotAbort).body))
	r := b.nodes[i].expect(ReportAborted)
	equal(b.t, "phase", b.phase(i), dkgAborted)
	equal(b.t, "session of the abort", c.Session, b.head.Context(b.m))
	equal(b.t, "reported culprit", r.Culprit, culpritOf(c))
	return c
}

func TestSlotLostToAnotherProcess(t *testing.T) {
	b := dealt(t, "solana")
	second := b.newActor(0)
	second.replay()
	other := second.want(wire.SlotDeal)
	b.say(other.slot, other.body)
	b.nodes[0].fill(b.nodes[0].out[0]) // finds the other's deal and loses the slot
	b.nodes[0].out = b.nodes[0].out[1:]
	equal(t, "code", b.aborted(0).Code, wire.CodeRestarted)
}

func TestRestartAfterDealing(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	for _, a := range b.nodes {
		a.out, a.store = nil, map[string]*BatchRecord{} // ended before they stored anything
	}
	b.nodes[0].restart()
	equal(t, "code", b.aborted(0).Code, wire.CodeRestarted)
	b.release(0, wire.SlotAbort)
	b.nodes[0].restart() // and once more: the abort is in the log
	if len(b.nodes[0].out) != 0 {
		t.Errorf("wants %v", b.nodes[0].out)
	}
}

func TestRestartBeforeDealing(t *testing.T) {
	b := dealt(t, "solana")
	b.nodes[0].restart() // its deal never got out: nobody saw it, so it deals anew
	b.releaseAll(wire.SlotDeal)
	b.releaseAll(wire.SlotCert)
	equal(t, "complete", b.nodes[1].done[b.id], true)
}

// A node that stored a batch and ended before its certificate was out says it
// in its next life, about the same transcript, and deals no more.
func TestRestartAfterCertifying(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	b.nodes[0].restart()
	if _, count := b.nodes[0].reported(ReportDealt); count != 1 {
		t.Errorf("dealt %d times", count)
	}
	b.releaseAll(wire.SlotCert)
	for _, a := range b.nodes {
		equal(t, "complete", a.done[b.id], true)
	}
}

// Lost certificates: each node is restarted between its own certificate and
// the last, which it has to find in the log.
func TestRestartWaitingForCertificates(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	b.release(0, wire.SlotCert)
	b.release(1, wire.SlotCert)
	b.nodes[0].restart()
	b.nodes[0].out = nil
	b.release(2, wire.SlotCert)
	equal(t, "complete", b.nodes[0].done[b.id], true)
}

func TestCertificatesWinOverAborts(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	abort := &wire.Complaint{Session: b.head.Context(b.m), Code: wire.CodeInternal, Reason: "changed my mind"}
	b.say(wire.Slot{Kind: wire.SlotAbort, ID: b.id, Node: 1}, wire.Encode(abort))
	b.releaseAll(wire.SlotCert)
	for i, a := range b.nodes {
		if !a.done[b.id] {
			t.Errorf("node %d did not complete a batch with n certificates", i)
		}
	}
}

// A node that gave up because of an abort rebuilds the batch when n
// certificates appear all the same (its own was made by an earlier life).
func TestAbortedNodeRebuilds(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	late := b.newActor(0)
	b.show(late)
	abort := RoundsMessage{
		wire.LogMessage{Subject: wire.Slot{Kind: wire.SlotAbort, ID: b.id, Node: 1}.String(), Seq: 99, Time: t0},
	}
	abort.Data = b.sessions[1].Seal(
		b.m,
		abort.Subject,
		wire.Encode(&wire.Complaint{Session: b.head.Context(b.m), Code: wire.CodeInternal}),
	)
	late.do(abort)
	late.do(TaskMessage{b.work[0], t0})
	equal(t, "phase", late.dealer.batches[b.id].phase, dkgAborted)
	equal(t, "messages", len(late.out), 0)
	b.releaseAll(wire.SlotCert)
	b.show(late)
	equal(t, "rebuilt", late.done[b.id], true)
}

func TestAbortStopsWork(t *testing.T) {
	for _, stage := range []wire.SlotKind{"", wire.SlotDeal} {
		b := newBatch(t, "solana")
		if stage == wire.SlotDeal {
			b.deliver()
		}
		// A complaint about another batch, first: it says nothing about this one.
		b.say(
			wire.Slot{Kind: wire.SlotAbort, ID: b.id, Node: 1},
			wire.Encode(&wire.Complaint{Session: [32]byte{1}, Code: wire.CodeInternal}),
		)
		if b.phase(0) == dkgAborted {
			t.Fatal("a complaint about another session was believed")
		}
		b.say(
			wire.Slot{Kind: wire.SlotAbort, ID: b.id, Node: 1},
			wire.Encode(&wire.Complaint{Session: b.head.Context(b.m), Code: wire.CodeInternal}),
		)
		b.nodes[0].out = nil
		b.deliver()
		equal(t, "phase", b.phase(0), dkgAborted)
		if len(b.nodes[0].out) != 0 {
			t.Error("works on a batch that was given up")
		}
	}
}

// Storage that fails ends the batch before the HSM signs anything.
func TestCertifyFailed(t *testing.T) {
	b := dealt(t, "solana")
	b.nodes[0].failing = errors.New("disk full")
	b.releaseAll(wire.SlotDeal)
	equal(t, "code", b.aborted(0).Code, wire.CodeInternal)
	if len(b.nodes[0].said.transcripts) != 0 {
		t.Error("certified all the same")
	}
	b.deliver()
	b.nodes[0].want(wire.SlotAbort)
}

func TestDealFailsWithoutRandomness(t *testing.T) {
	b := newBatch(t, "solana")
	b.nodes[0].cfg.Rand = bytes.NewReader(make([]byte, 31))
	b.deliver()
	equal(t, "code", b.aborted(0).Code, wire.CodeInternal)
}

// Two deals of one node for one batch share nothing: the seed is fresh.
func TestDealsAreFresh(t *testing.T) {
	b := dealt(t, "solana")
	again := b.newActor(0)
	again.replay()
	_, one, _ := wire.DecodeDeal(b.nodes[0].want(wire.SlotDeal).body)
	_, two, _ := wire.DecodeDeal(again.want(wire.SlotDeal).body)
	if one.Ephemeral == two.Ephemeral || bytes.Equal(one.Commitments[:32], two.Commitments[:32]) {
		t.Error("a deal was made twice")
	}
}

func TestKeygenTaskBounds(t *testing.T) {
	for name, change := range map[string]func(*wire.Task){
		"part that does not exist": func(t *wire.Task) { t.Part = 1 },
		"items":                    func(t *wire.Task) { t.Items = []uint32{0} },
		"exclusions":               func(t *wire.Task) { t.Exclude = []uint8{0} },
	} {
		b := newBatch(t, "solana")
		task := &wire.Task{Job: b.job}
		change(task)
		b.task(task, jobID(1))
		b.nodes[0].expect(ReportBadTask)
		equal(t, name+": phase", b.phase(0), dkgIdle)
	}
}

// A task that a worker must not believe, whatever the gateway says.
func TestTasksAreChecked(t *testing.T) {
	b := newBatch(t, "solana")
	good := &wire.Task{Job: b.job}
	subject := wire.TaskSubject(good, jobID(1))
	expired := b.job
	expired.Payload = mustJSON(wire.Job{ID: jobID(1), Kind: wire.KindKeygen, Expires: t0, Chain: "solana", Count: 1})
	unsigned := b.job
	unsigned.Signature = make([]byte, 64)
	seal := func(subject string, task *wire.Task) []byte {
		return wire.SealGateway(b.gateway, "gw", b.m, subject, wire.Encode(task))
	}
	for name, m := range map[string]wire.LogMessage{
		"no envelope":     {Subject: subject, Data: []byte("x")},
		"no task":         {Subject: subject, Data: wire.SealGateway(b.gateway, "gw", b.m, subject, []byte("x"))},
		"another gateway": {Subject: subject, Data: wire.SealGateway(b.gateway, "gw2", b.m, subject, wire.Encode(good))},
		"unsigned job":    {Subject: subject, Data: seal(subject, &wire.Task{Job: unsigned})},
		"expired job":     {Subject: subject, Data: seal(subject, &wire.Task{Job: b.job2(expired.Payload)})},
		"another subject": {Subject: "work.bulk.alice." + jobID(2) + ".0.0", Data: seal("work.bulk.alice."+jobID(2)+".0.0", good)},
	} {
		a := b.newActor(0)
		m.Time = t0
		a.do(TaskMessage{m, t0})
		a.expect(ReportBadTask)
		if len(a.out)+len(a.dealer.batches) > 0 {
			t.Errorf("%s: worked on", name)
		}
	}
	// A broker that tells a false time: the job is expired by the node's clock.
	a := b.newActor(0)
	a.do(
		TaskMessage{
			wire.LogMessage{Subject: subject, Time: t0, Data: seal(subject, good)},
			t0.Add(30*time.Minute + wire.ClockSkew + time.Second),
		},
	)
	a.expect(ReportBadTask)
}

func (b *batchTest) job2(payload []byte) wire.SignedJob {
	return b.fleet.job("alice", wire.KindKeygen, payload)
}
