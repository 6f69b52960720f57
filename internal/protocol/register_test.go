package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// certifiedJob is a key generation that all nodes certified, whose entry the gateway
// wants written and has not.
func certifiedJob(t *testing.T) (*fleet, wire.SignedJob) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "solana", 2)
	f.desk.arrive(job, nil)
	f.drainTasks()
	for _, kind := range []wire.SlotKind{wire.SlotDeal, wire.SlotCert} {
		for i := range 3 {
			w := f.nodes[i].want(kind)
			f.nodes[i].out = nil
			f.nodes[i].fill(w)
		}
	}
	equal(t, "entries to write", len(f.desk.writes), 1)
	return f, job
}

// No key is announced, and none is usable, before KEYS has acknowledged its entry.
func TestAnnouncedOnceRegistered(t *testing.T) {
	f, job := certifiedJob(t)
	equal(t, "results before the entry is stored", len(f.desk.finished), 0)
	equal(t, "keys", f.desk.Keys(), 0)
	for _, a := range f.nodes {
		equal(t, "keys at a node", len(a.done), 0)
	}
	f.flush()
	f.check(wire.VerifyKeys(f.m, job, f.desk.result()))
	id := f.desk.result().Batches[0].ID
	for _, a := range f.nodes {
		equal(t, "keys at a node", a.done[id], true)
	}
	equal(t, "registered", f.desk.reports[0].What, ReportRegistered)
}

// The gateway ends between the last certificate and its entry, or in the middle of
// that. Whoever gets the job writes what is missing.
func TestGatewayEndsBeforeTheEntry(t *testing.T) {
	for written := range 4 {
		f, job := certifiedJob(t)
		e := f.desk.writes[0]
		f.nodes[2].store, f.nodes[2].done = map[string]*BatchRecord{}, map[string]bool{} // needs all of the entry
		f.nodes[2].restart()
		for i := range written {
			if i == 0 {
				f.post(wire.EntryHeadSubject(e.ID, 0), e.Head)
			} else {
				f.post(wire.EntryDealSubject(e.ID, 0, i-1), e.Deals[i-1])
			}
		}
		equal(t, "keys at the node without storage", f.nodes[2].done[e.ID], false)
		f.newLife()
		f.desk.arrive(job, nil)
		f.drain()
		f.check(wire.VerifyKeys(f.m, job, f.desk.result()))
		equal(t, "messages in KEYS", len(f.keys), 4)
		equal(t, "keys at the node without storage", f.nodes[2].done[e.ID], true)
		equal(t, "under way", f.desk.Summaries()+len(f.desk.registrar().writing)+len(f.desk.registrar().computing), 0)
	}
}

// A gateway that has no such job writes the entry of a batch that nobody registers.
func TestAnotherGatewayRegisters(t *testing.T) {
	f, _ := certifiedJob(t)
	f.newLife()
	equal(t, "at once", len(f.desk.writes), 0)
	f.desk.timeout(timerRegister)
	equal(t, "a while later", len(f.desk.writes), 1)
	f.flush()
	equal(t, "keys", f.desk.Keys(), 2)
	equal(t, "results", len(f.desk.finished), 0)

	f.newLife()
	for _, timer := range f.desk.timers {
		f.desk.do(timer)
	}
	equal(t, "what is registered", len(f.desk.writes), 0)
}

// A batch is certified after its job has ended: it is registered all the same, so that
// its nodes need not offer it for ever.
func TestCertifiedAfterItsJob(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk.arrive(f.keygen(1, "alice", "solana", 2), nil)
	f.drainTasks()
	for i := range 3 {
		f.let(i, wire.SlotDeal)
	}
	f.desk.do(Tick{f.now.Add(31 * time.Minute)})
	equal(t, "code", f.desk.result().Code, wire.CodeKeygenFailed)
	for i := range 3 {
		f.let(i, wire.SlotCert)
	}
	f.desk.timeout(timerRegister)
	f.flush()
	equal(t, "keys", f.desk.Keys(), 2)
	for _, a := range f.nodes {
		equal(t, "complete", len(a.done), 1)
	}
}

// While the register is read a gateway can't tell what is in it.
func TestNothingIsRegisteredBeforeTheRegisterIsRead(t *testing.T) {
	f, _ := certifiedJob(t)
	f.desk = f.newReader()
	f.show(f.desk)
	f.desk.timeout(timerRegister)
	equal(t, "entries to write", len(f.desk.writes), 0)
	f.desk.do(KeysRead{})
	f.desk.timeout(timerRegister)
	equal(t, "entries to write", len(f.desk.writes), 1)
}

// Everything on the bus is lost before the entry was written. The nodes have it all,
// and say it again when they start.
func TestNodesOfferWhatTheyCertified(t *testing.T) {
	f, job := certifiedJob(t)
	f.dkg, f.keys, f.work = nil, nil, nil
	f.newLife()
	for _, a := range f.nodes {
		a.restart()
	}
	f.drain()
	equal(t, "certificates and deals in the rounds", len(f.dkg), 6)
	f.desk.arrive(job, nil)
	f.drain()
	f.check(wire.VerifyKeys(f.m, job, f.desk.result()))
	again := f.nodes[0]
	equal(t, "said again once it is registered", len(again.Step(again.store[f.desk.result().Batches[0].ID].again(0))), 0)
}

// A certificate over other deals, or over other keys of the same deals, is signed by
// its node's device: the attempt ends at once, and the node is named.
func TestFalseCertificateIsBlamed(t *testing.T) {
	for name, lie := range map[string]func(*wire.Certificate){
		"another transcript": func(c *wire.Certificate) { c.Transcript[0]++ },
		"another root":       func(c *wire.Certificate) { c.Root[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 3).start()
			job := f.keygen(1, "alice", "solana", 2)
			f.desk.arrive(job, nil)
			f.drainTasks()
			for i := range 3 {
				f.let(i, wire.SlotDeal)
			}
			f.let(0, wire.SlotCert)
			w := f.nodes[2].want(wire.SlotCert)
			var c wire.Certificate
			f.check(wire.Decode(w.body, wire.MaxAttestation, &c))
			lie(&c)
			c.Attestation = f.attestOne(2, c.Leaf(f.m))
			f.say(w.slot, wire.Encode(&c))
			f.nodes[1].out, f.nodes[2].out = nil, nil // node 1's certificate never comes
			r := f.desk.reports[len(f.desk.reports)-1]
			equal(t, "report", [2]string{string(r.What), string(r.Code)},
				[2]string{string(ReportRetry), string(wire.CodeFalseCertificate)})
			equal(t, "culprit", r.Culprit, 2)
			aborted := f.desk.reports[len(f.desk.reports)-2]
			equal(t, "counted", [2]string{string(aborted.What), fmt.Sprint(aborted.Culprit)}, [2]string{string(ReportAborted), "2"})
			f.newLife() // which sees it in the log
			f.desk.arrive(job, nil)
			if name == "another transcript" {
				equal(t, "attempt", must(wire.DecodeTask(f.desk.tasks[0].Body, f.m)).Attempt, 1)
			} else {
				f.desk.timeout(timerRetry)
			}
			f.drain()
			f.check(wire.VerifyKeys(f.m, job, f.desk.result()))
			equal(t, "attempts", f.desk.result().Attempts, 2)
		})
	}
}

// rival is another entry of a batch that all nodes certified: all of them lie.
func (b *batchTest) rival() (head []byte, deals [][]byte) {
	for i := range b.m.N {
		p, seed := b.head.Params(b.m), [32]byte{byte(i + 1)}
		deals = append(deals, wire.EncodeDeal(b.head, must(frost.NewDeal(p, i, &seed))))
	}
	keys := must(sumUp(b.m, b.head, deals)).PublicKeys
	h := wire.NewEntryHead(b.m, b.head, keys, nil, wire.DealDigests(deals), false)
	for i := range b.m.N {
		c := wire.Certificate{
			Context: b.head.Context(b.m), Transcript: wire.Transcript(h.Deals), Root: wire.KeyRoot(h.Keys), Node: uint32(i),
		}
		c.Attestation = b.attestOne(i, c.Leaf(b.m))
		h.Certificates = append(h.Certificates, wire.Encode(&c))
	}
	return wire.Encode(h), deals
}

// Two valid entries for one batch: nobody signs with its keys any more.
func TestTwoEntries(t *testing.T) {
	b := finished(t, "solana")
	desk := b.newDesk()
	b.show(desk)
	equal(t, "keys", desk.Keys(), 2)
	head, _ := b.rival()
	b.post(wire.EntryHeadSubject(b.id, 0), head)
	desk.do(ReadKeys(b.m, b.keys[len(b.keys)-1]))
	equal(t, "keys", desk.Keys(), 0)
	equal(t, "report", desk.reports[len(desk.reports)-1].What, ReportConflict)
	a := b.nodes[0]
	a.expect(ReportConflict)
	b.desk = desk
	job := b.signing(9, "alice", wire.JobItem{Key: b.id + ".0", Message: []byte("x")})
	for i := range 3 { // the signing set's nodes are asked, by a gateway that did not see it
		b.nodes[i].out = nil
	}
	b.task(wire.SignTask(job, 0, []uint32{0}, nil), jobID(9))
	b.nobodyCommits(t)
	b.keys = b.keys[:len(b.keys)-1] // the second one is gone, and nodes start again
	for _, a := range b.nodes {
		a.restart()
	}
	b.nobodyCommits(t)
}

// nobodyCommits lets the nodes look for their keys until they give up.
func (b *batchTest) nobodyCommits(t *testing.T) {
	t.Helper()
	for _, a := range b.nodes {
		for range loadRetries + 1 {
			for _, timer := range slices.Clone(a.timers) {
				a.do(timer)
			}
		}
		for _, w := range a.out {
			if w.slot.Kind == wire.SlotCommit {
				t.Fatal("a node commits to sign with a key that has two entries")
			}
		}
	}
}

// A node that certified one of two entries is not confused by the other: its keystore
// holds one transcript, and it keeps to that.
func TestOtherEntry(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	head, deals := b.rival()
	b.post(wire.EntryHeadSubject(b.id, 0), head)
	for i, deal := range deals {
		b.post(wire.EntryDealSubject(b.id, 0, i), deal)
	}
	for _, a := range b.nodes {
		equal(t, "code", a.expect(ReportAborted).Code, wire.CodeOtherTranscript)
		equal(t, "complete", a.done[b.id], false)
	}
}

// A gateway fills KEYS with junk: it is dropped with a reason, and the rest is read.
func TestJunkInKeys(t *testing.T) {
	b, foreign := finished(t, "solana"), finished(t, "solana")
	junk := [][2]string{
		{wire.EntryHeadSubject(b.id, 0), "junk"}, {wire.EntryHeadSubject(b.id, 0), string(foreign.keys[0].Data)},
		{wire.EntryHeadSubject(b.id, 0), string(b.keys[1].Data)}, {wire.EntryDealSubject(b.id, 0, 0), "junk"},
		{"entry.x", "junk"}, {"manifest.x", "junk"},
	}
	desk, fresh := b.newDesk(), b.newActor(0)
	for _, to := range []interface{ do(Event) }{desk, fresh} {
		seq := uint64(0)
		for _, j := range junk {
			seq++
			to.do(ReadKeys(b.m, wire.LogMessage{Subject: j[0], Seq: seq, Data: []byte(j[1])}))
		}
		for _, m := range b.keys {
			m.Seq += seq
			to.do(ReadKeys(b.m, m))
		}
	}
	equal(t, "keys", desk.Keys(), 2)
	equal(t, "rebuilt", fresh.done[b.id], true)
	bad := 0
	for _, r := range desk.reports {
		if r.What == ReportBadEntry {
			bad++
		}
	}
	equal(t, "reports of junk", bad, 3)
}

// An entry comes from a backup, in any order, under any subject, twice: the id is that
// of its header.
func TestImported(t *testing.T) {
	b := finished(t, "bitcoin")
	fresh := b.newActor(1)
	var messages []wire.LogMessage
	for i, m := range slices.Concat(b.keys, b.keys) {
		kind := "deal.0"
		if _, head := wire.IsEntry(m.Subject); head {
			kind = "head"
		}
		m.Subject, m.Seq, m.Time = "entry."+someBatch+".0."+kind, uint64(i+1), time.Time{}
		messages = append(messages, m)
	}
	slices.Reverse(messages)
	for _, m := range messages {
		fresh.do(ReadKeys(b.m, m))
	}
	for _, m := range messages { // deals that came before the head
		fresh.do(ReadKeysAgain(b.m, m))
	}
	equal(t, "rebuilt", fresh.done[b.id], true)
	if !bytes.Equal(fresh.store[b.id].Batch.Shares.Expose(), b.nodes[1].store[b.id].Batch.Shares.Expose()) {
		t.Error("other shares")
	}
}

// An entry whose deals are missing keeps the jobs for its keys waiting; their answer
// is not that there is no such key.
func TestIncompleteEntry(t *testing.T) {
	f := agedFleet(t)
	f.desk = f.newDesk()
	for _, m := range f.keys {
		if m.Subject != wire.EntryDealSubject(f.btc, 0, 1) {
			f.desk.do(ReadKeys(f.m, m))
		}
	}
	job := f.signing(9, "alice", item(f.btc, 0, "a"))
	f.desk.arrive(job, nil)
	for range 2 * loadRetries {
		f.desk.timeout(timerLoad)
	}
	equal(t, "answers", len(f.desk.finished), 0)
	for _, m := range f.keys {
		f.desk.do(ReadKeysAgain(f.m, m))
	}
	f.desk.timeout(timerLoad)
	f.drain()
	(&signCase{aged: f, job: job}).done(1)
}

// KEYS refuses an entry, for ever: the batch is looked for there, as somebody else may
// have written it, and its keys are not announced.
func TestEntryNotWritten(t *testing.T) {
	f, job := certifiedJob(t)
	e := f.desk.writes[0].done()
	e.Err = errPanicked
	f.desk.do(e)
	equal(t, "results", len(f.desk.finished), 0)
	equal(t, "looked for", len(f.desk.fetch), 1)
	f.write(f.desk.writes[0]) // by another gateway
	f.check(wire.VerifyKeys(f.m, job, f.desk.result()))
}
