package buswatch

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Sample is how the bus was when the Watcher last looked. What could not be asked is
// missing, with two exceptions: ClockOffset stays, and so does a follower that
// is known to be behind.
type Sample struct {
	At  time.Time
	RTT time.Duration // to the server and back; 0 while disconnected

	// ClockOffset is this machine's clock minus the server's: of the server that
	// leads the first declared stream that is asked about (JOBS with
	// Options.AllStreams). 0 if it is within the error of the comparison, or
	// was never compared.
	ClockOffset time.Duration
	ClockKnown  bool // this sample compared the clocks; otherwise ClockOffset is an older one's

	Streams     []StreamState
	Leaderless  []bus.Stream   // asked about, without an answer: they are missing, or have no leader
	Storage     []StorageState // only with Options.AllStreams
	Consumers   []ConsumerState
	Followers   []FollowerState
	Credentials []natsconn.Credential
}

// StreamState is how much a stream holds.
type StreamState struct {
	Stream          bus.Stream
	Messages, Bytes uint64
	Last            uint64 // sequence: how many were ever stored
	MaxBytes        int64  // <= 0: none
	Replicas        int    // copies that it should have
	Current         int    // copies that are there and complete; 0 without a leader
	AtQuota         int    // of JOBS and BULK: subjects, a client's and a kind's, that take no more

	// Damaged is how many messages of KEYS, which deletes none, a copy of it lacks: as
	// the leader's server knows, or as this program found when it read them.
	Damaged uint64
}

// StorageState is what the fleet's account takes of the server's storage.
type StorageState struct {
	Kind  string // StorageFile or StorageMemory
	Used  uint64 // bytes
	Limit int64  // bytes; <= 0: none that the server reports
}

// The kinds of storage.
const (
	StorageFile   = "file"
	StorageMemory = "memory"
)

// ConsumerState is what waits at a declared consumer.
type ConsumerState struct {
	Durable        string
	Pending        uint64 // not delivered yet
	Unacknowledged uint64 // delivered, at any process
}

// FollowerState is how far reading is behind the end of a stream, from the start
// on. If the stream could not be asked about there is one only if reading is
// behind what the stream held before: then by that, and for longer and longer.
type FollowerState struct {
	Stream bus.Stream
	Behind uint64        // messages
	For    time.Duration // to the interval of Run
}

// StreamTime is what the clock of the stream that ClockOffset is about showed when
// this machine's showed at; false if they were never compared, or Run does not run. It
// is wrong by half the round trip of the quickest of the last answers at most, and
// after a clock was set or another server leads by their difference, until the next
// comparison. at is when they were compared last, and carries the monotonic clock: so a
// caller can tell what it learned since, and a clock that was set since changes nothing.
func (w *Watcher) StreamTime() (at, stream time.Time, ok bool) {
	t, fresh := w.fresh()
	if !fresh || t.compared.IsZero() {
		return at, stream, false
	}
	return t.compared, t.compared.Add(-t.ClockOffset), true
}

// taken is a sample and for how long it counts.
type taken struct {
	Sample
	compared time.Time // when the clocks were compared last; zero: never
	lagging  error
	broken   error
	every    time.Duration
}

// Sample is the last one of Run; false if there is none, or if it is older
// than three intervals.
func (w *Watcher) Sample() (Sample, bool) {
	t, ok := w.fresh()
	return t.Sample, ok
}

func (w *Watcher) fresh() (taken, bool) {
	t := w.sampled.Load()
	if t == nil || time.Since(t.At) > 3*t.every {
		return taken{}, false
	}
	return *t, true
}

// Offset is this machine's clock minus the server's, as last compared: also
// without a connection, but only while Run runs.
func (w *Watcher) Offset() time.Duration {
	t, _ := w.fresh()
	return t.ClockOffset
}

// Lagging returns which stream is read more than 30 s behind its end, or could not
// be asked about for 30 s although there is a connection; nil if none, or if
// Run does not run. A follower that still reads what was stored when it began
// does not lag yet, and has 30 s after that for what came in meanwhile.
func (w *Watcher) Lagging() error {
	t, _ := w.fresh()
	return t.lagging
}
