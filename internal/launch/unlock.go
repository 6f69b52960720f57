package launch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// unlocker gets a worker its token open, and waits while there is none that
// serves it. If the PIN is missing or wrong, it waits for an operator: at the
// worker's terminal, or with frost-worker unlock, for which it listens as long
// as the worker runs.
type unlocker struct {
	node   *config.Node
	keeper *pin.Keeper
	open   func(ctx context.Context, afterWrongPIN bool) (backEnd, error)
	log    *slog.Logger
	person pin.Source // at the worker's terminal; nil: nobody
	waits  patience

	turn    chan struct{} // holds one entry while a login is under way
	asking  chan struct{} // holds one entry while the person is asked
	waiting bool          // the worker waits for opened; in turn only
	opened  chan backEnd  // what an operator's PIN opened for it
	kept    chan struct{} // an operator's PIN was taken, and then something else failed
}

func newUnlocker(n *config.Node, keeper *pin.Keeper, open func(context.Context, bool) (backEnd, error), o ProviderOptions) *unlocker {
	return &unlocker{
		node: n, keeper: keeper, open: open, log: o.Log, person: o.PIN, waits: patience{log: o.Log, told: o.Waiting},
		turn: make(chan struct{}, 1), asking: make(chan struct{}, 1), opened: make(chan backEnd, 1), kept: make(chan struct{}, 1),
	}
}

// run gives the open back end, and what to call when it was closed.
func (u *unlocker) run(ctx context.Context) (_ backEnd, stop func(), err error) {
	stop, untie, err := u.listen(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := u.await(ctx)
	if err != nil {
		stop()
		return nil, nil, err
	}
	untie()
	return p, stop, nil
}

// listen takes PINs at storage_path, until stop. Until untie, the end of ctx
// ends what is tried. A worker that has a PIN runs without.
func (u *unlocker) listen(ctx context.Context) (stop, untie func(), err error) {
	server, err := pin.Listen(u.node.Node.StoragePath)
	if err != nil {
		p := &u.node.Node.KeyProvider
		if p.Pin.Bytes == nil && p.PinFile == "" {
			return nil, nil, fmt.Errorf("nobody could unlock the token: %w", err)
		}
		u.log.Warn("frost-worker unlock will not reach this worker", "err", err)
		return u.keeper.Wipe, func() {}, nil
	}
	serving, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(serving, u.try)
	}()
	tied := context.AfterFunc(ctx, cancel)
	stop = func() {
		cancel()
		<-done
		u.keeper.Wipe()
	}
	return stop, func() { tied() }, nil
}

// await opens the token, and waits for it or for an operator.
func (u *unlocker) await(ctx context.Context) (backEnd, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		p, err := u.openOnce(ctx)
		if err == nil || !endures(err) {
			return p, err
		}
		var again <-chan time.Time // not by itself
		if keyprovider.ReasonOf(err) == keyprovider.PIN {
			u.waits.tell(err, "frost-worker unlock --config "+u.node.Path())
			u.ask(ctx)
		} else {
			u.waits.tell(err, "mend it; it is tried again by itself")
			again = u.waits.next()
		}
		select {
		case p := <-u.opened:
			u.log.Info("the token is unlocked")
			return p, nil
		case <-u.kept:
		case <-again:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err, u.abandon())
		}
	}
}

// openOnce opens the token, unless an operator's PIN has just done so.
func (u *unlocker) openOnce(ctx context.Context) (backEnd, error) {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case p := <-u.opened:
		return p, nil
	default:
	}
	p, err := u.open(ctx, false)
	u.waiting = err != nil && endures(err)
	return p, err
}

// abandon closes what came too late. Tries under way have ended with the
// caller's context.
func (u *unlocker) abandon() error {
	u.turn <- struct{}{}
	defer func() { <-u.turn }()
	u.waiting = false
	select {
	case p := <-u.opened:
		return p.Close()
	default:
		return nil
	}
}

// ask begins to ask at the worker's own terminal, until the token takes a PIN.
func (u *unlocker) ask(ctx context.Context) {
	if u.person == nil {
		return
	}
	select {
	case u.asking <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-u.asking }()
		for {
			given, err := u.person(ctx)
			if ctx.Err() != nil {
				given.Wipe()
				return
			}
			if err != nil {
				u.log.Warn("no PIN from the terminal", "err", err)
				return
			}
			if taken, err := u.logIn(ctx, given); taken || err == nil {
				return
			}
		}
	}()
}

// try is what frost-worker unlock asks for.
func (u *unlocker) try(ctx context.Context, given *secret.Bytes) pin.Answer {
	taken, err := u.logIn(ctx, given)
	switch {
	case taken && err != nil:
		return pin.Refusal(fmt.Errorf("the token took the PIN and the worker keeps it, but the token does not serve it yet: %w", err))
	case err != nil:
		return pin.Refusal(err)
	case !taken:
		return pin.Answer{OK: true, Message: "the token is logged in already; the PIN was not tried"}
	}
	return pin.Answer{OK: true, Message: "the token took the PIN"}
}

// logIn logs in with an operator's PIN. It opens a back end for that: the login
// is the whole process's, also of a back end that is open already.
func (u *unlocker) logIn(ctx context.Context, given *secret.Bytes) (taken bool, err error) {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		given.Wipe()
		return false, fmt.Errorf("the token has a call under way that does not end: %w", ctx.Err())
	}
	var p backEnd
	taken, err = u.keeper.Try(given, func() (err error) {
		p, err = u.open(ctx, true)
		return err
	})
	if taken {
		u.log.Info("the token took an operator's PIN")
	}
	switch {
	case err != nil && taken:
		u.log.Warn("the token does not serve with the right PIN either", "err", err)
		select {
		case u.kept <- struct{}{}:
		default:
		}
	case err != nil:
		u.log.Warn("an operator's PIN did not unlock the token", "err", err)
	case u.waiting:
		u.waiting = false
		u.opened <- p
	default:
		if err := p.Close(); err != nil {
			u.log.Warn("close after unlocking", "err", err)
		}
	}
	return taken, err
}
