package protocol

import (
	"bytes"
	"cmp"
	"maps"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// How fast a node goes through the attempts of one job. A gateway may open any of them,
// up to MaxAttempts, and each costs a node a deal, or nonces. Honest ones pause in
// between, so a node does not go faster than they do.

// partID is a part of a key generation.
type partID struct {
	digest [32]byte // of the job
	part   uint32
}

func (id partID) compare(other partID) int {
	return cmp.Or(bytes.Compare(id.digest[:], other.digest[:]), cmp.Compare(id.part, other.part))
}

// part is how far a node is with the attempts at a part.
type part struct {
	client  string
	job     *wire.Job
	trace   string
	began   time.Time                 // the first task of it that this node saw
	waiting map[uint32]waitingAttempt // attempts that came too early
}

// waitingAttempt is how a gateway opened one.
type waitingAttempt struct {
	gateway string
	form    uint32 // wire.Task.Form
}

// maxParts is how many parts a node remembers. Gateways have 4 batches in work each, and
// no job lives longer than an hour; a malicious one may name as many as clients sign.
const maxParts = 1 << 13

// maxFaults is how many attempts may end by a fault; restarts are no fault.
const maxFaults = 4

// keygenPause is how long a gateway waits after an attempt. It doubles: the rounds keep
// every attempt's deals for a while, and a node that always gives up must not fill them.
func keygenPause(attempt int) time.Duration {
	return min(250*time.Millisecond<<min(attempt, 10), time.Minute)
}

// freeAttempts may be opened at once: so many end a part by faults.
const freeAttempts = maxFaults

// attemptDue is how long after a part was begun a node takes an attempt: half as long as
// gateways pause, since each measures by a clock of its own. It waits for none that an
// honest gateway opens.
func attemptDue(attempt uint32) (after time.Duration) {
	if attempt < freeAttempts {
		return 0
	}
	for i := range attempt {
		after += keygenPause(int(i)) / 2
	}
	return after
}

// attemptRate is how many sessions of one sign job a node begins for one gateway: so
// many at once, and one more each attemptEvery. A gateway whose attempts are dropped
// opens others.
type attemptRate struct {
	full map[jobOf]time.Time // when the job may have as many at once as at first
}

type jobOf struct{ job, gateway string }

const (
	attemptEvery = 5 * time.Second
	// someAttempts is what a gateway opens of one job within moments, beside one for
	// each node that may be proven faulty.
	someAttempts = 8
)

// take reports whether another attempt of a job may begin.
func (r *attemptRate) take(of jobOf, atOnce int, now time.Time) bool {
	full := later(r.full[of], now)
	if full.Sub(now) > time.Duration(atOnce-1)*attemptEvery {
		return false
	}
	if r.full == nil {
		r.full = map[jobOf]time.Time{}
	}
	r.full[of] = full.Add(attemptEvery)
	return true
}

// expire forgets the jobs that are as if they had begun nothing.
func (r *attemptRate) expire(now time.Time) {
	maps.DeleteFunc(r.full, func(_ jobOf, full time.Time) bool { return !full.After(now) })
}
