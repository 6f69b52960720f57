package bus

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// flights are the attempts that wait for an answer, by full subject. A lost
// connection or a denied permission ends them at once instead of by time-out.
type flights struct {
	mu   sync.Mutex
	next uint64
	wait map[uint64]flight
}

type flight struct {
	subject string
	cancel  context.CancelCauseFunc
}

// start gives the attempt a context that ends with the first of ctx, limit,
// fail and done; context.Cause tells which.
func (f *flights) start(ctx context.Context, limit time.Duration, subject string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ctx, stop := context.WithTimeout(ctx, limit)
	f.mu.Lock()
	if f.wait == nil {
		f.wait = make(map[uint64]flight)
	}
	f.next++
	id := f.next
	f.wait[id] = flight{subject: subject, cancel: cancel}
	f.mu.Unlock()
	return ctx, func() {
		f.mu.Lock()
		delete(f.wait, id)
		f.mu.Unlock()
		stop()
		cancel(nil)
	}
}

func (f *flights) fail(subject string, cause error) {
	f.end(func(s string) bool { return s == subject }, cause)
}

func (f *flights) failAll(cause error) {
	f.end(func(string) bool { return true }, cause)
}

func (f *flights) end(match func(string) bool, cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.wait {
		if match(w.subject) {
			w.cancel(cause)
		}
	}
}

// backoff waits 10 ms, doubling to 1 s, each with a random half.
type backoff struct{ wait time.Duration }

func (b *backoff) sleep(ctx context.Context) error {
	b.wait = min(max(2*b.wait, 10*time.Millisecond), time.Second)
	t := time.NewTimer(b.wait/2 + rand.N(b.wait/2)) // jitter, not a secret
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
