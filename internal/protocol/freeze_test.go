package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// adminKey is an administrator's.
func adminKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("administrator " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// withAdministrators gives every machine administrators, of whom two unfreeze.
func (f *fleet) withAdministrators(names ...string) {
	f.t.Helper()
	var list []wire.Administrator
	for _, name := range names {
		list = append(list, wire.Administrator{Name: name, Key: public(adminKey(name))})
	}
	f.access = must(f.access.WithAdministrators(list, min(len(names), 2)))
	f.each(AccessChanged{f.access})
}

func (f *fleet) each(ev Event) {
	for _, a := range f.nodes {
		a.do(ev)
	}
	if f.desk != nil {
		f.desk.do(ev)
	}
}

func freezing(scope wire.FreezeScope, name string, nonce byte) []byte {
	return wire.Encode(&wire.FreezeStatement{Action: wire.ActionFreeze, Scope: scope, Name: name, Reason: "stolen", Time: 1e9,
		Nonce: [16]byte{nonce}})
}

func (f *fleet) lifting(freezes ...[]byte) []byte {
	s := &wire.FreezeStatement{Action: wire.ActionUnfreeze, Reason: "replaced", Time: 1e9}
	for _, raw := range freezes {
		s.Lifts = append(s.Lifts, wire.FreezeID(f.m, raw))
	}
	return wire.Encode(s)
}

// says is a message of CONTROL, shown to every machine.
func (f *fleet) says(name string, statement []byte) {
	f.each(f.said(name, statement))
}

func (f *fleet) said(name string, statement []byte) ControlMessage {
	return ControlMessage{wire.LogMessage{Subject: wire.ControlSubject(name),
		Data: wire.FreezeMessage(statement, wire.SignFreeze(adminKey(name), f.m, name, statement))}}
}

// frozen is why a node refused its session; "" if it did not.
func (a *actor) refusal() wire.Code {
	for _, w := range a.out {
		if w.slot.Kind == wire.SlotRefuse {
			return must(wire.DecodeComplaint(w.body)).Code
		}
	}
	return ""
}

// In the step that sees a freeze of the client, the key or the fleet, a node wipes the
// nonces of what is frozen, and of nothing else.
func TestFreezeEndsSessions(t *testing.T) {
	for name, c := range map[string]struct {
		freeze func(s *signTest) []byte
		ends   bool
	}{
		"the fleet":      {func(*signTest) []byte { return freezing(wire.FreezeFleet, "", 1) }, true},
		"the client":     {func(*signTest) []byte { return freezing(wire.FreezeClient, "alice", 1) }, true},
		"a key":          {func(s *signTest) []byte { return freezing(wire.FreezeKey, s.request().Items[1].Key, 1) }, true},
		"another client": {func(*signTest) []byte { return freezing(wire.FreezeClient, "bob", 1) }, false},
		"another key":    {func(*signTest) []byte { return freezing(wire.FreezeKey, someBatch+".1", 1) }, false},
	} {
		s := begun(t)
		s.withAdministrators("x", "y", "z")
		a := s.at(0)
		equal(t, name+": phase", s.phase(0), signCommitted)
		a.out = nil
		s.says("x", c.freeze(s))
		_, nonces := a.Sessions()
		if c.ends {
			equal(t, name+": phase", s.phase(0), signOut)
			equal(t, name+": sessions with nonces", nonces, 0)
			equal(t, name+": refusal", a.refusal(), wire.CodeFrozen)
			equal(t, name+": a node that waits", s.phase(3), signOut)
			equal(t, name+": what that says", s.at(3).refusal(), "")
		} else {
			equal(t, name+": phase", s.phase(0), signCommitted)
			equal(t, name+": sessions with nonces", nonces, 1)
		}
		if a.freezes == nil {
			t.Errorf("%s: nothing is kept on the disk", name)
		}
	}
}

// request is the job of the session.
func (s *signTest) request() *wire.Job {
	return must2(s.task.Job.Parse(s.now))
}

func must2[T any](v T, err *wire.JobError) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Shares that are being made when the freeze comes are not published.
func TestFreezeWhileSharesAreMade(t *testing.T) {
	s := begun(t)
	s.withAdministrators("x")
	a := s.at(0)
	s.release(0, wire.SlotCommit)
	a.hold = true
	s.release(1, wire.SlotCommit)
	equal(t, "phase", s.phase(0), signComputing)
	a.out = nil
	s.says("x", freezing(wire.FreezeClient, "alice", 1))
	a.compute()
	for _, w := range a.out {
		if w.slot.Kind == wire.SlotShare {
			t.Error("a share leaves after the freeze")
		}
	}
	equal(t, "refusal", a.refusal(), wire.CodeFrozen)
}

// What left the machine and waits for the bus is stopped by its program, which asks.
func TestMessagesOfFrozenSessions(t *testing.T) {
	s := begun(t)
	s.withAdministrators("x")
	a := s.at(0)
	session := a.signer.sessions[s.id]
	commit, refusal := session.publish(wire.SlotCommit, nil), session.publish(wire.SlotRefuse, nil)
	if commit.FrozenBy(a.Frozen()) != nil {
		t.Error("nothing is frozen, and a commitment is stopped")
	}
	s.says("x", freezing(wire.FreezeClient, "alice", 1))
	if commit.FrozenBy(a.Frozen()) == nil || refusal.FrozenBy(a.Frozen()) != nil {
		t.Error("a frozen commitment may leave, or a refusal may not")
	}
}

// A node refuses sessions that begin while their client is frozen, draws nothing for them,
// and remembers that without CONTROL after a restart. A quorum ends it.
func TestFrozenSessionsDoNotBegin(t *testing.T) {
	f := agedFleet(t)
	f.withAdministrators("x", "y", "z")
	freeze := freezing(wire.FreezeClient, "alice", 1)
	f.says("x", freeze)
	for _, a := range f.nodes {
		a.restart() // CONTROL is empty
	}
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "one"))
	s.deliver()
	for i, a := range f.nodes {
		drawn, _, _ := a.NonceCounts()
		equal(t, "nonces drawn", drawn, 0)
		if a.refusal() != wire.CodeFrozen {
			t.Errorf("node %d says %q", i, a.refusal())
		}
	}
	bob := newSession(t, f, "bob", nil, item(f.bob, 0, "bob's"))
	bob.deliver()
	equal(t, "bob's session", bob.phase(0), signCommitted)
	lift := f.lifting(freeze)
	f.says("y", lift)
	f.says("y", lift)
	if f.nodes[0].Frozen().Client("alice") == nil {
		t.Error("one administrator unfreezes alone")
	}
	f.says("x", lift)
	f.says("x", freeze) // a copy
	again := newSession(t, f, "alice", nil, item(f.btc, 0, "two"))
	again.deliver()
	equal(t, "after the quorum", again.phase(0), signCommitted)
}

// A frozen client's key generations are given up, and no others.
func TestFreezeEndsKeygen(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.withAdministrators("x")
	for i, client := range []string{"alice", "bob"} {
		f.desk.arrive(f.keygen(i+1, client, "solana", 1), nil)
	}
	f.drainTasks()
	f.says("x", freezing(wire.FreezeClient, "alice", 1))
	f.drain()
	results := map[string]*wire.Result{}
	for _, e := range f.desk.finished {
		results[e.Result.Client] = e.Result
	}
	if r := results["alice"]; r == nil || r.Code != wire.CodeFrozen {
		t.Errorf("alice's keys: %+v", r)
	}
	if r := results["bob"]; r == nil || r.Status != wire.StatusDone {
		t.Errorf("bob's keys: %+v", r)
	}
	for i, a := range f.nodes {
		if !slices.ContainsFunc(a.reports, func(r Report) bool { return r.What == ReportAborted && r.Code == wire.CodeFrozen }) {
			t.Errorf("node %d does not give the batch up", i)
		}
	}
	before := len(f.nodes[0].batches())
	f.task(&wire.Task{Job: f.keygen(9, "alice", "solana", 1)}, jobID(9))
	equal(t, "batches begun while frozen", len(f.nodes[0].batches()), before)
}

func (a *actor) batches() map[string]*dkg { return a.dealer.batches }

// A gateway ends the jobs of whom is frozen, and answers others at once. Items with a
// frozen key are refused one by one.
func TestGatewayAnswersFrozenJobs(t *testing.T) {
	s := newSignCase(t)
	s.withAdministrators("x", "y")
	key := wire.KeyID{Batch: s.btc, Index: 1}.String()
	freeze := freezing(wire.FreezeKey, key, 1)
	s.says("x", freeze)
	r := s.desk.result() // the job in work has the key
	if r.Code != wire.CodeFrozen || r.Status != wire.StatusFailed || strings.Contains(r.Error, "stolen") {
		t.Fatalf("%s: %s", r.Code, r.Error)
	}
	s.desk.finished = nil
	s.desk.arrive(s.signing(10, "alice", item(s.btc, 0, "one"), item(s.btc, 1, "two")), nil)
	s.drain()
	r = s.desk.result()
	if r.Status != wire.StatusPartial || r.Sigs[1].Code != wire.CodeFrozen || len(r.Sigs[0].Signature) == 0 {
		t.Fatalf("with one key frozen: %s %s %s", r.Status, r.Code, r.Error)
	}
	s.desk.finished = nil
	client := freezing(wire.FreezeClient, "alice", 2)
	s.says("y", client)
	s.desk.arrive(s.signing(11, "alice", item(s.btc, 0, "one")), nil)
	equal(t, "code", s.desk.result().Code, wire.CodeFrozen)
	s.desk.finished = nil
	lift := s.lifting(freeze, client)
	s.says("x", lift)
	s.says("y", lift)
	s.desk.arrive(s.signing(12, "alice", item(s.btc, 0, "one"), item(s.btc, 1, "two")), nil)
	s.drain()
	equal(t, "status after the quorum", s.desk.result().Status, wire.StatusDone)
}

// A gateway that does not hear administrators is told by the nodes.
func TestDeafGateway(t *testing.T) {
	s := newSignCase(t)
	s.withAdministrators("x")
	for _, a := range s.nodes {
		a.do(s.said("x", freezing(wire.FreezeFleet, "", 1)))
	}
	s.drain()
	equal(t, "code", s.desk.result().Code, wire.CodeFrozen)
}

// Who becomes an administrator is heard from the beginning of CONTROL; whoever is none is
// reported and not obeyed.
func TestAdministratorsOfANewList(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.withAdministrators("x")
	a := f.nodes[0]
	message := f.said("y", freezing(wire.FreezeFleet, "", 1))
	a.do(message)
	a.expect(ReportBadControl)
	if a.Frozen().Client("alice") != nil {
		t.Error("a stranger freezes")
	}
	effects := a.Step(AccessChanged{must(f.access.WithAdministrators([]wire.Administrator{
		{Name: "y", Key: public(adminKey("y"))}}, 0))})
	if !slices.Contains(effects, Effect(Refetch{Control: true})) {
		t.Errorf("CONTROL is not read again: %v", effects)
	}
	a.do(message)
	if a.Frozen().Client("alice") == nil {
		t.Error("a new administrator is not heard")
	}
}
