package protocol

import (
	"fmt"
	"io"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// How an old node deals. It has the shares in memory only while it makes the deal, and
// remembers nothing of that: a deal that stands in its slot is as good as any other, whichever
// life of the node made it, and a second one does not leave the node (the slot rule).
//
// That a key is frozen does not keep it from moving: nothing is signed by that, and whoever
// freezes a fleet since a share may be stolen needs the others to move on.

// Bounds on these. A batch's shares are 32 KiB, and its deals 12 MiB.
const (
	maxRedeals = 4
	maxWaiting = 256
	// redealLife is how long the keystore and the computation may take, and waitLife how long
	// an attempt may wait: nobody opens it again once WORK has forgotten its task.
	redealLife = 2 * time.Minute
	waitLife   = wire.LiveAge
)

// deal begins an attempt, or has it wait.
func (n *resharer) deal(r *wire.Reshare, e TaskMessage) ([]Effect, error) {
	if err := n.mayDeal(r); err != nil {
		return nil, err
	}
	if len(n.redeals.waiting) >= maxWaiting {
		return nil, errWaitsLong
	}
	if err := n.try(r, e); err != nil {
		return nil, err
	}
	n.redeals.waiting = append(n.redeals.waiting, &redeal{
		Reshare: r, node: n, id: r.ID(), trace: e.LogMessage.Trace, since: n.now,
	})
	return n.nextRedeal(), nil
}

// nextRedeal begins what waits while there is room.
func (n *resharer) nextRedeal() (effects []Effect) {
	q := &n.redeals
	for len(q.waiting) > 0 && len(q.work) < maxRedeals {
		d := q.waiting[0]
		q.waiting = q.waiting[1:]
		if err := n.mayDeal(d.Reshare); err != nil {
			effects = append(effects, refusedMove(d.Reshare, err))
			continue
		}
		d.since = n.now
		q.work[d.id] = d
		effects = append(effects, LoadShares{ID: d.id, Batch: wire.BatchRef{ID: d.BatchID(), Generation: d.From}})
	}
	return effects
}

// expire lets go of what took too long.
func (q *redeals) expire(now time.Time) {
	for id, d := range q.work {
		if now.Sub(d.since) > redealLife {
			delete(q.work, id)
		}
	}
	for len(q.waiting) > 0 && now.Sub(q.waiting[0].since) > waitLife {
		q.waiting = q.waiting[1:]
	}
}

// refuse ends this node's part in the attempt.
func (d *redeal) refuse(err error) []Effect {
	delete(d.node.redeals.work, d.id)
	return append([]Effect{refusedMove(d.Reshare, err)}, d.node.nextRedeal()...)
}

// onShares has the deal made of the shares, which are wiped in any case.
func (n *resharer) onShares(e SharesLoaded) []Effect {
	d := n.redeals.work[e.ID]
	if d == nil {
		e.Shares.Wipe()
		return nil
	}
	err := n.mayDeal(d.Reshare)
	if err == nil && e.Shares == nil {
		err = fmt.Errorf("the keystore does not have all shares of batch %s", d.BatchID())
	}
	if err != nil {
		e.Shares.Wipe()
		return d.refuse(err)
	}
	source, next, _ := n.check(d.Reshare) // mayDeal did
	shares := e.Shares
	return []Effect{Compute{Name: "deal shares", Trace: d.trace, Run: func() Event { return d.make(source, next, shares) }}}
}

// make makes the deals of all slices.
func (d *redeal) make(source, next *wire.Manifest, shares *secret.Bytes) Event {
	defer shares.Wipe()
	made := redealMade{d: d, slices: d.Slices()}
	for i, s := range made.slices {
		deal, err := d.makeSlice(d.Params(s, source, next), shares.Expose()[s.First*frost.ScalarSize:s.End*frost.ScalarSize])
		if err != nil {
			return redealMade{d: d, err: err}
		}
		made.bodies = append(made.bodies, wire.EncodeReshareDeal(d.Reshare, i, deal))
	}
	return made
}

// makeSlice draws the seed as that of a key generation's deal is drawn.
func (d *redeal) makeSlice(p frost.ReshareParams, shares []byte) (*frost.ReshareDeal, error) {
	cfg := &d.node.cfg
	var fresh [32]byte
	if _, err := io.ReadFull(cfg.Rand, fresh[:]); err != nil {
		return nil, err
	}
	seed := frost.Hash("frostfleet/reshare-seed/v1", fresh[:], cfg.SeedSecret.Expose(), p.Context[:])
	defer clear(fresh[:])
	defer clear(seed[:])
	return frost.NewReshareDeal(p, cfg.Index, secret.New(shares), &seed) // the caller wipes the shares
}

type redealMade struct {
	d      *redeal
	slices []wire.Slice
	bodies [][]byte // by slice
	err    error
}

func (redealMade) event() {}

func (e redealMade) resume() []Effect { return e.d.onMade(e) }

// onMade publishes the deals. That the node has dealt is kept before.
func (d *redeal) onMade(e redealMade) (effects []Effect) {
	n := d.node
	if !d.current() {
		return nil
	}
	err := e.err
	if err == nil {
		err = n.mayDeal(d.Reshare)
	}
	if err != nil {
		return d.refuse(err)
	}
	delete(n.redeals.work, d.id)
	if n.redeals.told != d.Manifest {
		n.redeals.told = d.Manifest
		effects = append(effects, Dealt{Next: d.Manifest})
	}
	for i, s := range e.slices {
		slot := wire.Slot{Kind: wire.SlotReshareDeal, ID: s.ID(), Node: n.cfg.Index}
		effects = append(effects, Publish{Slot: slot, Body: e.bodies[i], Trace: d.trace})
	}
	effects = append(effects, moveReport(ReportRedealt, d.Reshare))
	return append(effects, n.nextRedeal()...)
}
