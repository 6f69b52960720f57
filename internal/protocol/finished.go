package protocol

import (
	"encoding/hex"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// finishedSessions remembers sessions that are over, so that a task which is shown
// again does not begin one a second time. Each is remembered until its job has
// expired and the task is refused, but no more than so many: beyond that the
// oldest are forgotten first.
//
// Forgetting one is no danger to nonces. It is what a restart does to all: the
// session's own nonces were wiped when it ended, and should it begin again it
// draws others (N1, N2), which no message of the first time was made with.
//
// There are two generations; when the young one is full or has lasted long
// enough, it becomes the old one, and the old one is dropped.
type finishedSessions struct {
	limit      int // sessions in a generation
	young, old map[sessionID]struct{}
	since      time.Time // start of the young generation
}

type sessionID [16]byte

const (
	// maxFinished sessions take 20 MiB in both generations. At 500 sessions a
	// second, the last 9 minutes at least are remembered; SIGN keeps 10.
	maxFinished = 1 << 18
	// finishedLife is how long a task may be good after its session began.
	finishedLife = wire.MaxJobLife + 2*wire.ClockSkew
)

func newFinishedSessions(limit int) *finishedSessions {
	return &finishedSessions{limit: limit, young: map[sessionID]struct{}{}}
}

// key is a session's id as 16 bytes.
func (s *finishedSessions) key(id string) (key sessionID) {
	if _, err := hex.Decode(key[:], []byte(id)); err != nil {
		panic("session id: " + err.Error()) // wire.ShortID or wire.ParseSlot made it
	}
	return key
}

func (s *finishedSessions) has(id string) bool {
	key := s.key(id)
	_, young := s.young[key]
	_, old := s.old[key]
	return young || old
}

func (s *finishedSessions) add(id string, now time.Time) {
	if len(s.young) >= s.limit {
		s.turn(now)
	}
	s.young[s.key(id)] = struct{}{}
}

func (s *finishedSessions) turn(now time.Time) {
	s.old, s.young, s.since = s.young, map[sessionID]struct{}{}, now
}

// expire drops what is old enough.
func (s *finishedSessions) expire(now time.Time) {
	if now.Sub(s.since) > finishedLife {
		s.turn(now)
	}
}
