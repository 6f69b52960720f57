package worker

import (
	"runtime"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// maxRebuilds is how many batches may be rebuilt at once: some for each core,
// so that cores compute while a batch is written. A log of a million keys is
// read faster than it is worked on, and each batch holds a few MB.
func maxRebuilds() int { return 2*runtime.GOMAXPROCS(0) + 2 }

// rebuild computes and stores what a log message asked for. It returns once
// there is room for the next one, and so holds up the reading of the log. It
// is not called by the pool, which works on what is waited for here.
func (w *Worker) rebuild(e protocol.Compute) {
	select {
	case w.rebuilds <- struct{}{}:
	case <-w.ctx.Done(): // the pool has ended
		return
	}
	w.pool.Go(e.Urgent, func() {
		defer func() { <-w.rebuilds }()
		if ev := w.guard(e.Run); ev != nil {
			w.step(ev) // stores it
		}
	})
}
