package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How a gateway brings back what KEYS has lost: it asks nodes for what they hold, and
// writes what proves itself.

// ask asks a node, and steps the machine with the answer. Reading it may take n
// verifications, which are nobody's step.
func (g *Gateway) ask(e protocol.AskNode) {
	var held *wire.Held
	asker, err := g.askers.of(e.Manifest)
	if err == nil {
		held, err = asker.Ask(g.run.Life(), e.Node, e.Ask)
	}
	if g.run.Life().Err() != nil {
		return
	}
	g.run.Step(protocol.ReadHeld(g.Lineage(), e, held, err))
}

// restoreTime bounds one write of an entry; it is tried again.
const restoreTime = time.Minute

func (g *Gateway) restore(e protocol.RestoreEntry) {
	ctx, cancel := context.WithTimeout(g.run.Life(), restoreTime)
	defer cancel()
	known := g.Lineage()
	entry, err := register.NewEntry(known, e.Head, e.Deals)
	if err == nil { // else a fault of this program
		err = register.Store(ctx, g.cfg.Bus, known, entry, nil)
	}
	if g.run.Life().Err() == nil {
		conflict := errors.Is(err, register.ErrConflict)
		g.run.Step(protocol.EntryRestored{Holding: e.Holding, Conflict: conflict, Err: err})
	}
}

// endPause is the least time between two questions where KEYS ends: jobs for keys that do
// not exist cost its leader no more than that, however many they are.
const (
	endPause = 250 * time.Millisecond
	endLook  = 10 * time.Millisecond // between looks at how far KEYS was read
	endAgain = 2 * time.Second       // until it is asked whether KEYS still goes that far
)

// readKeysEnd asks where KEYS ends until its leader says so, and steps the machine once
// all of that was read.
func (g *Gateway) readKeysEnd(e protocol.AskKeysEnd) {
	life := g.run.Life()
	next := time.After(endPause)
	end := func() (uint64, error) { return g.cfg.Bus.LastSeq(life, bus.Keys) }
	if untilRead(life, end, g.readKeysTo) != nil {
		return
	}
	select {
	case <-next:
		g.run.Step(protocol.KeysEndRead(e))
	case <-life.Done():
	}
}

// untilRead asks for the end of a stream until there is an answer, and waits until that
// much was read. It asks again meanwhile: a server that lost its last messages with its
// power leaves an end that never comes.
func untilRead(ctx context.Context, end func() (uint64, error), read func(uint64) bool) error {
	last, err := end()
	for again := (backoff.Backoff{Min: endPause, Max: endAgain}); err != nil; last, err = end() {
		if err := again.Wait(ctx); err != nil {
			return err
		}
	}
	for asked := time.Now(); !read(last); {
		if err := backoff.Sleep(ctx, endLook); err != nil {
			return err
		}
		if time.Since(asked) < endAgain {
			continue
		}
		if now, err := end(); err == nil {
			last = min(last, now)
		}
		asked = time.Now()
	}
	return nil
}

// readKeysTo reports whether the machine has what KEYS has up to a sequence.
func (g *Gateway) readKeysTo(last uint64) bool {
	f := g.run.Keys()
	return f != nil && f.Handled() >= last
}

// Register tells how far the register was compared with what nodes hold.
func (g *Gateway) Register() (r protocol.Register) {
	g.run.With(func(c *protocol.Coordinator) { r = c.Register() })
	return r
}
