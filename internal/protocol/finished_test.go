package protocol

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func someSession(i int) string { return wire.ShortID(frost.Hash("session", wire.Be32(i))) }

// However many sessions end, no more than two generations are remembered, and
// always the last ones.
func TestFinishedSessionsIsBounded(t *testing.T) {
	const limit = 10
	s := newFinishedSessions(limit)
	for i := range 10 * limit {
		s.add(someSession(i), t0)
		for k := max(0, i-limit+1); k <= i; k++ {
			if !s.has(someSession(k)) {
				t.Fatalf("session %d is forgotten after %d", k, i)
			}
		}
		if s.count() > 2*limit {
			t.Fatalf("%d sessions are remembered", s.count())
		}
	}
	if s.has(someSession(0)) {
		t.Error("the first session is remembered for ever")
	}
}

// A session is remembered for finishedLife, and not for twice as long.
func TestFinishedSessionsExpires(t *testing.T) {
	for _, start := range []time.Duration{0, 1, finishedLife / 2, finishedLife, finishedLife + time.Second} {
		s := newFinishedSessions(10)
		s.expire(t0)
		now := t0.Add(start)
		s.expire(now)
		s.add(someSession(1), now)
		for age := time.Duration(0); age <= 2*finishedLife+2*time.Minute; age += time.Minute {
			s.expire(now.Add(age))
			if has := s.has(someSession(1)); age <= finishedLife && !has || age > 2*finishedLife+time.Minute && has {
				t.Errorf("start %s, age %s: remembered %v", start, age, has)
			}
		}
	}
}

// N1, N3: a session that was forgotten begins again as after a restart: with
// other nonces, and what was said to the first ones yields no share.
func TestN3SessionForgotten(t *testing.T) {
	s := begun(t)
	a := s.at(0)
	first := string(a.signer.sessions[s.id].points)
	s.release(0, wire.SlotCommit)
	a.signer.finished = newFinishedSessions(1)
	a.do(Tick{s.now.Add(2 * sessionLife)})
	for i := range 2 {
		a.signer.finished.add(someSession(i), s.now)
	}
	equal(t, "remembered", a.signer.finished.has(s.id), false)
	a.do(TaskMessage{s.work[0], s.now})
	again := a.signer.sessions[s.id]
	if again == nil || again.nonces == nil || string(again.points) == first {
		t.Fatal("the session did not begin again with other nonces")
	}
	for _, m := range s.sign { // a broker shows it its first commitment, and the other's
		a.do(SignMessage{LogMessage: m})
	}
	s.release(1, wire.SlotCommit)
	_, shared := a.reported(ReportShared)
	equal(t, "shares", shared, 0)
	if _, nonces := a.Sessions(); nonces != 0 {
		t.Error("nonces are still there")
	}
}

// count is how many sessions are remembered.
func (s *finishedSessions) count() int { return len(s.young) + len(s.old) }
