package machine

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

// A bulk computation runs on a thread that gives way to others, and the step with its
// event, which has the machine's lock, does not.
func TestStepsDoNotGiveWay(t *testing.T) {
	priority := func() int {
		p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
		if err != nil {
			t.Error(err)
		}
		return p
	}
	usual, computing, stepping := priority(), 0, make(chan int, 1)
	b := newBench(t, func(_ *bench, c *Config[*script]) {
		c.Machine.step = func(ev protocol.Event) []protocol.Effect {
			switch ev {
			case timer("begin"):
				return []protocol.Effect{protocol.Compute{Run: func() protocol.Event {
					computing = priority()
					return timer("computed")
				}}}
			case timer("computed"):
				stepping <- priority()
			}
			return nil
		}
	})
	ctx := t.Context()
	go b.pool.Run(ctx)
	b.Step(timer("begin"))
	if p := <-stepping; p != usual {
		t.Errorf("priority %d in the step, want %d", p, usual)
	}
	if lowest := 1; computing >= usual && usual > lowest {
		t.Errorf("priority %d in the computation, %d elsewhere", computing, usual)
	}
}
