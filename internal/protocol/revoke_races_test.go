package protocol

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A large task is opened beside the machine. What is revoked meanwhile is revoked for
// it too: its gateway, its client, and this very node.
func TestRevokedWhileATaskIsOpened(t *testing.T) {
	for name, change := range map[string]func(*fleet){
		"gateway revoked": func(f *fleet) { f.change(wire.Revoked{Gateways: []string{"gw"}}) },
		"gateway removed": func(f *fleet) { f.change(wire.Revoked{}, "gw") },
		"client removed":  func(f *fleet) { f.change(wire.Revoked{}, "alice") },
		"nodes revoked":   func(f *fleet) { f.change(wire.Revoked{Nodes: []int{0, 1, 2, 3}}) },
		"nobody":          func(f *fleet) { f.change(wire.Revoked{}, "carol") },
	} {
		f := agedFleet(t)
		var items []wire.JobItem
		for i := range 100 {
			items = append(items, item(f.btc, i%2, fmt.Sprint(i)))
		}
		s := newSession(t, f, "alice", nil, items...)
		for _, a := range f.nodes {
			a.hold = true
		}
		s.deliver()
		change(s.fleet)
		for i, a := range f.nodes {
			equal(t, name+": tasks being opened", len(a.held), 1)
			a.compute()
			for len(a.held) > 0 && a.signer.sessions[s.id] == nil {
				a.compute()
			}
			if begun := a.signer.sessions[s.id] != nil; begun != (name == "nobody") {
				t.Errorf("%s: node %d has begun: %v", name, i, begun)
			}
		}
	}
}

// A job that is given up as poison is its client's, if that is still listed, and takes
// the place of no other job of its id.
func TestPoisonIsJudgedByTheList(t *testing.T) {
	s := newSignCase(t)
	waiting := s.desk.checked(s.signing(10, "bob", item(s.bob, 0, "bob's")))
	s.change(wire.Revoked{}, "bob")
	s.desk.do(JobPoisoned{Token: 99, Job: waiting, Deliveries: 26})
	if len(s.desk.finished) != 0 || len(s.desk.rejected) != 1 {
		t.Fatalf("%d answers are stored, %d are not", len(s.desk.finished), len(s.desk.rejected))
	}
	equal(t, "code", s.desk.rejected[0].Result.Code, wire.CodeUnknownClient)

	other := s.desk.checked(s.signing(9, "alice", item(s.btc, 1, "under the id of the job in work")))
	s.desk.do(JobPoisoned{Token: 100, Job: other, Deliveries: 26})
	if len(s.desk.finished) != 0 || len(s.desk.rejected) != 2 {
		t.Fatalf("%d answers are stored, %d are not", len(s.desk.finished), len(s.desk.rejected))
	}
	equal(t, "code", s.desk.rejected[1].Result.Code, wire.CodeJobIDReused)
}

// Nodes give up the key generations of a client that may have none any more, and go
// on with those of others.
func TestKeysOfARemovedClient(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	ids := map[string]string{}
	for i, client := range []string{"alice", "bob"} {
		job := f.keygen(i+1, client, "solana", 1)
		ids[client] = wire.ShortID(f.header(job, 0, 0).Context(f.m))
		f.desk.arrive(job, nil)
	}
	f.drainTasks()
	f.change(wire.Revoked{}, "alice")
	f.drain()
	for i, a := range f.nodes {
		if a.done[ids["alice"]] || a.store[ids["alice"]] != nil {
			t.Errorf("node %d makes keys for a client that was taken off the list", i)
		}
		if !a.done[ids["bob"]] {
			t.Errorf("node %d has no keys for a client that is on the list", i)
		}
	}
}

// What a revoked session key said of a batch before its task came does not count
// either: ids of batches follow from their jobs, so a thief can be first.
func TestRevokedSessionKeyBeforeTheTask(t *testing.T) {
	for _, kind := range []wire.SlotKind{wire.SlotAbort, wire.SlotDeal} {
		f := newFleet(t, 2, 3).start()
		job := f.keygen(1, "alice", "solana", 1)
		stolen := f.sessions[2]
		f.sessions = slices.Clone(f.sessions)
		f.sessions[2] = f.session(2)
		f.change(wire.Revoked{SessionKeys: [][]byte{stolen.Public()}})
		h := f.header(job, 0, 0)
		slot := wire.Slot{Kind: kind, ID: wire.ShortID(h.Context(f.m)), Node: 2}
		body := wire.Encode(&wire.Complaint{Session: h.Context(f.m), Code: wire.CodeInternal, Reason: "stolen"})
		f.post(slot.String(), stolen.Seal(f.m, slot.String(), body))
		f.desk.arrive(job, nil)
		f.drain()
		if r := f.desk.result(); r.Status != wire.StatusDone || r.Attempts != 1 {
			t.Errorf("%s under a revoked key: %s, %d attempts: %s", kind, r.Status, r.Attempts, r.Error)
		}
		batch := f.desk.result().Batches[0].ID
		f.newLife() // reads it all again
		if f.desk.directory.finished[batch] == nil {
			t.Errorf("%s under a revoked key: the finished batch is not found", kind)
		}
		fresh := f.newActor(0)
		fresh.replay()
		if !fresh.done[batch] {
			t.Errorf("%s under a revoked key: the finished batch is not rebuilt", kind)
		}
	}
}

// A finished batch stays what it is if the session key of a deal is revoked later.
func TestDealUnderAKeyThatIsRevokedLater(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk.arrive(f.keygen(1, "alice", "solana", 1), nil)
	f.drain()
	batch := f.desk.result().Batches[0].ID
	f.change(wire.Revoked{SessionKeys: [][]byte{f.sessions[2].Public()}})
	fresh := f.newActor(0)
	fresh.replay()
	for _, id := range fresh.fetch {
		equal(t, "fetched again", id, batch)
		for _, m := range f.keys {
			fresh.do(ReadKeysAgain(f.m, m))
		}
	}
	if !fresh.done[batch] {
		t.Error("a node does not rebuild it")
	}
	f.newLife()
	for range f.desk.fetch {
		for _, m := range f.keys {
			f.desk.do(ReadKeysAgain(f.m, m))
		}
	}
	if f.desk.directory.finished[batch] == nil {
		t.Error("a gateway does not find it")
	}
}

// A node steps over what its revoked session key left in its slot, as everybody does.
func TestJudgeUnderARevokedKey(t *testing.T) {
	s := begun(t)
	a := s.at(0)
	w := a.want(wire.SlotCommit)
	stolen := s.sessions[a.cfg.Index]
	msg := wire.LogMessage{Subject: w.slot.String(), Seq: 1, Time: s.now}
	msg.Data = stolen.Seal(s.m, w.slot.String(), []byte{1})
	if v := a.Judge(w.slot, msg, w.body); v != wire.Other {
		t.Fatalf("before the revocation it is %v", v)
	}
	s.change(wire.Revoked{SessionKeys: [][]byte{stolen.Public()}})
	if v := a.Judge(w.slot, msg, w.body); v != wire.Junk {
		t.Errorf("after the revocation it is %v", v)
	}
}

// How far a gateway got with a job counts until that is revoked: it could have been at
// the last attempt with all of them.
func TestAttemptsOfARevokedGateway(t *testing.T) {
	s := newSignCase(t)
	job := s.signing(10, "bob", item(s.bob, 0, "bob's"))
	s.fleet.task(wire.SignTask(job, wire.MaxAttempts, []uint32{0}, nil), jobID(10))
	s.change(wire.Revoked{Gateways: []string{"gw"}})
	s.desk.tasks = nil
	s.desk.arrive(job, nil)
	if len(s.desk.finished) != 0 || len(s.desk.tasks) != 1 {
		t.Fatalf("%d tasks, %d answers", len(s.desk.tasks), len(s.desk.finished))
	}
	equal(t, "attempt", must(wire.DecodeTask(s.desk.tasks[0].Body, s.m)).Attempt, 0)
}

// The nonces of a session that ends are wiped, and not only let go of.
func TestNoncesAreWipedWithTheirSession(t *testing.T) {
	for name, end := range map[string]func(*signTest){
		"revocation": func(s *signTest) { s.change(wire.Revoked{Gateways: []string{"gw"}}) },
		"expiry":     func(s *signTest) { s.tick(11 * time.Minute) },
		"stop":       func(s *signTest) { s.at(0).do(Stop{}) },
	} {
		s := begun(t)
		nonces := s.at(0).signer.sessions[s.id].nonces
		end(s)
		if _, err := nonces.Sign(nil); !errors.Is(err, frost.ErrNoncesUsed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
