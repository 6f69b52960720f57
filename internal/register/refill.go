package register

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// NodeHoldings is what a node says it holds.
type NodeHoldings struct {
	Node    int    `json:"node"`
	Batches uint64 `json:"batches"`
	Error   string `json:"error,omitempty"` // why it is not known
}

// askAgain is when a node is asked once more that nobody seemed to be.
const askAgain = 500 * time.Millisecond

// AskAll asks every node how much it holds.
func AskAll(ctx context.Context, a *Asker, n int) []NodeHoldings {
	all := make([]NodeHoldings, n)
	var asking sync.WaitGroup
	for i := range all {
		asking.Go(func() {
			all[i].Node = i
			held, err := a.Ask(ctx, i, wire.Ask{Kind: wire.AskDigests})
			if errors.Is(err, bus.ErrNobody) { // or servers are still telling each other who listens
				select {
				case <-time.After(askAgain):
				case <-ctx.Done():
				}
				held, err = a.Ask(ctx, i, wire.Ask{Kind: wire.AskDigests})
			}
			if err != nil {
				all[i].Error = err.Error()
				return
			}
			all[i].Batches = held.Count
		})
	}
	asking.Wait()
	return all
}

// Refilled is what Refill did.
type Refilled struct {
	Before   Summary        `json:"before"`   // KEYS
	Restored int            `json:"restored"` // batches
	Keys     int            `json:"keys"`     // in these
	Unproven int            `json:"unproven"` // batches that a node claimed, and nobody proved
	Refused  int            `json:"refused"`  // batches with another valid entry in KEYS
	Nodes    []NodeHoldings `json:"nodes"`
}

// Refilling says how far Refill is: at a node, with so many of its batches to go.
type Refilling func(node, left int, restored *Entry, err error)

// maxUnproven is how many proofs in a row may fail before a node is left alone.
const maxUnproven = 8

// Refill writes to KEYS what nodes hold and KEYS lacks. It begins with what KEYS has, so
// it may be stopped and begun again.
func Refill(ctx context.Context, b *bus.Bus, m *wire.Manifest, a *Asker, tell Refilling) (sum Refilled, err error) {
	var have board.Holdings
	if sum.Before, err = Read(ctx, b, m, func(e *Entry) error {
		have.Add(wire.NewHolding(e.ID, e.Transcript))
		return nil
	}); err != nil {
		return sum, err
	}
	sum.Nodes = AskAll(ctx, a, m.N)
	unproven := map[wire.Holding]bool{}
	for i := range sum.Nodes {
		if sum.Nodes[i].Error != "" {
			continue
		}
		lacking, err := listLacking(ctx, a, i, &have)
		if err != nil {
			sum.Nodes[i].Error = err.Error()
		}
		failed := 0
		for j, one := range lacking {
			if failed == maxUnproven {
				break
			}
			e, err := Fetch(ctx, a, m, i, one)
			if ctx.Err() != nil {
				return sum, ctx.Err()
			}
			if err != nil {
				tell(i, len(lacking)-j-1, nil, err)
				failed++
				continue
			}
			failed = 0
			have.Add(one)
			switch err := Store(ctx, b, m, e, nil); {
			case errors.Is(err, ErrConflict): // of this batch alone
				tell(i, len(lacking)-j-1, nil, fmt.Errorf("batch %s: %w", e.ID, err))
				sum.Refused++
			case err != nil:
				return sum, err
			default:
				tell(i, len(lacking)-j-1, e, nil)
				sum.Restored, sum.Keys = sum.Restored+1, sum.Keys+len(e.Keys)
			}
		}
		for _, one := range lacking {
			if len(unproven) < maxListed { // of all nodes together: more are not counted
				unproven[one] = true
			}
		}
	}
	for one := range unproven {
		if have.Has(one) {
			delete(unproven, one)
		}
	}
	sum.Unproven = len(unproven)
	return sum, nil
}

// maxListed bounds what one node may claim.
const maxListed = 1 << 21

// listLacking lists the batches that a node says it holds, and that are not there.
func listLacking(ctx context.Context, a *Asker, node int, have *board.Holdings) (lacking []wire.Holding, err error) {
	digests, err := a.Ask(ctx, node, wire.Ask{Kind: wire.AskDigests})
	if err != nil {
		return nil, err
	}
	for _, bucket := range have.Differing(digests) {
		ask := wire.Ask{Kind: wire.AskList, Holding: wire.Holding{byte(bucket)}}
		for more := true; more; {
			page, err := a.Ask(ctx, node, ask)
			if err != nil {
				return lacking, err
			}
			list := page.List()
			if more = page.More; more && len(list) < wire.MaxHoldings {
				return lacking, fmt.Errorf("node %d: a list that goes on before it is full", node)
			}
			for _, one := range list {
				if !have.Has(one) {
					lacking = append(lacking, one)
				}
			}
			if len(lacking) > maxListed {
				return lacking, fmt.Errorf("node %d claims more than %d batches", node, maxListed)
			}
			if more {
				ask.Holding = list[len(list)-1]
			}
		}
	}
	return lacking, nil
}

// Fetch gets an entry from a node, and verifies it.
func Fetch(ctx context.Context, a *Asker, m *wire.Manifest, node int, one wire.Holding) (*Entry, error) {
	head, err := a.Ask(ctx, node, wire.Ask{Kind: wire.AskHead, Holding: one})
	if err != nil {
		return nil, err
	}
	e, err := wire.VerifyEntry(head.Data, m)
	if err != nil {
		return nil, fmt.Errorf("node %d: %w", node, err)
	}
	if wire.NewHolding(e.ID, e.Transcript) != one {
		return nil, fmt.Errorf("node %d gave another batch than %s", node, one.ID())
	}
	deals := make([][]byte, len(e.Deals))
	for i := range deals {
		deal, err := a.Ask(ctx, node, wire.Ask{Kind: wire.AskDeal, Holding: one, Deal: uint32(i)})
		if err != nil {
			return nil, err
		}
		if err := e.VerifyDeal(i, deal.Data); err != nil {
			return nil, fmt.Errorf("node %d: %w", node, err)
		}
		deals[i] = deal.Data
	}
	return &Entry{e, head.Data, deals}, nil
}
