package launch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// unlocker gets a worker its token open. If the PIN is missing or wrong, it
// waits for an operator: at the worker's terminal, or with frost-worker unlock,
// for which it listens as long as the worker runs.
type unlocker struct {
	node   *config.Node
	keeper *pin.Keeper
	open   func(ctx context.Context, afterWrongPIN bool) (backEnd, error)
	log    *slog.Logger
	person pin.Source  // at the worker's terminal; nil: nobody
	told   func(error) // hears why we wait

	turn    chan struct{} // holds one entry while a login is under way
	waiting bool          // the worker waits for opened; in turn only
	opened  chan backEnd  // what an operator's PIN opened for it
}

func newUnlocker(n *config.Node, keeper *pin.Keeper, open func(context.Context, bool) (backEnd, error), o ProviderOptions) *unlocker {
	u := &unlocker{
		node: n, keeper: keeper, open: open, log: o.Log, person: o.PIN, told: o.Waiting,
		turn: make(chan struct{}, 1), opened: make(chan backEnd, 1),
	}
	if u.told == nil {
		u.told = func(error) {}
	}
	return u
}

// run gives the open back end, and what to call when it was closed.
func (u *unlocker) run(ctx context.Context) (_ backEnd, stop func(), err error) {
	stop, err = u.listen()
	if err != nil {
		return nil, nil, err
	}
	u.turn <- struct{}{}
	p, err := u.open(ctx, false)
	u.waiting = keyprovider.ReasonOf(err) == keyprovider.PIN
	waiting := u.waiting
	<-u.turn
	if waiting {
		p, err = u.wait(ctx, err)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return p, stop, nil
}

// listen takes PINs at storage_path. A worker that has a PIN runs without.
func (u *unlocker) listen() (stop func(), err error) {
	server, err := pin.Listen(u.node.Node.StoragePath)
	if err != nil {
		p := &u.node.Node.KeyProvider
		if p.Pin.Bytes == nil && p.PinFile == "" {
			return nil, fmt.Errorf("nobody could unlock the token: %w", err)
		}
		u.log.Warn("frost-worker unlock will not reach this worker", "err", err)
		return u.keeper.Wipe, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(ctx, u.try)
	}()
	return func() {
		cancel()
		<-done
		u.keeper.Wipe()
	}, nil
}

// wait waits for an operator.
func (u *unlocker) wait(ctx context.Context, why error) (backEnd, error) {
	u.log.Warn("waiting for the token's PIN", "err", why, "do", "frost-worker unlock --config "+u.node.Path())
	u.told(why)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if u.person != nil {
		go u.ask(ctx)
	}
	select {
	case p := <-u.opened:
		u.log.Info("the token is unlocked")
		return p, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), why, u.abandon())
	}
}

// abandon closes what came too late.
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

// ask takes PINs at the worker's own terminal until one is right.
func (u *unlocker) ask(ctx context.Context) {
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
		if u.try(ctx, given).OK {
			return
		}
	}
}

// try logs in with an operator's PIN. It opens a back end for that: the login
// is the whole process's, also of a back end that is open already.
func (u *unlocker) try(ctx context.Context, given *secret.Bytes) pin.Answer {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		given.Wipe()
		return pin.Refusal(fmt.Errorf("the token has a call under way that does not end: %w", ctx.Err()))
	}
	var p backEnd
	taken, err := u.keeper.Try(given, func() (err error) {
		p, err = u.open(ctx, true)
		return err
	})
	if err != nil {
		u.log.Warn("an operator's PIN did not unlock the token", "err", err)
		return pin.Refusal(err)
	}
	if u.waiting {
		u.waiting = false
		u.opened <- p
	} else if err := p.Close(); err != nil {
		u.log.Warn("close after unlocking", "err", err)
	}
	if !taken {
		return pin.Answer{OK: true, Message: "the token is logged in already; the PIN was not tried"}
	}
	u.log.Info("the token took an operator's PIN")
	return pin.Answer{OK: true, Message: "the token took the PIN"}
}
