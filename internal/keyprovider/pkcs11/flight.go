//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// hangTime is how long a call may go on after a caller that did not wait for
// it, before it counts as one that hangs. A call that outlived a deadline
// counts at once.
const hangTime = 5 * time.Second

// A flight is work in the library on a goroutine of its own: C code knows no
// context, so the caller leaves and the work goes on.
type flight struct {
	action string // in the library's words, for errors
	key    string
	began  time.Time
	done   chan struct{}
	err    error                  // once done
	op     atomic.Pointer[report] // the call under way, for the observer

	// cutShort tells, once done, that it ended with its caller's context.
	cutShort bool

	mu     sync.Mutex
	left   error // why its caller did not wait: ctx.Err()
	landed bool
	out    []byte // for the caller; wiped if that one has left
}

// flights are those in the air.
type flights struct {
	mu   sync.Mutex
	all  map[*flight]struct{}
	shut bool
}

// add tells whether it may start.
func (fs *flights) add(f *flight) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.shut {
		return false
	}
	if fs.all == nil {
		fs.all = map[*flight]struct{}{}
	}
	fs.all[f] = struct{}{}
	return true
}

// close lets no more start.
func (fs *flights) close() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.shut = true
}

func (fs *flights) remove(f *flight) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.all, f)
}

// some gives those that fit, the oldest first.
func (fs *flights) some(fits func(*flight) bool) []*flight {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var out []*flight
	for f := range fs.all {
		if fits(f) {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b *flight) int { return a.began.Compare(b.began) })
	return out
}

func anyFlight(*flight) bool { return true }

// A report tells the observer of one call to the token, once: when the call
// ends, or when its caller leaves.
type report struct {
	once      sync.Once
	observe   func(keyprovider.Call)
	operation string
	began     time.Time
}

func (r *report) end(err error) {
	r.once.Do(func() {
		r.observe(keyprovider.Call{Provider: name, Operation: r.operation, Took: time.Since(r.began), Err: err})
	})
}

// launch starts the work. finished runs after it, on its goroutine. It gives
// nil, and does not start, once the provider is closed.
func (p *Provider) launch(action, key string, work func(*flight) ([]byte, error), finished func(*flight)) *flight {
	f := &flight{action: action, key: key, began: time.Now(), done: make(chan struct{})}
	if !p.flights.add(f) {
		return nil
	}
	go func() {
		var out []byte
		err := p.failed(action, key, unpanicked(func() (err error) { out, err = work(f); return err }))
		f.land(out, err)
		p.flights.remove(f)
		finished(f)
		close(f.done)
	}()
	return f
}

// unpanicked makes a panic an error, as nothing else on a flight's goroutine
// catches it: the binding panics where a library's answer makes no sense. The
// panic's value is not told, which may hold a PIN.
func unpanicked(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	return do()
}

func (f *flight) land(out []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out, f.err, f.landed = out, err, true
	if f.left != nil {
		clear(f.out)
	}
}

// call counts and times one call to the token, whose error it makes one for
// an operator.
func (p *Provider) call(f *flight, operation, action, key string, do func() error) error {
	r := &report{observe: p.o.Observe, operation: operation, began: time.Now()}
	f.op.Store(r)
	err := p.failed(action, key, unpanicked(do))
	r.end(err)
	return err
}

// leave notes that the caller does not wait, and gives the error for it.
func (p *Provider) leave(ctx context.Context, f *flight) error {
	err := p.gaveUp(ctx, f.action, f.key, f.began)
	f.mu.Lock()
	f.left = ctx.Err()
	if f.landed {
		clear(f.out)
	}
	f.mu.Unlock()
	if r := f.op.Load(); r != nil {
		r.end(err)
	}
	return err
}

// hangs tells calls that the library does not answer from slow ones.
func (f *flight) hangs() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Is(f.left, context.DeadlineExceeded) || f.left != nil && time.Since(f.began) > hangTime
}

// stuck is the error of calls that are not made, as others hang.
func (p *Provider) stuck(action, key string) error {
	remedy := p.hanging()
	if remedy == "" { // they have just returned
		remedy = "the library was stuck until now"
	}
	return p.fail(keyprovider.Unavailable, action, key, remedy, nil)
}

// hanging tells of the calls that hang; it is empty if none does.
func (p *Provider) hanging() string {
	hanging := p.flights.some((*flight).hangs)
	if len(hanging) == 0 {
		return ""
	}
	first := hanging[0]
	return fmt.Sprintf("%d calls to %s hang, the first, %s, for %s: if this stays so, look at the device (%s) and restart frost-worker",
		len(hanging), p.o.Library, first.action, time.Since(first.began).Round(time.Second), p.lookCommand())
}

// use runs do in a session of the token and waits for it, or for ctx.
func (p *Provider) use(ctx context.Context, operation, action, key string, do func(*conn, session) ([]byte, error)) ([]byte, error) {
	if err := p.takePlace(ctx, action, key); err != nil {
		return nil, err
	}
	c, err := p.connection(ctx, action, key)
	if err != nil {
		<-p.places
		return nil, err
	}
	return p.fly(ctx, c, operation, action, key, do, func() { <-p.places })
}

// fly is use with a connection and a place, which done gives back.
func (p *Provider) fly(ctx context.Context, c *conn, operation, action, key string, do func(*conn, session) ([]byte, error), done func()) ([]byte, error) {
	f := p.launch(action, key, func(f *flight) (out []byte, err error) {
		err = c.with(ctx, func(s session) error {
			return p.call(f, operation, action, key, func() (err error) { out, err = do(c, s); return err })
		})
		return out, err
	}, func(*flight) { done() })
	if f == nil {
		done()
		return nil, keyprovider.ErrClosed
	}
	select {
	case <-f.done:
		return f.out, f.err
	case <-ctx.Done():
		return nil, p.leave(ctx, f)
	}
}

// takePlace waits for one of the places, of which there are as many as
// sessions. It does not wait if calls that hang have them all.
func (p *Provider) takePlace(ctx context.Context, action, key string) error {
	select {
	case p.places <- struct{}{}:
		return nil
	default:
	}
	if len(p.flights.some((*flight).hangs)) >= cap(p.places) {
		return p.stuck(action, key)
	}
	began := time.Now()
	select {
	case p.places <- struct{}{}:
		return nil
	case <-p.life.Done():
		return keyprovider.ErrClosed
	case <-ctx.Done():
		return p.gaveUp(ctx, action, key, began)
	}
}
