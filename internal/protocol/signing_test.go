package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signTest is one signing session of the aged 2-of-4 fleet without a gateway,
// held before anything was published.
type signTest struct {
	aged
	job     wire.SignedJob
	task    *wire.Task
	session [32]byte
	id      string
	order   []int // nodes by rank: the first two commit at once
}

func newSession(t testing.TB, f aged, client string, exclude []uint8, items ...wire.JobItem) *signTest {
	t.Helper()
	f.desk = nil
	s := &signTest{aged: f, job: f.signing(7, client, items...)}
	s.task = wire.SignTask(s.job, 0, nil, exclude)
	for i := range items {
		s.task.Items = append(s.task.Items, uint32(i))
	}
	s.session = s.task.Session(f.m)
	s.id = wire.ShortID(s.session)
	s.order = ranking(s.session, exclude, f.m.N)
	return s
}

func begun(t testing.TB) *signTest {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "one"), item(f.btc, 1, "two"))
	s.deliver()
	return s
}

func (s *signTest) deliver() { s.fleet.task(s.task, jobID(7)) }

// at is the node of a rank.
func (s *signTest) at(rank int) *actor { return s.nodes[s.order[rank]] }

func (s *signTest) phase(rank int) signPhase { return s.at(rank).signer.sessions[s.id].phase }

func (s *signTest) release(rank int, kind wire.SlotKind) {
	s.t.Helper()
	w := s.at(rank).want(kind)
	s.at(rank).out = nil
	s.at(rank).fill(w)
}

// hedge fires the timer of a node of the second rank.
func (s *signTest) hedge(rank int) {
	s.t.Helper()
	timers := s.at(rank).timers
	if len(timers) == 0 || timers[len(timers)-1].Kind != timerStandby {
		s.t.Fatalf("node %d has no hedge timer", s.order[rank])
	}
	s.at(rank).do(timers[len(timers)-1])
}

// twin is a second process of the node of a rank: the same keys and session
// key, nothing else in common. It watches for nonces used twice together with
// the first.
func (s *signTest) twin(rank int) *actor {
	first := s.at(rank)
	a := s.newActor(first.cfg.Index)
	a.store, a.done, a.said = first.store, first.done, first.said
	a.do(TaskMessage{s.work[len(s.work)-1], s.now})
	return a
}

func TestRank(t *testing.T) {
	firsts := map[int]int{}
	for i := range 200 {
		session := [32]byte{byte(i)}
		seen := map[int]bool{}
		for node := range 5 {
			r := slices.Index(ranking(session, []uint8{3}, 5), node)
			if (r < 0) != (node == 3) || r >= 4 || seen[r] {
				t.Fatalf("node %d has rank %d", node, r)
			}
			seen[r] = true
			if r == 0 {
				firsts[node]++
			}
		}
	}
	if len(firsts) != 4 {
		t.Errorf("only these ever come first: %v", firsts)
	}
}

func TestSigning(t *testing.T) {
	for _, suite := range []string{"bitcoin", "solana"} {
		f := agedFleet(t)
		batch := f.btc
		if suite == "solana" {
			batch = f.sol
		}
		s := newSession(t, f, "alice", nil, item(batch, 0, "one"), item(batch, 1, "two"), item(batch, 1, "three"))
		s.deliver()
		equal(t, "rank 1", s.phase(1), signCommitted)
		equal(t, "rank 2", s.phase(2), signStandby)
		s.release(0, wire.SlotCommit)
		equal(t, "with one commitment", s.phase(0), signCommitted)
		s.release(1, wire.SlotCommit)
		equal(t, "with two", s.phase(0), signDone)
		s.hedge(2)
		equal(t, "not needed", s.phase(2), signOut)
		a, b := must(
			wire.DecodeShare(s.at(0).want(wire.SlotShare).body, s.session),
		), must(
			wire.DecodeShare(s.at(1).want(wire.SlotShare).body, s.session),
		)
		if a.Set != b.Set || len(a.Shares) != 3*32 || bytes.Equal(a.Shares, b.Shares) {
			t.Errorf("%s: shares %v and %v", suite, a, b)
		}
		for i := range 2 {
			if _, nonces := s.at(i).Sessions(); nonces != 0 || s.at(i).signer.sessions[s.id].items != nil {
				t.Errorf("%s: rank %d still holds nonces or shares", suite, i)
			}
		}
	}
}

// A signer of the second rank commits when the first does not, and only then.
func TestHedging(t *testing.T) {
	s := begun(t)
	s.release(0, wire.SlotCommit)
	s.hedge(2)
	s.release(2, wire.SlotCommit)
	equal(t, "first with the hedge", s.phase(0), signDone)
	equal(t, "hedge", s.phase(2), signDone)
	s.release(1, wire.SlotCommit)
	equal(t, "came too late", s.phase(1), signOut)
	s.at(3).do(Timer{s.id, timerStandby})
	equal(t, "nobody needs the last", s.phase(3), signOut)
}

// A signer of the second rank leaves when t others have filled the slots of
// their shares, whatever is in them; one node that does so twice is one.
func TestHedgeLeaves(t *testing.T) {
	s := begun(t)
	share := func(rank int) {
		s.post(wire.Slot{Kind: wire.SlotShare, ID: s.id, Node: s.order[rank]}.String(), []byte("unopened"))
	}
	share(0)
	share(0)
	equal(t, "one other", s.phase(2), signStandby)
	share(1)
	equal(t, "t others", s.phase(2), signOut)
	s.hedge(2)
	equal(t, "its time comes", s.phase(2), signOut)
	equal(t, "a signer of the first rank", s.phase(0), signCommitted)
}

// The own commitment counts when it comes back byte for byte and in time, and
// is then not verified; anything else in its place is judged as the others do.
func TestOwnCommitmentComesBack(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*wire.LogMessage)
		counts bool
	}{
		"as it was":           {func(*wire.LogMessage) {}, true},
		"after the key's end": {func(m *wire.LogMessage) { m.Time = m.Time.Add(wire.DelegationLife + wire.ClockSkew + time.Second) }, false},
		"one bit flipped":     {func(m *wire.LogMessage) { m.Data = bytes.Clone(m.Data); m.Data[len(m.Data)-1] ^= 1 }, false},
		"cut":                 {func(m *wire.LogMessage) { m.Data = m.Data[:len(m.Data)/2] }, false},
	} {
		s := begun(t)
		w, a := s.at(0).want(wire.SlotCommit), s.at(0)
		data := s.sessions[a.cfg.Index].Seal(s.m, w.slot.String(), w.body)
		a.do(Sealed{w.slot, data})
		m := wire.LogMessage{Subject: w.slot.String(), Seq: 1, Time: s.now, Data: data}
		test.change(&m)
		a.do(SignMessage{LogMessage: m})
		a.do(SignMessage{LogMessage: m})
		var others []int
		for _, c := range a.signer.sessions[s.id].commits.arrivals {
			others = append(others, c.Index)
		}
		if counts := slices.Equal(others, []int{a.cfg.Index}); counts != test.counts || len(others) > 1 {
			t.Errorf("%s: commitments %v, counts %v, want %v", name, others, counts, test.counts)
		}
		equal(t, name, s.phase(0), signCommitted)
	}
}

// The set is the first t valid commitments in the log. What is not valid is
// stepped over; a node's second message counts for nothing.
func TestSetIsTheFirstValid(t *testing.T) {
	good := func(s *signTest, rank int) []byte { return s.at(rank).want(wire.SlotCommit).body }
	bent := func(s *signTest, change func(*wire.CommitBody, *wire.Manifest)) []byte {
		var c wire.CommitBody
		must(0, wire.Decode(good(s, 0), wire.MaxMessageSize, &c))
		change(&c, s.m)
		return wire.Encode(&c)
	}
	attested := func(s *signTest, points []byte) []byte {
		node := s.order[0]
		return wire.Encode(
			&wire.CommitBody{
				Session:     s.session,
				Points:      points,
				Attestation: s.attestOne(node, wire.CommitLeaf(s.m, s.session, node, points)),
			},
		)
	}
	for name, bad := range map[string]func(s *signTest) []byte{
		"junk": func(*signTest) []byte { return []byte("x") },
		"another session": func(s *signTest) []byte {
			return bent(s, func(c *wire.CommitBody, _ *wire.Manifest) { c.Session[0]++ })
		},
		"not attested": func(s *signTest) []byte {
			return bent(s, func(c *wire.CommitBody, _ *wire.Manifest) { c.Attestation = nil })
		},
		"other points": func(s *signTest) []byte {
			return bent(s, func(c *wire.CommitBody, _ *wire.Manifest) { c.Points[0] ^= 1 })
		},
		"no points":       func(s *signTest) []byte { return attested(s, nil) },
		"one pair only":   func(s *signTest) []byte { return attested(s, make([]byte, 128)) },
		"no curve points": func(s *signTest) []byte { return attested(s, make([]byte, 256)) },
	} {
		s := begun(t)
		s.hedge(2)
		s.say(wire.Slot{Kind: wire.SlotCommit, ID: s.id, Node: s.order[0]}, bad(s))
		s.say(wire.Slot{Kind: wire.SlotCommit, ID: s.id, Node: s.order[0]}, good(s, 0)) // too late: the slot has its value
		s.release(1, wire.SlotCommit)
		equal(t, name+": set with one valid commitment", s.phase(1), signCommitted)
		s.release(2, wire.SlotCommit)
		equal(t, name+": rank 1", s.phase(1), signDone)
		equal(t, name+": rank 2", s.phase(2), signDone)
		equal(t, name+": rank 0", s.phase(0), signOut)
	}
}

// Three commitments are in the log before a slow node has its keys, whatever
// its rank: it draws no nonces.
func TestSlowNodeMeetsAFullSet(t *testing.T) {
	for _, items := range []int{1, 3} { // checked on the spot, and by computation
		for _, rank := range []int{0, 3} {
			f := agedFleet(t)
			var list []wire.JobItem
			for i := range items {
				list = append(list, item(f.btc, i%2, fmt.Sprint(i)))
			}
			s := newSession(t, f, "alice", nil, list...)
			slow := s.at(rank)
			s.nodes = slices.DeleteFunc(slices.Clone(s.nodes), func(a *actor) bool { return a == slow })
			s.deliver()
			for _, a := range s.nodes {
				for _, timer := range a.timers {
					a.do(timer)
				}
			}
			for _, a := range s.nodes {
				w := a.want(wire.SlotCommit)
				s.say(w.slot, w.body)
			}
			slow.hold = true
			slow.replay()
			if rank == 3 {
				slow.do(Timer{s.id, timerStandby})
			}
			slow.expect(ReportSatOut) // without a computation, so without nonces
			slow.compute()
			if _, committed := slow.reported(ReportCommitted); committed+len(slow.out) > 0 {
				t.Errorf("%d items, rank %d: commits to a set that stands", items, rank)
			}
		}
	}
}

func TestCommitSet(t *testing.T) {
	f := newFleet(t, 2, 4, func(m *wire.Manifest) { m.AttestSigning = false })
	c := commitSet{opener: wire.NewOpener(f.m, nil), session: [32]byte{1}, exclude: []uint8{3}}
	body := func(points string) []byte {
		return wire.Encode(&wire.CommitBody{Session: c.session, Points: []byte(points)})
	}
	for i, test := range []struct {
		node int
		body []byte
		ok   bool
	}{{2, body("a"), true}, {2, body("b"), false}, {3, body("c"), false}, {0, []byte("x"), false}, {0, body("d"), false}, {1, body("e"), true}} {
		if _, _, ok := c.add(test.node, test.body); ok != test.ok {
			t.Errorf("message %d: taken %v", i, ok)
		}
	}
	c.checked(2, nil)
	equal(t, "set while the first is open", len(c.set(2)), 0)
	equal(t, "maybeValid", c.maybeValid(), 2)
	c.checked(0, nil)
	set := c.set(2)
	equal(t, "set", fmt.Sprint(setIndices(set)), "[2 1]")
	equal(t, "its points", string(set[0].Points)+string(set[1].Points), "ae")
	other := slices.Clone(set)
	other[1].Points = []byte("f")
	if wire.SetHash(set) == wire.SetHash(other) ||
		wire.SetHash(set) == wire.SetHash([]frost.NonceCommitment{set[1], set[0]}) {
		t.Error("sets that differ have one hash")
	}
	c.checked(0, errPanicked)
	equal(t, "set without its first commitment", len(c.set(2)), 0)
}

// Commitments that come before the task wait for it.
func TestCommitmentsBeforeTheTask(t *testing.T) {
	s := begun(t)
	late := s.newActor(s.order[1])
	late.store, late.done = s.at(1).store, s.at(1).done
	s.release(0, wire.SlotCommit)
	for _, m := range s.sign {
		late.do(SignMessage{LogMessage: m})
	}
	late.do(TaskMessage{s.work[0], s.now})
	late.fill(late.want(wire.SlotCommit))
	late.do(SignMessage{LogMessage: s.sign[len(s.sign)-1]})
	equal(t, "late node", late.signer.sessions[s.id].phase, signDone)
}

// Checks of large commitments are computed elsewhere and answer in any order.
func TestChecksOutOfOrder(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "1"), item(f.btc, 0, "2"), item(f.btc, 0, "3"))
	s.deliver()
	s.hedge(2)
	me := s.at(1)
	me.hold = true
	s.release(2, wire.SlotCommit)
	s.release(0, wire.SlotCommit)
	s.release(1, wire.SlotCommit)
	equal(t, "waits for checks", s.phase(1), signCommitted)
	second := me.held[1].Run()
	me.do(second) // rank 0 is valid; rank 2, before it in the log, is open
	equal(t, "still waits", s.phase(1), signCommitted)
	me.do(me.held[0].Run())
	equal(t, "not among the first two", s.phase(1), signOut)
}

func TestExcluded(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", []uint8{1, 2}, item(f.btc, 0, "x"))
	s.deliver()
	for _, i := range s.task.Exclude {
		s.nodes[i].expect(ReportSatOut)
		points := make([]byte, 128)
		s.say(
			wire.Slot{Kind: wire.SlotCommit, ID: s.id, Node: int(i)},
			wire.Encode(&wire.CommitBody{Session: s.session, Points: points,
				Attestation: s.attestOne(int(i), wire.CommitLeaf(s.m, s.session, int(i), points))}),
		)
	}
	s.release(0, wire.SlotCommit)
	s.release(1, wire.SlotCommit)
	equal(t, "rank 0", s.phase(0), signDone)
}

// What a node refuses, with its code, although a gateway asked for it.
func TestRefusals(t *testing.T) {
	f := agedFleet(t)
	short := item(f.btc, 0, "x")
	short.Message = short.Message[:31]
	rooted := item(f.sol, 0, "x")
	rooted.ScriptRoot = make([]byte, 32)
	long := item(f.sol, 0, "x")
	long.Message = make([]byte, frost.MaxMessage+1)
	for name, test := range map[string]struct {
		items []wire.JobItem
		code  wire.Code
	}{
		"another's key":      {[]wire.JobItem{item(f.bob, 0, "x")}, wire.CodeNotOwner},
		"another's among":    {[]wire.JobItem{item(f.btc, 0, "x"), item(f.bob, 0, "x")}, wire.CodeNotOwner},
		"another's child":    {[]wire.JobItem{below(item(f.bob, 0, "x"), "0/1")}, wire.CodeNotOwner},
		"child among roots":  {[]wire.JobItem{item(f.btc, 0, "x"), below(item(f.bob, 0, "x"), "0/1")}, wire.CodeNotOwner},
		"child of two":       {[]wire.JobItem{below(item(f.btc, 0, "x"), "1"), below(item(f.sol, 0, "x"), "1")}, wire.CodeBadMessage},
		"short message":      {[]wire.JobItem{short}, wire.CodeBadMessage},
		"long message":       {[]wire.JobItem{long}, wire.CodeBadMessage},
		"empty message":      {[]wire.JobItem{{Key: wire.KeyID{Batch: f.sol, Index: 0}.String()}}, wire.CodeBadMessage},
		"mixed suites":       {[]wire.JobItem{item(f.btc, 0, "x"), item(f.sol, 0, "x")}, wire.CodeBadMessage},
		"script root":        {[]wire.JobItem{rooted}, wire.CodeBadTweak},
		"no such key":        {[]wire.JobItem{item(someBatch, 0, "x")}, wire.CodeUnknownKey},
		"no such key's last": {[]wire.JobItem{item(f.btc, 2, "x")}, wire.CodeUnknownKey},
	} {
		s := newSession(t, agedFleet(t), "alice", nil, test.items...)
		s.deliver()
		a := s.at(0)
		loads := 1
		for ; len(a.out) == 0 && loads < 2*loadRetries && len(a.timers) > 0; loads++ {
			a.do(a.timers[len(a.timers)-1])
		}
		c := must(wire.DecodeComplaint(a.want(wire.SlotRefuse).body))
		equal(t, name, c.Code, test.code)
		equal(t, name+": session", c.Session, s.session)
		if test.code == wire.CodeUnknownKey {
			equal(t, name+": looked", loads, loadRetries)
		}
		s.deliver()
		if len(a.out) != 1 {
			t.Errorf("%s: asked again it says %v", name, a.out)
		}
	}
}

// A key that turns up late is signed with.
func TestKeyTurnsUp(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "x"))
	a := s.at(0)
	a.done = map[string]bool{}
	s.deliver()
	equal(t, "phase", s.phase(0), signLoading)
	a.done = s.at(1).done
	a.do(Timer{s.id, timerLoad})
	a.want(wire.SlotCommit)
}

// A batch that is certified and not complete must not sign.
func TestIncompleteBatchDoesNotSign(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	b.release(0, wire.SlotCert)
	b.release(1, wire.SlotCert)
	job := b.signing(2, "alice", item(b.id, 0, "x"))
	b.fleet.task(wire.SignTask(job, 0, []uint32{0}, nil), jobID(2))
	for _, a := range b.nodes {
		if _, committed := a.reported(ReportCommitted); committed != 0 {
			t.Errorf("node %d commits for a key that is not certified by all", a.cfg.Index)
		}
	}
}

func TestSignTaskBounds(t *testing.T) {
	for name, change := range map[string]func(*wire.Task){
		"part 1":       func(t *wire.Task) { t.Part = 1 },
		"no items":     func(t *wire.Task) { t.Items = nil },
		"item too far": func(t *wire.Task) { t.Items = []uint32{2} },
	} {
		f := agedFleet(t)
		s := newSession(t, f, "alice", nil, item(f.btc, 0, "x"), item(f.btc, 1, "x"))
		change(s.task)
		s.deliver()
		s.nodes[0].expect(ReportBadTask)
		equal(t, name+": sessions", len(s.nodes[0].signer.sessions), 0)
	}
}

func TestCommitFailsWithoutRandomness(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "x"))
	s.at(0).cfg.Rand = bytes.NewReader(nil)
	s.deliver()
	equal(t, "code", must(wire.DecodeComplaint(s.at(0).want(wire.SlotRefuse).body)).Code, wire.CodeInternal)
}

func TestSessionsEnd(t *testing.T) {
	s := begun(t)
	s.at(0).do(Tick{s.now.Add(sessionLife)})
	equal(t, "sessions", len(s.at(0).signer.sessions), 1)
	nonces := s.at(0).signer.sessions[s.id].nonces
	s.at(0).do(Tick{s.now.Add(sessionLife + time.Second)})
	equal(t, "sessions after the time", len(s.at(0).signer.sessions), 0)
	if _, err := nonces.Sign(nil); !errors.Is(err, frost.ErrNoncesUsed) {
		t.Errorf("nonces of a session that ended: %v", err)
	}
}
