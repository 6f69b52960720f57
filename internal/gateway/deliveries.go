package gateway

import (
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/tracing"
)

// delivery is a job that JetStream gave to this gateway.
type delivery struct {
	bus.Delivery
	span  *tracing.Span // nil if it is not traced
	since time.Time     // when it was stored, by this machine's clock
	done  chan struct{} // closed when the gateway has finished it
}

// deliveries are those that this gateway holds, by the token that the machine
// knows them under.
type deliveries struct {
	mu    sync.Mutex
	held  map[uint64]*delivery
	token uint64 // the latest
}

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

// take removes a delivery and returns it. Only the first caller has it; it is nil
// for all others, and for one that was given back meanwhile.
func (d *deliveries) take(token uint64) *delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	job := d.held[token]
	delete(d.held, token)
	return job
}
