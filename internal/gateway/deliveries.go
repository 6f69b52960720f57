package gateway

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// delivery is a job that JetStream gave to this gateway.
type delivery struct {
	bus.Delivery
	job   *protocol.CheckedJob
	span  *tracing.Span // nil if it is not traced
	since time.Time     // when it was stored, by this machine's clock
	done  chan struct{} // closed when the gateway has finished it
	given bool          // to the machine; guarded by deliveries.mu
}

// place is where the job is stored.
func (d *delivery) place() wire.JobPlace {
	m := d.Message()
	ref, _ := wire.ParseJob(m.Subject) // handle has looked
	_, approval := wire.IsApprove(m.Subject)
	return wire.JobPlace{Bulk: ref.Bulk, Approval: approval, Seq: m.Seq}
}

// givenBack is in place of a delivery that this gateway no longer holds.
func givenBack() *delivery {
	d := &delivery{done: make(chan struct{})}
	close(d.done)
	return d
}

// context ends with the delivery, or when stopping is closed.
func (d *delivery) context(stopping <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		select {
		case <-d.done:
		case <-stopping:
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// deliveries are those that this gateway holds, by the token that the machine
// knows them under.
type deliveries struct {
	mu    sync.Mutex
	held  map[uint64]*delivery
	token uint64 // the latest

	// survived counts the deliveries of a message that this gateway took and outlived.
	survived map[wire.JobPlace]int
}

// maxSurvived bounds what is remembered of messages that another gateway may have
// ended. Without it they only look more suspicious than they are.
const maxSurvived = 1 << 14

func (d *deliveries) add(job *delivery) (token uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held == nil {
		d.held = map[uint64]*delivery{}
	}
	d.token++
	d.held[d.token] = job
	return d.token
}

func (d *deliveries) get(token uint64) *delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held[token]
}

// tokens are those of all deliveries that are held.
func (d *deliveries) tokens() []uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.held))
}

// take removes a delivery and returns it. Only the first caller has it; it is nil
// for all others, and for one that was given back meanwhile.
func (d *deliveries) take(token uint64) *delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	job := d.held[token]
	delete(d.held, token)
	return job
}

// attempt counts the deliveries of a message that may have ended a gateway: not
// those that this one outlived. After an outage of NATS all jobs come again.
func (d *deliveries) attempt(job *delivery) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	place := job.place()
	n := job.Attempt() - d.survived[place]
	if n < 1 { // servers that forget who has which message count anew
		delete(d.survived, place)
		n = job.Attempt()
	}
	return n
}

// lived notes that a delivery did not end this gateway.
func (d *deliveries) lived(job *delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.survived == nil || len(d.survived) >= maxSurvived {
		d.survived = map[wire.JobPlace]int{}
	}
	d.survived[job.place()]++
	job.given = true
}

// forget ends what is remembered of a message.
func (d *deliveries) forget(job *delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.survived, job.place())
}

// inWork reports whether the machine works on an earlier delivery of the message.
func (d *deliveries) inWork(job *delivery) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, other := range d.held {
		if other.given && other.place() == job.place() {
			return true
		}
	}
	return false
}
