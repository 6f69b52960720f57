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

// hangTime is how long a call that its caller canceled may go on before it
// counts as one that hangs. A call that outlived a deadline counts at once.
const hangTime = 5 * time.Second

// A call is work in the library on a goroutine of its own: C code takes no
// context, so a caller whose context ends abandons the call, which goes on.
type call struct {
	action string // in the library's words, for errors
	key    string
	began  time.Time
	done   chan struct{}
	err    error                  // once done
	op     atomic.Pointer[report] // the call under way, for the observer

	cutShort bool // once done: it ended with its caller's context

	mu       sync.Mutex
	left     error // why its caller abandoned it: ctx.Err()
	finished bool
	out      []byte // for the caller; wiped if that one has left
}

// callSet is the calls under way.
type callSet struct {
	mu   sync.Mutex
	all  map[*call]struct{}
	shut bool
}

// add reports whether the call may start.
func (cs *callSet) add(f *call) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.shut {
		return false
	}
	if cs.all == nil {
		cs.all = map[*call]struct{}{}
	}
	cs.all[f] = struct{}{}
	return true
}

// close lets no more calls start.
func (cs *callSet) close() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.shut = true
}

func (cs *callSet) remove(f *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.all, f)
}

// some returns the calls that match, the oldest first.
func (cs *callSet) some(fits func(*call) bool) []*call {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var out []*call
	for f := range cs.all {
		if fits(f) {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b *call) int { return a.began.Compare(b.began) })
	return out
}

func anyCall(*call) bool { return true }

// A report is made to the observer once for a call to the token: when it ends,
// or when its caller abandons it.
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

// start begins the work; finished runs after it, on its goroutine. It returns
// nil, and begins nothing, once the provider is closed.
func (p *Provider) start(action, key string, work func(*call) ([]byte, error), finished func(*call)) *call {
	f := &call{action: action, key: key, began: time.Now(), done: make(chan struct{})}
	if !p.calls.add(f) {
		return nil
	}
	go func() {
		var out []byte
		err := p.failed(action, key, unpanicked(func() (err error) { out, err = work(f); return err }))
		f.finish(out, err)
		p.calls.remove(f)
		finished(f)
		close(f.done)
	}()
	return f
}

// unpanicked turns a panic into an error, as nothing else on a call's goroutine
// recovers: the binding panics where a library's answer makes no sense. The
// panic's value is not reported, as it may hold a PIN.
func unpanicked(do func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	return do()
}

func (f *call) finish(out []byte, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out, f.err, f.finished = out, err, true
	if f.left != nil {
		clear(f.out)
	}
}

// observed counts and times one call to the token, and explains its error.
func (p *Provider) observed(f *call, operation, action, key string, do func() error) error {
	r := &report{observe: p.o.Observe, operation: operation, began: time.Now()}
	f.op.Store(r)
	err := p.failed(action, key, unpanicked(do))
	r.end(err)
	return err
}

// leave notes that the caller does not wait, and gives the error for it.
func (p *Provider) abandon(ctx context.Context, f *call) error {
	err := p.gaveUp(ctx, f.action, f.key, f.began)
	f.mu.Lock()
	f.left = ctx.Err()
	if f.finished {
		clear(f.out)
	}
	f.mu.Unlock()
	if r := f.op.Load(); r != nil {
		r.end(err)
	}
	return err
}

// hangs distinguishes calls that the library does not answer from slow ones.
func (f *call) hangs() bool {
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

// hanging describes the calls that hang; it is empty if none does.
func (p *Provider) hanging() string {
	hanging := p.calls.some((*call).hangs)
	if len(hanging) == 0 {
		return ""
	}
	first := hanging[0]
	return fmt.Sprintf("%d calls to %s hang, the first, %s, for %s: if this stays so, look at the device (%s) and "+
		"restart frost-worker",
		len(hanging), p.o.Library, first.action, time.Since(first.began).Round(time.Second), p.lookCommand())
}

// use runs do in a session of the token and waits for it, or for ctx. A caller
// that waits for its turn to derive has no permit: signatures go on beside a
// derivation that hangs.
func (p *Provider) use(ctx context.Context, operation, action, key string,
	do func(*conn, session) ([]byte, error)) ([]byte, error) {
	c, err := p.connection(ctx, action, key)
	if err != nil {
		return nil, err
	}
	endTurn := func() {}
	if operation == keyprovider.OpDerive && c.keys.kind == ECDH {
		if endTurn, err = p.takeTurn(ctx, c); err != nil {
			return nil, err
		}
	}
	if err := p.acquire(ctx, action, key); err != nil {
		endTurn()
		return nil, err
	}
	done := func(*call) { <-p.permits; endTurn() }
	f := p.start(action, key, func(f *call) (out []byte, err error) {
		err = c.with(ctx, func(s session) error {
			return p.observed(f, operation, action, key, func() (err error) { out, err = do(c, s); return err })
		})
		return out, err
	}, done)
	if f == nil {
		done(nil)
		return nil, keyprovider.ErrClosed
	}
	select {
	case <-f.done:
		return f.out, f.err
	case <-ctx.Done():
		return nil, p.abandon(ctx, f)
	}
}

// acquire waits for one of the permits, of which there are as many as
// sessions. It does not wait if calls that hang have them all.
func (p *Provider) acquire(ctx context.Context, action, key string) error {
	select {
	case p.permits <- struct{}{}:
		return nil
	default:
	}
	if len(p.calls.some((*call).hangs)) >= cap(p.permits) {
		return p.stuck(action, key)
	}
	began := time.Now()
	select {
	case p.permits <- struct{}{}:
		return nil
	case <-p.life.Done():
		return keyprovider.ErrClosed
	case <-ctx.Done():
		return p.gaveUp(ctx, action, key, began)
	}
}
