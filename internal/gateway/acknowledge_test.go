package gateway

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
)

// acked counts acknowledgements.
type acked struct {
	fake
	n *atomic.Int32
}

func (a acked) Ack(context.Context) error { a.n.Add(1); return nil }

// TestAcknowledgedSoon: few jobs that have ended wait until they are acknowledged, none beyond
// them, and none once the gateway stops.
func TestAcknowledgedSoon(t *testing.T) {
	w := newWorld(t)
	g, stop := w.start()
	g.ackDelay = time.Hour
	var n atomic.Int32
	end := func() { g.acknowledgeSoon(&delivery{Delivery: acked{fake{}, &n}}) }
	for range mostDelayed {
		if !g.run.Go(end) {
			t.Fatal("the gateway has ended")
		}
	}
	eventually(t, "some wait", func() bool { return g.delayed.Load() == mostDelayed })
	if end(); n.Load() != 1 {
		t.Errorf("%d jobs are acknowledged, and one is too many to wait", n.Load())
	}
	stop()
	if n.Load() != mostDelayed+1 || g.delayed.Load() != 0 {
		t.Errorf("%d of %d jobs are acknowledged in the end, %d wait", n.Load(), mostDelayed+1, g.delayed.Load())
	}
	g.ackDelay = time.Millisecond
	if end(); n.Load() != mostDelayed+2 {
		t.Error("a job is not acknowledged")
	}
}

var _ bus.Delivery = acked{}
