//go:build cgo

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	began  time.Time

	// Under the provider's lock.
	left      error  // why its caller abandoned it: ctx.Err()
	operation string // under way, until the observer heard how it ended
	opBegan   time.Time
}

// run does work on a goroutine of its own and waits for it, or for ctx. What the
// work gives after that is wiped. In the end, ended is called, also if there was
// no work to do, as the provider was closed.
func (p *Provider) run(
	ctx context.Context, action, key string, work func(*call) ([]byte, error), ended func(),
) (out []byte, err error) {
	f := &call{action: action, began: time.Now()}
	if !p.start(f) {
		ended()
		return nil, keyprovider.ErrClosed
	}
	type answer struct {
		out []byte
		err error
	}
	answers, left := make(chan answer), make(chan struct{})
	go func() {
		defer p.underWay.Done()
		var a answer
		a.err = p.failed(action, key, unpanicked(func() (err error) { a.out, err = work(f); return err }))
		p.finish(f)
		ended()
		select {
		case answers <- a:
		case <-left:
			clear(a.out)
		}
	}()
	select {
	case a := <-answers:
		return a.out, a.err
	case <-ctx.Done():
		close(left)
		err := p.gaveUp(ctx, action, key, f.began)
		p.mu.Lock()
		f.left = ctx.Err()
		p.mu.Unlock()
		p.report(f, err)
		return nil, err
	}
}

// start reports whether the call may start.
func (p *Provider) start(f *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.life.Err() != nil {
		return false
	}
	p.calls = append(p.calls, f)
	p.underWay.Add(1)
	return true
}

func (p *Provider) finish(f *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = slices.DeleteFunc(p.calls, func(other *call) bool { return other == f })
}

// calling counts the calls under way.
func (p *Provider) calling() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
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

// observed counts and times one call to the token, and explains its error.
func (p *Provider) observed(f *call, operation, action, key string, do func() error) error {
	p.mu.Lock()
	f.operation, f.opBegan = operation, time.Now()
	p.mu.Unlock()
	err := p.failed(action, key, unpanicked(do))
	p.report(f, err)
	return err
}

// report tells the observer how an operation ended: once, when it ends or when
// its caller abandons it.
func (p *Provider) report(f *call, err error) {
	p.mu.Lock()
	operation, took := f.operation, time.Since(f.opBegan)
	f.operation = ""
	p.mu.Unlock()
	if operation != "" {
		p.o.Observe(keyprovider.Call{Provider: name, Operation: operation, Took: took, Err: err})
	}
}

// hung returns the calls that the library does not answer, in contrast to slow
// ones, the oldest first: those of an action, or all if it is empty.
func (p *Provider) hung(action string) (out []*call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.calls {
		late := errors.Is(f.left, context.DeadlineExceeded) || f.left != nil && time.Since(f.began) > hangTime
		if late && (action == "" || f.action == action) {
			out = append(out, f)
		}
	}
	return out
}

// hanging describes the calls that hang; it is empty if none does.
func (p *Provider) hanging() string {
	hung := p.hung("")
	if len(hung) == 0 {
		return ""
	}
	return fmt.Sprintf("%d calls to %s hang, the first, %s, for %s: if this stays so, look at the device (%s) and "+
		"restart frost-worker",
		len(hung), p.o.Library, hung[0].action, time.Since(hung[0].began).Round(time.Second), p.lookCommand())
}

// stuck is the error of calls that are not made, as others hang.
func (p *Provider) stuck(action, key string) error {
	remedy := p.hanging()
	if remedy == "" { // they have just returned
		remedy = "the library was stuck until now"
	}
	return p.fail(keyprovider.Unavailable, action, key, remedy, nil)
}

// enter waits for a place, which the caller gives back by receiving from it. It
// does not wait behind calls that hang.
func (p *Provider) enter(ctx context.Context, place chan struct{}, hang bool, action, key string) error {
	select {
	case place <- struct{}{}:
		return nil
	default:
	}
	if hang {
		return p.stuck(action, key)
	}
	began := time.Now()
	select {
	case place <- struct{}{}:
		return nil
	case <-p.life.Done():
		return keyprovider.ErrClosed
	case <-ctx.Done():
		return p.gaveUp(ctx, action, key, began)
	}
}

// use runs do in a session of the token. Its permit is one of as many as there
// are sessions. A caller that waits for its turn to derive has no permit:
// signatures go on beside a derivation that hangs.
func (p *Provider) use(ctx context.Context, operation, action, key string,
	do func(*conn, session) ([]byte, error)) ([]byte, error) {
	if err := p.begin(ctx, action, key); err != nil {
		return nil, err
	}
	c, err := p.connection(ctx, action, key)
	if err != nil {
		return nil, err
	}
	endTurn, err := c.takeTurn(ctx, operation)
	if err != nil {
		return nil, err
	}
	if err := p.enter(ctx, p.permits, len(p.hung("")) >= cap(p.permits), action, key); err != nil {
		endTurn()
		return nil, err
	}
	return p.run(ctx, action, key, func(f *call) (out []byte, err error) {
		err = c.with(ctx, func(s session) error {
			return p.observed(f, operation, action, key, func() (err error) { out, err = do(c, s); return err })
		})
		return out, err
	}, func() { <-p.permits; endTurn() })
}
