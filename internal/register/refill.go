package register

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// NodeHoldings is what a node says it holds.
type NodeHoldings struct {
	Node    int    `json:"node"`
	Epoch   int    `json:"epoch,omitempty"` // of the manifest that it is a node of
	Batches uint64 `json:"batches"`
	Error   string `json:"error,omitempty"` // why it is not known
}

// askAgain is when a node is asked once more that nobody seemed to be.
const askAgain = 500 * time.Millisecond

// AskAll asks every node of the Asker's manifest how much it holds.
func AskAll(ctx context.Context, a *Asker) []NodeHoldings {
	all := make([]NodeHoldings, a.nodes)
	var asking sync.WaitGroup
	for i := range all {
		asking.Go(func() {
			all[i].Node, all[i].Epoch = i, a.epoch()
			all[i].ask(ctx, func() (*wire.Held, error) { return a.Ask(ctx, i, wire.Ask{Kind: wire.AskDigests}) })
		})
	}
	asking.Wait()
	return all
}

// maxEpoch is how far AskFleet looks for nodes.
const maxEpoch = 32

// AskFleet asks the nodes of a fleet whose manifests nobody knows, as an Asker without one
// does: of the founding manifest, and of later ones as far as maxEpoch, of which only those are
// listed that answer.
func AskFleet(ctx context.Context, a *Asker) []NodeHoldings {
	all := make([]NodeHoldings, a.nodes*(maxEpoch+1))
	var asking sync.WaitGroup
	for i := range all {
		asking.Go(func() {
			all[i].Node, all[i].Epoch = i%a.nodes, i/a.nodes
			subject := ofEpoch(all[i].Epoch).AskSubject(all[i].Node)
			all[i].ask(ctx, func() (*wire.Held, error) {
				return a.askAt(ctx, subject, all[i].Node, wire.Ask{Kind: wire.AskDigests})
			})
		})
	}
	asking.Wait()
	return slices.DeleteFunc(all, func(n NodeHoldings) bool { return n.Epoch > 0 && n.Error != "" })
}

// ask notes what a node says.
func (n *NodeHoldings) ask(ctx context.Context, f func() (*wire.Held, error)) {
	held, err := f()
	if errors.Is(err, bus.ErrNobody) { // or servers are still telling each other who listens
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
		}
		held, err = f()
	}
	if err != nil {
		n.Error = err.Error()
		return
	}
	n.Batches = held.Count
}

// Refilled is what Refill did.
type Refilled struct {
	Before   Summary        `json:"before"`   // KEYS
	Restored int            `json:"restored"` // entries
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
// it may be stopped and begun again. Each Asker asks the nodes of its manifest.
func Refill(
	ctx context.Context, b *bus.Bus, known wire.ManifestSet, askers []*Asker, tell Refilling,
) (sum Refilled, err error) {
	r := refilling{bus: b, known: known, tell: tell, sum: &sum, unproven: map[wire.Holding]bool{}}
	if sum.Before, err = Read(ctx, b, known, func(e *Entry) error {
		r.have.Add(wire.NewHolding(e.ID, e.Transcript))
		return nil
	}); err != nil {
		return sum, err
	}
	for _, a := range askers {
		nodes := AskAll(ctx, a)
		for i := range nodes {
			if nodes[i].Error != "" {
				continue
			}
			if err := r.from(ctx, a, &nodes[i]); err != nil {
				return sum, err
			}
		}
		sum.Nodes = append(sum.Nodes, nodes...)
	}
	for one := range r.unproven {
		if !r.have.Has(one) {
			sum.Unproven++
		}
	}
	return sum, nil
}

// refilling is what Refill knows.
type refilling struct {
	bus      *bus.Bus
	known    wire.ManifestSet
	tell     Refilling
	have     board.Holdings
	unproven map[wire.Holding]bool
	sum      *Refilled
}

// from gets from one node what is lacking.
func (r *refilling) from(ctx context.Context, a *Asker, node *NodeHoldings) error {
	lacking, err := listLacking(ctx, a, node.Node, &r.have)
	if err != nil {
		node.Error = err.Error()
	}
	failed := 0
	for j, one := range lacking {
		if failed == maxUnproven {
			break
		}
		left := len(lacking) - j - 1
		e, err := Fetch(ctx, a, r.known, node.Node, one)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.tell(node.Node, left, nil, err)
			failed++
			continue
		}
		failed = 0
		r.have.Add(one)
		switch err := Store(ctx, r.bus, r.known, e, nil); {
		case errors.Is(err, ErrConflict): // of this batch alone
			r.tell(node.Node, left, nil, fmt.Errorf("batch %s: %w", e.ID, err))
			r.sum.Refused++
		case err != nil:
			return err
		default:
			r.tell(node.Node, left, e, nil)
			r.sum.Restored, r.sum.Keys = r.sum.Restored+1, r.sum.Keys+len(e.Keys)
		}
	}
	for _, one := range lacking {
		if len(r.unproven) < maxListed { // of all nodes together: more are not counted
			r.unproven[one] = true
		}
	}
	return nil
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
func Fetch(ctx context.Context, a *Asker, known wire.ManifestSet, node int, one wire.Holding) (*Entry, error) {
	head, err := a.Ask(ctx, node, wire.Ask{Kind: wire.AskHead, Holding: one})
	if err != nil {
		return nil, err
	}
	e, err := wire.VerifyEntry(head.Data, known)
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
