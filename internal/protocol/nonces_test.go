package protocol

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The nonce rules N1 to N4 (docs/protocol.md, section 6), each attacked. Besides what
// the tests say, every actor's watch ends the test when two shares come of one
// pair of nonces.

// counter counts what is read of it.
type counter struct {
	io.Reader
	read int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

// N1: nonces come from the generator and not from the session: the same
// session in another life has others, and they take fresh bytes for each item.
func TestN1FreshNonces(t *testing.T) {
	s := begun(t)
	a := s.at(0)
	one := a.want(wire.SlotCommit)
	source := &counter{Reader: rand.Reader}
	again := s.newActor(a.cfg.Index)
	again.store, again.done, again.cfg.Rand = a.store, a.done, source
	again.do(TaskMessage{s.work[0], s.now})
	two := again.want(wire.SlotCommit)
	c1, c2 := must(
		wire.NewOpener(s.m, nil).DecodeCommit(one.body, s.session, a.cfg.Index),
	), must(
		wire.NewOpener(s.m, nil).DecodeCommit(two.body, s.session, a.cfg.Index),
	)
	size := frost.Secp256k1TR.PointSize()
	for p := 0; p < len(c1.Points); p += size {
		for q := 0; q < len(c2.Points); q += size {
			if bytes.Equal(c1.Points[p:p+size], c2.Points[q:q+size]) ||
				p != q && bytes.Equal(c1.Points[p:p+size], c1.Points[q:q+size]) {
				t.Fatal("a nonce came twice")
			}
		}
	}
	if source.read < 2*32 {
		t.Errorf("two items took %d bytes of randomness", source.read)
	}
}

// N2: what holds the nonces prints nothing, and is empty after use.
func TestN2NoncesStayInMemory(t *testing.T) {
	s := begun(t)
	session := s.at(0).signer.sessions[s.id]
	nonces := session.nonces
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		if got := fmt.Sprintf(verb, nonces); got != "[secret]" {
			t.Errorf("%s prints %.80s", verb, got)
		}
	}
	s.release(0, wire.SlotCommit)
	s.release(1, wire.SlotCommit)
	if _, err := nonces.Sign(session.set); !errors.Is(err, frost.ErrNoncesUsed) || session.nonces != nil {
		t.Errorf("nonces after use: %v", err)
	}
}

// N3: the task comes again at every stage.
func TestN3TaskAgain(t *testing.T) {
	s := begun(t)
	for _, step := range []func(){
		func() {}, func() { s.release(0, wire.SlotCommit) }, func() { s.release(1, wire.SlotCommit) },
		func() { s.release(0, wire.SlotShare) }, func() { s.release(1, wire.SlotShare) },
	} {
		step()
		s.deliver()
	}
	for _, a := range s.nodes {
		for _, what := range []ReportKind{ReportCommitted, ReportShared} {
			if _, count := a.reported(what); count > 1 {
				t.Errorf("node %d: %s %d times", a.cfg.Index, what, count)
			}
		}
	}
}

// N3: the log's messages come again, in any order, before and after the share.
func TestN3MessagesAgain(t *testing.T) {
	s := begun(t)
	s.hedge(2)
	for _, rank := range []int{0, 2, 1} {
		s.release(rank, wire.SlotCommit)
	}
	for _, order := range [][]int{{2, 1, 0}, {1, 0, 2}, {0, 0, 0}} {
		for _, i := range order {
			for _, a := range s.nodes {
				a.do(SignMessage{LogMessage: s.sign[i]})
			}
		}
	}
	for i, want := range []int{1, 0, 1, 0} {
		if _, shared := s.at(i).reported(ReportShared); shared != want {
			t.Errorf("rank %d made %d shares", i, shared)
		}
	}
}

// N3: a lying broker shows a node one set and then another. The node answers
// the first and nothing more.
func TestN3TwoSets(t *testing.T) {
	for _, held := range []bool{false, true} { // the second set before and after the shares are made
		s := begun(t)
		s.hedge(2)
		me := s.at(0)
		messages := map[int]wire.LogMessage{}
		for rank := range 3 {
			w := s.at(rank).want(wire.SlotCommit)
			messages[rank] = wire.LogMessage{
				Subject: w.slot.String(),
				Seq:     uint64(rank),
				Time:    s.now,
				Data:    s.sessions[w.slot.Node].Seal(s.m, w.slot.String(), w.body),
			}
		}
		me.hold = held
		for _, rank := range []int{0, 1, 0, 2} {
			me.do(SignMessage{LogMessage: messages[rank]})
		}
		me.compute()
		for _, rank := range []int{2, 0, 1} {
			me.do(SignMessage{LogMessage: messages[rank]})
		}
		me.compute()
		share := must(wire.DecodeShare(me.want(wire.SlotShare).body, s.session))
		set := []frost.NonceCommitment{}
		for _, rank := range []int{0, 1} {
			c := must(
				wire.NewOpener(s.m, nil).DecodeCommit(s.at(rank).want(wire.SlotCommit).body, s.session, s.order[rank]),
			)
			set = append(set, frost.NonceCommitment{Index: s.order[rank], Points: c.Points})
		}
		equal(t, "set of the only share", share.Set, wire.SetHash(set))
	}
}

// N3: the set has a commitment of this node that this process did not make.
func TestN3OwnCommitmentReplaced(t *testing.T) {
	s := begun(t)
	twin := s.twin(0)
	theirs := twin.want(wire.SlotCommit)
	s.say(theirs.slot, theirs.body) // reaches the first process, which committed to something else
	equal(t, "first process", s.phase(0), signOut)
	s.release(1, wire.SlotCommit)
	if _, shared := s.at(0).reported(ReportShared); shared != 0 {
		t.Error("shared over another process's nonces")
	}
}

// N3: two processes with one index and one log: at most one of them shares.
func TestN3SecondProcess(t *testing.T) {
	s := begun(t)
	twin := s.twin(0)
	s.release(0, wire.SlotCommit)
	twin.fill(twin.want(wire.SlotCommit)) // finds the first's commitment
	equal(t, "twin", twin.signer.sessions[s.id].phase, signOut)
	s.release(1, wire.SlotCommit)
	for _, m := range s.sign {
		twin.do(SignMessage{LogMessage: m})
	}
	_, first := s.at(0).reported(ReportShared)
	_, second := twin.reported(ReportShared)
	equal(t, "shares", first+second, 1)
}

// N3: the slot is lost at every stage.
func TestN3SlotLost(t *testing.T) {
	for _, kind := range []wire.SlotKind{wire.SlotCommit, wire.SlotShare, wire.SlotRefuse} {
		for stage := range 4 {
			s := begun(t)
			a := s.at(0)
			lost := SlotLost{wire.Slot{Kind: kind, ID: s.id, Node: a.cfg.Index}}
			a.hold = stage == 2
			if stage > 0 {
				s.release(0, wire.SlotCommit)
			}
			if stage > 1 {
				s.release(1, wire.SlotCommit)
			}
			a.do(lost)
			a.compute() // what was under way is for nobody
			a.hold = false
			s.deliver()
			a.do(lost)
			if stage < 2 {
				s.at(1).out = nil
				s.hedge(2)
				s.release(2, wire.SlotCommit)
			}
			_, shared := a.reported(ReportShared)
			equal(t, fmt.Sprintf("shares when %s was lost at stage %d", kind, stage), shared, max(0, stage-2))
			if _, nonces := a.Sessions(); nonces != 0 {
				t.Errorf("%s, stage %d: nonces are still there", kind, stage)
			}
		}
	}
}

// N3: the task comes again after its session was dropped. A session begins
// once in a process: no second nonces, until the task itself is refused.
func TestN3SessionDropped(t *testing.T) {
	s := begun(t)
	s.release(0, wire.SlotCommit)
	a := s.at(0)
	expires := s.now.Add(10 * time.Minute)
	for _, now := range []time.Time{s.now.Add(2 * sessionLife), expires, expires.Add(wire.ClockSkew), expires.Add(wire.ClockSkew + time.Second)} {
		a.do(Tick{now})
		a.do(TaskMessage{s.work[0], now})
		equal(t, "sessions", len(a.signer.sessions), 0)
	}
	a.expect(ReportBadTask)
	a.do(Tick{s.now.Add(2 * (sessionLife + finishedLife))})
	equal(t, "sessions remembered when their job has expired", a.signer.finished.count(), 0)
	s.release(1, wire.SlotCommit)
	for _, what := range []ReportKind{ReportCommitted, ReportShared} {
		_, count := a.reported(what)
		equal(t, string(what), count, map[ReportKind]int{ReportCommitted: 1}[what])
	}
}

// N3: SIGN was lost: nothing of it is gone on with, and a late answer is for
// nobody.
func TestN3SignLost(t *testing.T) {
	s := begun(t)
	a := s.at(0)
	s.release(0, wire.SlotCommit)
	a.do(SignLost{})
	equal(t, "phase", s.phase(0), signOut)
	s.release(1, wire.SlotCommit)
	_, shared := a.reported(ReportShared)
	equal(t, "shares", shared, 0)
}

// N3: answers of computations that nobody waits for any more.
func TestN3LateAnswers(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "x"))
	a := s.at(0)
	a.hold = true
	s.deliver()
	a.do(Tick{s.now.Add(2 * sessionLife)}) // the session is gone, its nonces are being drawn
	a.do(TaskMessage{s.work[0], s.now})
	late := a.held[0].Run().(noncesMade)
	a.do(late)
	if _, err := late.nonces.Sign(nil); !errors.Is(err, frost.ErrNoncesUsed) {
		t.Errorf("late nonces were kept: %v", err)
	}
	equal(t, "wants", len(a.out), 0)
}

// N4: after a restart a node finds its own commitment, and no nonces for it.
func TestN4EarlierLife(t *testing.T) {
	s := begun(t)
	s.release(0, wire.SlotCommit)
	a := s.at(0)
	a.restart()
	a.expect(ReportSatOut)
	equal(t, "wants", len(a.out), 0)
	s.release(1, wire.SlotCommit)
	_, shared := a.reported(ReportShared)
	equal(t, "shares", shared, 0)
}

// N4: the commitment of an earlier life appears while nonces are being drawn,
// and while the node waits for its turn.
func TestN4EarlierLifeAppearsLate(t *testing.T) {
	for rank, want := range map[int]signPhase{0: signDrawing, 3: signStandby} {
		f := agedFleet(t)
		s := newSession(t, f, "alice", nil, item(f.btc, 0, "x"))
		a := s.at(rank)
		a.hold = true
		s.deliver()
		equal(t, "phase", s.phase(rank), want)
		earlier := s.twin(rank)
		if rank == 3 {
			earlier.do(Timer{s.id, timerStandby})
		}
		w := earlier.want(wire.SlotCommit)
		s.say(w.slot, w.body)
		a.do(Timer{s.id, timerStandby}) // on standby a node looks when its turn comes
		a.expect(ReportSatOut)
		a.compute()
		equal(t, "wants", len(a.out), 0)
		equal(t, "phase", s.phase(rank), signOut)
	}
}

// A session that nothing must come of: every event in every phase, no panic
// and never two shares.
func TestEveryEventInEverySignPhase(t *testing.T) {
	events := []func(s *signTest) Event{
		func(s *signTest) Event { return TaskMessage{s.work[0], s.now} },
		func(s *signTest) Event {
			return Loaded{s.id, s.at(0).load([]wire.KeyID{{Batch: s.btc, Index: 0}, {Batch: s.btc, Index: 1}})}
		},
		func(s *signTest) Event { return Loaded{"x", s.at(0).load([]wire.KeyID{{Batch: s.btc, Index: 0}})} },
		func(s *signTest) Event { return Loaded{s.id, nil} },
		func(s *signTest) Event { return Timer{s.id, timerStandby} },
		func(s *signTest) Event { return Timer{s.id, timerLoad} },
		func(s *signTest) Event { return SlotLost{wire.Slot{Kind: wire.SlotCommit, ID: s.id, Node: 0}} },
		func(s *signTest) Event { return SignLost{} },
		func(s *signTest) Event { return noncesMade{s: s.at(0).signer.sessions[s.id], err: io.EOF} },
		func(s *signTest) Event { return sharesMade{s: s.at(0).signer.sessions[s.id], err: io.EOF} },
		func(s *signTest) Event { return commitChecked{s: s.at(0).signer.sessions[s.id], pos: 99} },
		func(s *signTest) Event { return Tick{s.now.Add(2 * sessionLife)} },
	}
	for i, event := range events {
		for stage := range 4 {
			s := begun(t)
			a := s.at(0)
			if stage == 0 { // still loading
				a.done = map[string]bool{}
				a.signer.sessions = map[string]*signing{}
				a.out = nil
				s.deliver()
				a.done = s.at(1).done
			} else {
				for rank := range stage - 1 {
					s.release(rank, wire.SlotCommit)
				}
			}
			a.do(event(s))
			for _, m := range s.sign {
				a.do(SignMessage{LogMessage: m})
			}
			if _, shared := a.reported(ReportShared); shared > 1 {
				t.Errorf("event %d at stage %d: %d shares", i, stage, shared)
			}
		}
	}
}
