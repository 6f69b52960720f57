package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Bounds on what both machines remember of batches and sessions that they may never work on.
const (
	maxBoardBytes = 256 << 20
	boardLife     = wire.MaxJobLife + 10*time.Minute
	sessionLife   = 5 * time.Minute
)

// maxMoveBytes is how large the deals may be, together, of the batches that move, before another one begins. A single
// one may be larger: 1,000 keys take 1.5 GiB from a threshold of 128 to 128 of 128 nodes.
const maxMoveBytes = 64 << 20

// How often a machine looks for keys that it does not have yet. Another node may have seen the batch's last
// certificate earlier.
const (
	loadRetries = 60
	loadDelay   = 50 * time.Millisecond
)

// inlineChecks is up to how many items a commitment, or the items themselves, are checked on the spot: a detour over
// the pool would cost more.
const inlineChecks = 2

// inlineTask is the size, in bytes, up to which a task is opened on the spot: a
// detour over the pool would cost more. A larger one may list a thousand items.
const inlineTask = 8 << 10

// perItemWait is the time that an attempt gets for each of its items while nothing was measured.
const perItemWait = 20 * time.Millisecond

// attemptLife is how long a gateway waits for an attempt, from the moment that WORK shows it the task.
func attemptLife(items int) time.Duration {
	return 10*time.Second + 2*perItemWait*time.Duration(items)
}
