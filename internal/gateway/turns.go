package gateway

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
)

// A job that ends every gateway which works on it takes down the deliveries of all
// jobs that the gateway holds, and JetStream counts them all. So that the innocent
// are not given up with it, a gateway takes a suspicious job, one that came more than
// suspectAfter times, only when it has no other one in work, in an order that is drawn
// anew in each life of a gateway. Of m innocent ones beside one that kills, half are
// finished before it has its turn, on average: after the twenty lives up to
// maxDeliveries, m in 2^20 are left.
const (
	suspectAfter  = 5
	maxDeliveries = 25
	turnSpread    = 3 * time.Second  // drawn before a job queues: the order
	turnTime      = 10 * time.Second // after which one that is slow, and kills nobody, holds up no other
)

// turns lets in one suspicious job at a time.
type turns struct{ busy chan *delivery }

func newTurns() *turns { return &turns{busy: make(chan *delivery, 1)} }

// await waits for a delivery's turn, which ends with the delivery or after turnTime.
// It is false if the gateway stops or the delivery ends before.
func (t *turns) await(stopping <-chan struct{}, d *delivery) bool {
	ctx, cancel := d.context(stopping)
	defer cancel()
	if backoff.Sleep(ctx, rand.N(turnSpread)) != nil { // an order, not a secret
		return false
	}
	select {
	case t.busy <- d:
	case <-ctx.Done():
		return false
	}
	go func() {
		end := time.NewTimer(turnTime)
		defer end.Stop()
		select {
		case <-d.done:
		case <-stopping:
		case <-end.C:
		}
		<-t.busy
	}()
	return true
}

// seldom is a line of the log that many jobs have a reason for.
type seldom struct{ last atomic.Int64 }

// noticeEvery is how often such a line is logged.
const noticeEvery = 30 * time.Second

// due reports whether the line is to be logged now.
func (s *seldom) due() bool {
	now, last := time.Now().UnixNano(), s.last.Load()
	return (last == 0 || now-last >= int64(noticeEvery)) && s.last.CompareAndSwap(last, now)
}
