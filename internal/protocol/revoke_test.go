package protocol

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// change gives every machine the fleet's access list with changes.
func (f *fleet) change(r wire.Revoked, without ...string) {
	f.t.Helper()
	var clients []wire.Client
	for _, name := range slices.Sorted(maps.Keys(clientKinds)) {
		if !slices.Contains(without, name) {
			clients = append(clients, wire.Client{Name: name, Key: public(f.clients[name]), Kinds: clientKinds[name]})
		}
	}
	gateways := map[string]ed25519.PublicKey{"gw": public(f.gateway)}
	if slices.Contains(without, "gw") {
		gateways = nil
	}
	f.access = must(wire.NewAccess(clients, gateways, r))
	for _, a := range f.nodes {
		a.do(AccessChanged{f.access})
	}
	if f.desk != nil {
		f.desk.do(AccessChanged{f.access})
	}
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// identity is a revocation of a node by its key.
func (f *fleet) identityOf(node int) wire.Revoked {
	return wire.Revoked{Identities: [][]byte{f.m.Nodes[node].Identity}}
}

// A node that is revoked while it takes part in a session takes part no more, at
// nodes and gateway, and the job is done by the others.
func TestRevokedNodeLeavesSigning(t *testing.T) {
	for _, rank := range []int{0, 1} { // of the first two, who commit at once
		s := newSignCase(t)
		members := s.members()[:2]
		revoked := members[rank]
		// Shares of both were made and lie before the gateway.
		s.change(s.identityOf(revoked))
		for i, a := range s.nodes {
			if _, nonces := a.Sessions(); nonces != 0 {
				t.Errorf("node %d keeps nonces of a session that a revoked node is in", i)
			}
		}
		s.nodes[revoked].out = nil
		s.drain()
		for _, a := range s.nodes {
			for len(a.timers) > 0 {
				timer := a.timers[0]
				a.timers = a.timers[1:]
				a.do(timer)
			}
		}
		s.drain()
		if r := s.desk.result(); r.Status != wire.StatusDone {
			t.Fatalf("%s: %s", r.Code, r.Error)
		}
		task := must(wire.DecodeTask(
			must(s.access.FromGateway(s.m, s.work[len(s.work)-1].Subject, s.work[len(s.work)-1].Data)), s.m))
		if !slices.Contains(task.Exclude, uint8(revoked)) {
			t.Errorf("the last attempt excludes %v, node %d is revoked", task.Exclude, revoked)
		}
	}
}

// Messages of a revoked node, and those under a revoked session key, count nowhere.
func TestRevokedMessagesDoNotCount(t *testing.T) {
	for name, revoked := range map[string]func(f *fleet, node int) wire.Revoked{
		"index":    func(_ *fleet, node int) wire.Revoked { return wire.Revoked{Nodes: []int{node}} },
		"identity": (*fleet).identityOf,
		"session key": func(f *fleet, node int) wire.Revoked {
			return wire.Revoked{SessionKeys: [][]byte{f.sessions[node].Public()}}
		},
	} {
		s := begun(t)
		first, second := s.at(0), s.at(1)
		f := s.fleet
		first.cfg.Access = must(wire.NewAccess(nil, nil, revoked(f, second.cfg.Index)))
		first.opener.SetAccess(first.cfg.Access) // revoked before the session: nothing to sit out
		s.release(1, wire.SlotCommit)
		if first.signer.sessions[s.id].commits.has(second.cfg.Index) {
			t.Errorf("%s: the commitment of a revoked node counts", name)
		}
		c := newSignCase(t)
		c.change(revoked(c.fleet, 0))
		a := c.attempt()
		for i := range c.m.N {
			slot := wire.Slot{Kind: wire.SlotCommit, ID: a.id, Node: i}
			c.say(slot, wire.Encode(&wire.CommitBody{Session: a.session, Points: []byte{byte(i)}}))
		}
		if a.commits.has(0) || !a.commits.has(1) {
			t.Errorf("%s: at the gateway the commitment of node 0 counts", name)
		}
	}
}

// A revoked gateway opens nothing any more, and what it opened ends.
func TestRevokedGateway(t *testing.T) {
	for name, change := range map[string]func(*fleet){
		"revoked": func(f *fleet) { f.change(wire.Revoked{Gateways: []string{"gw"}}) },
		"removed": func(f *fleet) { f.change(wire.Revoked{}, "gw") },
	} {
		s := begun(t)
		change(s.fleet)
		for i := range 2 {
			equal(t, name+": phase", s.phase(i), signOut)
		}
		other := newSession(t, s.aged, "alice", nil, item(s.sol, 0, "later"))
		other.deliver()
		for _, a := range s.nodes {
			if a.signer.sessions[other.id] != nil {
				t.Errorf("%s: its task begins a session", name)
			}
			a.expect(ReportBadTask)
		}
		d := s.newDesk()
		d.do(AccessChanged{s.access})
		if v := d.JudgeTask(s.work[0], nil); v != wire.Junk {
			t.Errorf("%s: its task is %v at another gateway", name, v)
		}
	}
}

// The jobs of a client that is taken off the list end, and others go on.
func TestRemovedClient(t *testing.T) {
	s := newSignCase(t)
	s.desk.arrive(s.signing(10, "bob", item(s.bob, 0, "bob's")), nil)
	s.drainTasks()
	s.change(wire.Revoked{}, "alice")
	r := s.desk.result()
	equal(t, "client", r.Client, "alice")
	equal(t, "code", r.Code, wire.CodeUnknownClient)
	if len(s.desk.jobs) != 1 {
		t.Errorf("%d jobs go on, want bob's", len(s.desk.jobs))
	}
}

// A job that waited after its checks, while its client was taken off the list, does
// not begin.
func TestRemovedClientOfAWaitingJob(t *testing.T) {
	s := newSignCase(t)
	waiting := s.desk.checked(s.signing(10, "bob", item(s.bob, 0, "bob's")))
	s.change(wire.Revoked{}, "bob")
	s.desk.do(JobArrived{Token: 99, Job: waiting, Stored: s.now})
	if len(s.desk.jobs) != 1 || len(s.desk.rejected) != 1 {
		t.Fatalf("%d jobs go on, want alice's; %d are rejected", len(s.desk.jobs), len(s.desk.rejected))
	}
	equal(t, "code", s.desk.rejected[0].Result.Code, wire.CodeUnknownClient)
}

// A list that only adds somebody disturbs nothing.
func TestAddedClientDisturbsNothing(t *testing.T) {
	f := agedFleet(t)
	f.change(wire.Revoked{Nodes: []int{3}}, "carol")
	s := newSession(t, f, "alice", []uint8{3}, item(f.sol, 0, "two"))
	s.deliver()
	s.change(wire.Revoked{})
	equal(t, "phase", s.phase(0), signCommitted)
	s.release(0, wire.SlotCommit)
	s.release(1, wire.SlotCommit)
	equal(t, "phase", s.phase(0), signDone)
}

// While a node is revoked no keys are generated; those that are finished sign, and
// are rebuilt from the log with what the revoked node said then.
func TestRevokedNodeAndKeys(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk.arrive(f.keygen(1, "alice", "solana", 1), nil)
	f.drain()
	equal(t, "finished", f.desk.result().Status, wire.StatusDone)
	batch := f.desk.result().Batches[0].ID

	f.desk.arrive(f.keygen(2, "alice", "solana", 1), nil)
	for i := range f.nodes {
		f.nodes[i].mute = []wire.SlotKind{wire.SlotDeal} // the second generation is under way
	}
	f.drain()
	f.change(wire.Revoked{Nodes: []int{2}})
	f.drain()
	f.desk.arrive(f.keygen(3, "alice", "solana", 1), nil)
	f.drain()
	for i, r := range f.desk.finished[1:] {
		if r.Result.Code != wire.CodeKeygenFailed || !strings.Contains(r.Result.Error, "node 2 is revoked") {
			t.Errorf("key generation %d: %s: %s", i+2, r.Result.Code, r.Result.Error)
		}
	}
	equal(t, "answers", len(f.desk.finished), 3)
	for i, a := range f.nodes[:2] {
		r := a.expect(ReportAborted)
		if r.Code != wire.CodeRevoked || r.Culprit != 2 {
			t.Errorf("node %d: %v", i, r)
		}
		a.out = nil
		f.task(&wire.Task{Job: f.keygen(4, "alice", "solana", 1)}, jobID(4))
		equal(t, fmt.Sprintf("deals of node %d after the revocation", i), len(a.out), 0)
	}

	fresh := f.newActor(0)
	fresh.do(AccessChanged{f.access})
	fresh.replay()
	if !fresh.done[batch] {
		t.Error("a finished batch is not rebuilt once one of its nodes is revoked")
	}
	f.newLife()
	if f.desk.directory.finished[batch] == nil {
		t.Error("a gateway does not find a finished batch once one of its nodes is revoked")
	}
}

// What a revoked session key said of a batch in work does not count.
func TestRevokedSessionKeyAbortsNothing(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	job := f.keygen(1, "alice", "solana", 1)
	f.desk.arrive(job, nil)
	f.drainTasks()
	stolen := f.sessions[2]
	f.sessions = slices.Clone(f.sessions)
	f.sessions[2] = f.session(2)
	f.change(wire.Revoked{SessionKeys: [][]byte{stolen.Public()}})
	h := f.header(job, 0, 0)
	slot := wire.Slot{Kind: wire.SlotAbort, ID: wire.ShortID(h.Context(f.m)), Node: 2}
	body := wire.Encode(&wire.Complaint{Session: h.Context(f.m), Code: wire.CodeInternal, Reason: "stolen"})
	f.post(slot.String(), stolen.Seal(f.m, slot.String(), body))
	for _, r := range f.desk.reports {
		t.Errorf("after an abort under a revoked key: %v", r)
	}
	f.drain() // the nodes begin again, as each may have read something under the old list
	f.desk.timeout(timerRetry)
	f.drain()
	f.readAgain()
	if r := f.desk.result(); r.Status != wire.StatusDone || r.Attempts != 2 {
		t.Errorf("after an abort under a revoked key: %s, %d attempts: %s", r.Status, r.Attempts, r.Error)
	}
}

// A session key that ended long ago says nothing at nodes and gateways whose own
// clock is right, whatever time the bus gives its messages; nor does an old task.
func TestBackdatedMessages(t *testing.T) {
	f := agedFleet(t)
	old := f.sessions
	f.now = t0.Add(3 * 365 * 24 * time.Hour)
	f.sessions = nil
	for i := range f.m.N {
		f.sessions = append(f.sessions, f.session(i))
	}
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "one"))
	s.deliver()
	thief := s.order[1]
	w := s.at(1).want(wire.SlotCommit)
	msg := wire.LogMessage{Subject: w.slot.String(), Seq: 1, Time: t0.Add(time.Minute),
		Data: old[thief].Seal(s.m, w.slot.String(), w.body)}
	s.at(0).do(SignMessage{LogMessage: msg})
	if s.at(0).signer.sessions[s.id].commits.has(thief) {
		t.Error("a node takes a commitment under a session key of three years ago")
	}
	d := f.newDesk()
	for _, m := range f.keys {
		d.do(ReadKeys(f.m, m))
	}
	d.do(Tick{f.now})
	d.arrive(s.job, nil)
	msg.Subject = strings.Replace(msg.Subject, s.id, d.signing.jobs[d.jobs[jobKey("alice", jobID(7))]].last().id, 1)
	msg.Data = old[thief].Seal(s.m, msg.Subject, w.body)
	d.do(SignMessage{LogMessage: msg})
	if d.signing.jobs[d.jobs[jobKey("alice", jobID(7))]].last().commits.has(thief) {
		t.Error("a gateway takes a commitment under a session key of three years ago")
	}

	task := wire.SignTask(f.signing(8, "alice", item(f.btc, 0, "late")), 0, []uint32{0}, nil)
	subject := wire.TaskSubject(task, jobID(8))
	stored := wire.LogMessage{Subject: subject, Seq: 9, Time: f.now.Add(-wire.LiveAge - wire.ClockSkew - time.Second),
		Data: wire.SealGateway(f.gateway, "gw", f.m, subject, wire.Encode(task))}
	s.at(2).reports = nil
	s.at(2).do(TaskMessage{stored, f.now})
	s.at(2).expect(ReportBadTask)
}
