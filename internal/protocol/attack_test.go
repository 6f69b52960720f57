package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What computations beside the machine could break: their answers come late, twice,
// in another order, or when the log shows something else.

// bulkTask is a session whose task is too large to be opened in its step.
func bulkTask(t testing.TB) *signTest {
	f := agedFleet(t)
	var items []wire.JobItem
	for i := range 200 {
		items = append(items, item(f.btc, 0, fmt.Sprint(i)))
	}
	return newSession(t, f, "alice", nil, items...)
}

// N3: copies of a task that are opened side by side begin one session.
func TestN3TaskOpenedTwice(t *testing.T) {
	s := bulkTask(t)
	a := s.at(0)
	a.hold = true
	s.deliver()
	a.do(TaskMessage{s.work[0], s.now})
	a.do(TaskMessage{s.work[0], s.now})
	equal(t, "tasks being opened", len(a.held), 3)
	a.hold = false
	a.compute()
	_, committed := a.reported(ReportCommitted)
	equal(t, "commitments", committed, 1)
	drawn, _, _ := a.NonceCounts()
	equal(t, "nonces drawn", drawn, 200)
}

// N3, N4: a copy of a task that was long in opening begins nothing: neither while
// its session is remembered, nor when the job has expired and it no longer is.
func TestN3TaskOpenedLate(t *testing.T) {
	s := bulkTask(t)
	a := s.at(0)
	s.deliver()
	a.hold = true
	a.do(TaskMessage{s.work[0], s.now})
	a.do(TaskMessage{s.work[0], s.now})
	late := a.held
	a.held, a.hold = nil, false
	a.do(Tick{s.now.Add(2 * sessionLife)})
	a.do(late[0].Run())
	equal(t, "sessions", len(a.signer.sessions), 0)
	a.do(Tick{s.now.Add(sessionLife + 2*finishedLife)})
	a.do(Tick{s.now.Add(sessionLife + 4*finishedLife)})
	equal(t, "sessions remembered", a.signer.finished.count(), 0)
	a.do(late[1].Run())
	equal(t, "sessions", len(a.signer.sessions), 0)
	if r := a.expect(ReportBadTask); !strings.Contains(r.Reason, "expired") {
		t.Errorf("refused by %q", r.Reason)
	}
	_, committed := a.reported(ReportCommitted)
	equal(t, "commitments", committed, 1)
}

// N4: after a restart the own commitment is read before the task is opened.
func TestN4TaskOpenedAfterRestart(t *testing.T) {
	s := bulkTask(t)
	s.deliver()
	s.release(0, wire.SlotCommit)
	a := s.at(0)
	a.hold = true
	a.restart()
	equal(t, "tasks being opened", len(a.held), 1)
	a.hold = false
	a.compute()
	a.expect(ReportSatOut)
	_, nonces := a.Sessions()
	equal(t, "sessions with nonces, and messages", nonces+len(a.out), 0)
}

// N3: keys that come twice draw nonces once, and no share of them is left.
func TestN3LoadedTwice(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "a"), item(f.btc, 0, "b"), item(f.btc, 0, "c"))
	a := s.at(0)
	a.hold = true
	s.deliver()
	var second []LoadedKey
	for range 2 {
		second = a.load([]wire.KeyID{{Batch: f.btc}, {Batch: f.btc}, {Batch: f.btc}})
		a.do(Loaded{s.id, second})
	}
	a.hold = false
	a.compute()
	drawn, _, _ := a.NonceCounts()
	equal(t, "nonces drawn", drawn, 3)
	for _, k := range second {
		equal(t, "bytes of a share that nobody needs", len(k.Key.Share.Expose()), 0)
	}
}

// Shares of keys are wiped whatever becomes of the session that loaded them.
func TestSharesAreWiped(t *testing.T) {
	for name, end := range map[string]func(s *signTest, a *actor){
		"signed": func(s *signTest, a *actor) {
			a.hold = false
			a.compute()
			s.release(0, wire.SlotCommit)
			s.release(1, wire.SlotCommit)
			equal(s.t, "phase", s.phase(0), signDone)
		},
		"dropped while nonces are drawn": func(s *signTest, a *actor) {
			a.do(SignLost{})
			a.compute()
		},
		"slot lost while nonces are drawn": func(s *signTest, a *actor) {
			a.do(SlotLost{wire.Slot{Kind: wire.SlotCommit, ID: s.id, Node: a.cfg.Index}})
			a.compute()
		},
		"expired while nonces are drawn": func(s *signTest, a *actor) {
			a.do(Tick{s.now.Add(11 * time.Minute)})
			a.compute()
		},
		"revoked while nonces are drawn": func(s *signTest, a *actor) {
			s.change(s.identityOf(s.order[1]))
			a.compute()
		},
		"dropped while shares are made": func(s *signTest, a *actor) {
			a.compute()
			s.release(0, wire.SlotCommit)
			s.release(1, wire.SlotCommit)
			equal(s.t, "phase", s.phase(0), signComputing)
			a.do(SignLost{})
			a.compute()
		},
		"dropped with nonces": func(s *signTest, a *actor) {
			a.compute()
			a.do(SignLost{})
		},
		"no randomness": func(_ *signTest, a *actor) { a.compute() },
		"stopped": func(_ *signTest, a *actor) {
			a.compute()
			a.do(Stop{})
		},
	} {
		f := agedFleet(t)
		s := newSession(t, f, "alice", nil, item(f.btc, 0, "x"))
		a := s.at(0)
		a.hold = true
		if name == "no randomness" {
			a.cfg.Rand = bytes.NewReader(nil)
		}
		s.deliver()
		share := a.signer.sessions[s.id].items[0].Key.Share
		end(s, a)
		equal(t, name+": bytes of the share", len(share.Expose()), 0)
	}
}

// Stop wipes every secret, and nothing begins after it.
func TestStop(t *testing.T) {
	s := begun(t)
	a := s.at(0)
	nonces, host, seed := a.signer.sessions[s.id].nonces, a.cfg.Host, a.cfg.SeedSecret
	a.do(Stop{})
	if _, err := nonces.Sign(nil); !errors.Is(err, frost.ErrNoncesUsed) {
		t.Errorf("nonces are left: %v", err)
	}
	for _, key := range []*secret.Bytes{host, seed} {
		equal(t, "bytes of a derived key", len(key.Expose()), 0)
	}
	drawn, used, dropped := a.NonceCounts()
	equal(t, "nonces held", drawn-used-dropped, 0)
	equal(t, "effects of a later event", len(a.Step(Recertify{Batch: wire.BatchRef{ID: someBatch}})), 0)
	late := a.load([]wire.KeyID{{Batch: s.btc}})
	a.do(Loaded{s.id, late})
	equal(t, "bytes of a share that came after the end", len(late[0].Key.Share.Expose()), 0)
}

// What is under way when a node is stopped is wiped when it arrives.
func TestStopWhileComputing(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "x"))
	a := s.at(0)
	a.hold = true
	s.deliver()
	share := a.signer.sessions[s.id].items[0].Key.Share
	made := a.held[0].Run().(noncesMade)
	a.do(Stop{})
	a.do(made)
	if _, err := made.nonces.Sign(nil); !errors.Is(err, frost.ErrNoncesUsed) {
		t.Errorf("nonces are left: %v", err)
	}
	equal(t, "bytes of the share", len(share.Expose()), 0)

	b := dealt(t, "solana")
	a = b.nodes[0]
	a.hold = true
	b.releaseAll(wire.SlotDeal)
	verified := a.held[0].Run().(dealsVerified)
	a.do(Stop{})
	a.do(verified)
	equal(t, "bytes of new shares", len(verified.record.Batch.Shares.Expose()), 0)
	equal(t, "messages", len(a.out), 0)
}

// An answer that comes after the end has no effect, whatever was asked.
func TestStopAtEveryComputation(t *testing.T) {
	asked := map[string]int{}
	end := func(a *actor) {
		for _, c := range a.held {
			asked[c.Name]++
			answer := c.Run()
			a.Step(Stop{})
			equal(t, "effects after "+c.Name, len(a.Step(answer)), 0)
		}
	}
	for round := range 5 {
		s := bulkTask(t)
		a := s.at(0)
		a.hold = true
		s.deliver()
		for i := range round {
			if a.compute(); i == 2 {
				s.release(0, wire.SlotCommit)
				s.release(1, wire.SlotCommit)
			}
		}
		end(a)
	}
	f := newFleet(t, 2, 3).start()
	f.nodes[0].hold = true
	f.desk.arrive(f.keygen(1, "alice", "solana", 2), nil)
	f.drain()
	end(f.nodes[0])
	b := dealt(t, "solana")
	b.nodes[0].hold = true
	b.releaseAll(wire.SlotDeal)
	end(b.nodes[0])
	for _, name := range []string{
		"open task", "check items", "draw nonces", "check commitment", "make shares", "make deal", "verify deals",
	} {
		if asked[name] == 0 {
			t.Errorf("no node was stopped during %q: %v", name, asked)
		}
	}
}

// Computations read nothing that steps change: for the race detector.
func TestComputationsBesideTheMachine(t *testing.T) {
	s := bulkTask(t)
	a := s.at(0)
	a.hold = true
	s.deliver()
	a.do(TaskMessage{s.work[0], s.now})
	for len(a.held) > 0 {
		held := a.held
		a.held = nil
		answers := make([]Event, len(held))
		var running sync.WaitGroup
		for i, c := range held {
			running.Go(func() { answers[i] = c.Run() })
		}
		for i := range s.m.N { // new delegations, and a slot's junk
			slot := wire.Slot{Kind: wire.SlotCommit, ID: s.id, Node: i}
			data := s.fleet.session(i).Seal(s.m, slot.String(), []byte("junk"))
			a.do(SignMessage{LogMessage: wire.LogMessage{Subject: slot.String(), Seq: 1, Time: t0.AddDate(1, 0, 0), Data: data}})
			a.do(StandbyDelayChanged{0})
			a.do(Tick{s.now})
		}
		running.Wait()
		for _, ev := range answers {
			a.do(ev)
		}
	}
	a.expect(ReportCommitted)
}

// A node certifies the deals that it checked, though the log shows another one
// meanwhile that comes first: the others certify what they read, and no key is
// made of two views.
func TestCertifiesWhatItChecked(t *testing.T) {
	b := dealt(t, "solana")
	twin := b.newActor(2)
	twin.do(TaskMessage{b.work[0], t0})
	other := twin.want(wire.SlotDeal)
	a := b.nodes[0]
	a.hold = true
	b.releaseAll(wire.SlotDeal)
	checked := wire.Transcript(a.dealer.board.Get(b.id).Digests())
	data := b.sessions[2].Seal(b.m, other.slot.String(), other.body)
	a.do(RoundsMessage{wire.LogMessage{Subject: other.slot.String(), Seq: 0, Time: t0, Data: data}})
	if wire.Transcript(a.dealer.board.Get(b.id).Digests()) == checked {
		t.Fatal("the log shows the same as before")
	}
	a.hold = false
	a.compute()
	equal(t, "certified", a.said.transcripts[b.id], checked)
	equal(t, "stored", wire.Transcript(wire.DealDigests(a.store[b.id].Deals)), checked)
}

// Every event and effect prints as one line, and nothing secret with it.
func TestPrint(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	var lines []string
	f.step = func(_ string, ev Event, step func(Event) []Effect) []Effect {
		effects := step(ev)
		for _, format := range []string{"%s", "%v", "%+v", "%#v"} {
			lines = append(lines, fmt.Sprintf(format, ev))
			for _, e := range effects {
				lines = append(lines, fmt.Sprintf(format, e))
			}
		}
		return effects
	}
	f.desk.arrive(f.keygen(1, "alice", "bitcoin", 2), nil)
	f.drain()
	batch := f.desk.finished[0].Result.Batches[0].ID
	f.desk.arrive(f.signing(2, "alice", item(batch, 0, "x")), nil)
	f.drain()
	var secrets []string
	for i, a := range f.nodes {
		share := a.store[batch].Batch.Shares.Expose()[:32]
		for _, s := range [][]byte{share, f.host[i][:]} {
			list := fmt.Sprint(s)
			secrets = append(secrets, string(s), fmt.Sprintf("%x", s), strings.Trim(list, "[]"),
				strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", s), "[]byte{"), "}"))
		}
	}
	for i, line := range lines {
		for _, s := range secrets {
			if strings.Contains(line, s) {
				t.Errorf("a secret is printed: %.200s", line)
			}
		}
		if goSyntax := strings.HasPrefix(line, "protocol."); !goSyntax && (len(line) > 300 || strings.Contains(line, "\n")) {
			t.Errorf("line %d: %.400q", i, line)
		}
	}
	if len(lines) < 200 {
		t.Errorf("only %d lines were printed", len(lines))
	}
}

// The shares of a session that is dropped while its items are checked are wiped when
// that is done.
func TestSharesOfCheckedItemsAreWiped(t *testing.T) {
	f := agedFleet(t)
	items := []wire.JobItem{item(f.sol, 0, "1"), item(f.sol, 1, "2"), item(f.sol, 0, "3")}
	s := newSession(t, f, "alice", nil, items...)
	a := s.at(0)
	a.hold = true
	var shares []*secret.Bytes
	f.step = func(who string, ev Event, step func(Event) []Effect) []Effect {
		if e, ok := ev.(Loaded); ok && who == fmt.Sprintf("node %d", a.cfg.Index) {
			for _, k := range e.Keys {
				shares = append(shares, k.Key.Share)
			}
		}
		return step(ev)
	}
	s.deliver()
	equal(t, "phase", s.phase(0), signLoading)
	equal(t, "computations", len(a.held), 1)
	a.do(SignLost{})
	a.compute()
	equal(t, "shares", len(shares), 3)
	for _, share := range shares {
		equal(t, "bytes of a share", len(share.Expose()), 0)
	}
}

// A certificate proves itself, so a broker may give it any time: that of 1970 makes
// no node forget a batch that it works on, and deal in it again.
func TestCertificateOfLongAgo(t *testing.T) {
	b := dealt(t, "solana")
	a := b.nodes[0]
	one := a.want(wire.SlotDeal)
	cert := wire.Certificate{Context: b.header(b.job, 0, 0).Context(b.m), Node: 2}
	cert.Attestation = b.attestOne(2, cert.Leaf(b.m))
	slot := wire.Slot{Kind: wire.SlotCert, ID: b.id, Node: 2}
	for seq, at := range []time.Time{time.Unix(1000, 0), {}, b.now.Add(-24 * time.Hour)} {
		a.do(RoundsMessage{wire.LogMessage{Subject: slot.String(), Seq: uint64(seq + 1), Time: at,
			Data: b.sessions[2].Seal(b.m, slot.String(), wire.Encode(&cert))}})
		a.do(Tick{b.now.Add(time.Second)})
		a.do(TaskMessage{b.work[0], b.now.Add(time.Second)})
		if two := a.want(wire.SlotDeal); !bytes.Equal(one.body, two.body) {
			t.Errorf("certificate of %s: the node deals again", at)
		}
	}
}
