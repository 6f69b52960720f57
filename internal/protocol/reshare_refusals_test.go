package protocol

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func standard(t testing.TB) *crossing { return newCrossing(t, "solana", [2]int{2, 3}, [2]int{2, 3}) }

// refused holds that a node takes no part in an attempt, and says why.
func (a *actor) refuses(t *testing.T, why string) {
	t.Helper()
	if r, n := a.reported(ReportReshareRefused); n != 1 || !strings.Contains(r.Reason, why) {
		t.Errorf("node %d: want one refusal about %q; reports: %v", a.cfg.Index, why, a.reports)
	}
	if len(a.out)+len(a.dealt)+len(a.asked) != 0 {
		t.Errorf("node %d deals or certifies all the same: %v", a.cfg.Index, a.out)
	}
}

// What keeps an old node from dealing, by name.
func TestReshareNotDealt(t *testing.T) {
	for why, prepare := range map[string]func(c *crossing, a *actor, r *wire.Reshare){
		"has approved no next manifest": func(_ *crossing, a *actor, _ *wire.Reshare) {
			a.do(SuccessorChanged{})
		},
		"operator approved manifest 01": func(_ *crossing, a *actor, _ *wire.Reshare) {
			a.do(SuccessorChanged{[32]byte{1}})
		},
		"too few nodes approved": func(c *crossing, a *actor, _ *wire.Reshare) {
			a.do(LineageChanged{wire.NewLineage(c.old.m)})
		},
		"has two successors": func(c *crossing, a *actor, _ *wire.Reshare) {
			a.do(LineageChanged{c.forked()})
		},
		"has no finished batch": func(c *crossing, a *actor, _ *wire.Reshare) {
			ref := wire.BatchRef{ID: c.id}
			a.dealer.known[ref] = KnownBatch{Transcript: c.entry.Transcript, MadeBy: c.entry.MadeBy}
		},
		"has another batch": func(c *crossing, a *actor, _ *wire.Reshare) {
			ref := wire.BatchRef{ID: c.id}
			a.dealer.known[ref] = KnownBatch{Transcript: [32]byte{1}, MadeBy: c.entry.MadeBy, Complete: true}
		},
		"another batch " + "": func(c *crossing, a *actor, _ *wire.Reshare) {
			ref := wire.BatchRef{ID: c.id}
			a.dealer.known[ref] = KnownBatch{Transcript: c.entry.Transcript, MadeBy: [32]byte{1}, Complete: true}
		},
		"deals no share of 0": func(c *crossing, a *actor, _ *wire.Reshare) {
			a.dealer.take(wire.BatchRef{ID: c.id, Generation: 1}, KnownBatch{MadeBy: c.entry.MadeBy})
		},
		"with a later manifest's nodes already": func(c *crossing, a *actor, _ *wire.Reshare) { a.hasMoved(c.id) },
		"two valid entries":                     func(c *crossing, a *actor, _ *wire.Reshare) { a.nodeCore.refused[c.id] = true },
		"too far above":                         func(_ *crossing, _ *actor, r *wire.Reshare) { r.To = maxNumbers + 1 },
		"want 2 of 3 nodes":                     func(_ *crossing, _ *actor, r *wire.Reshare) { r.Dealers = []byte{0, 1, 2} },
		"fit each other":                        func(_ *crossing, _ *actor, r *wire.Reshare) { r.Made[0]++ },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			c := standard(t)
			a, r := c.old.nodes[0], c.attempt(1, 0, 1)
			prepare(c, a, r)
			c.open(r)
			a.refuses(t, why)
			if r.To == 1 && r.Check(c.old.m, c.next.m) == nil { // it is this node alone that refuses
				c.old.nodes[1].want(wire.SlotReshareDeal)
			}
		})
	}
}

func (a *actor) hasMoved(id string) { a.nodeCore.moved[id] = true }

// forked is a lineage in which two manifests succeed one: nodes were forced to approve both.
func (c *crossing) forked() *wire.Lineage {
	other := continued(c.t, c.old, 2, 3)
	l, err := wire.NewLineage(c.old.m).WithSuccession(c.old.succession(c.next.m, true, c.old.everyone()...))
	if err == nil {
		l, err = l.WithSuccession(c.old.succession(other.m, true, c.old.everyone()...))
	}
	if err != nil || l.Fork() == nil {
		c.t.Fatal("no fork", err)
	}
	return l
}

// What keeps a new node from taking part, by name.
func TestReshareNotReceived(t *testing.T) {
	for why, prepare := range map[string]func(c *crossing, a *actor, r *wire.Reshare){
		"has two successors": func(c *crossing, a *actor, _ *wire.Reshare) { a.do(LineageChanged{c.forked()}) },
		"does not know manifest": func(c *crossing, a *actor, _ *wire.Reshare) {
			a.do(LineageChanged{wire.NewLineage(c.next.m)})
		},
		"node 2 is revoked": func(c *crossing, a *actor, _ *wire.Reshare) {
			a.do(AccessChanged{c.revoking(c.next.m.Nodes[2].Identity)})
		},
		"node 1, which would deal, is revoked": func(c *crossing, a *actor, _ *wire.Reshare) {
			a.do(AccessChanged{c.revoking(c.old.m.Nodes[1].Identity)})
		},
		"has generation 3": func(c *crossing, a *actor, _ *wire.Reshare) {
			a.dealer.take(wire.BatchRef{ID: c.id, Generation: 3}, KnownBatch{MadeBy: c.entry.MadeBy})
		},
		"two valid entries":                     func(c *crossing, a *actor, _ *wire.Reshare) { a.nodeCore.refused[c.id] = true },
		"with a later manifest's nodes already": func(c *crossing, a *actor, _ *wire.Reshare) { a.hasMoved(c.id) },
		"too far above":                         func(_ *crossing, _ *actor, r *wire.Reshare) { r.To = maxNumbers + 1 },
		"want 2 of 3 nodes":                     func(_ *crossing, _ *actor, r *wire.Reshare) { r.Dealers = []byte{0} },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			c := standard(t)
			a, r := c.next.nodes[0], c.attempt(1, 0, 1)
			prepare(c, a, r)
			a.fetch = nil
			c.open(r)
			a.refuses(t, why)
			equal(t, "what is read for it", len(a.fetch), 0)
		})
	}
}

// revoking is the access list without a node.
func (c *crossing) revoking(identity []byte) *wire.Access {
	pub := c.old.gateway.Public().(ed25519.PublicKey)
	return must(wire.NewAccess(nil, map[string]ed25519.PublicKey{"gw": pub}, wire.Revoked{Identities: [][]byte{identity}}))
}

// A task that no gateway of the list sealed, or for another subject, or long ago, counts for
// nothing; and one that asks nothing of a node is no fault of anybody.
func TestReshareTaskOfNobody(t *testing.T) {
	for name, bad := range map[string]func(c *crossing, subject string, r *wire.Reshare){
		"another gateway": func(c *crossing, subject string, r *wire.Reshare) {
			_, key, _ := ed25519.GenerateKey(nil)
			c.old.post(subject, wire.SealGateway(key, "gw", c.old.m, subject, wire.Encode(r)))
		},
		"another subject": func(c *crossing, _ string, r *wire.Reshare) {
			r2 := *r
			r2.To++
			subject := wire.ReshareTaskSubject(&r2)
			c.old.post(subject, wire.SealGateway(c.old.gateway, "gw", c.old.m, subject, wire.Encode(r)))
		},
		"no task": func(c *crossing, subject string, _ *wire.Reshare) {
			c.old.post(subject, wire.SealGateway(c.old.gateway, "gw", c.old.m, subject, []byte("junk")))
		},
		"too large": func(c *crossing, subject string, _ *wire.Reshare) {
			c.old.post(subject, wire.SealGateway(c.old.gateway, "gw", c.old.m, subject, make([]byte, inlineTask)))
		},
		"long ago": func(c *crossing, subject string, r *wire.Reshare) {
			m := wire.LogMessage{Subject: subject, Time: c.old.now.Add(-time.Hour)}
			m.Data = wire.SealGateway(c.old.gateway, "gw", c.old.m, subject, wire.Encode(r))
			for _, a := range c.nodes() {
				a.do(TaskMessage{m, c.old.now})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := standard(t)
			r := c.attempt(1, 0, 1)
			bad(c, wire.ReshareTaskSubject(r), r)
			for i, a := range []*actor{c.old.nodes[0], c.next.nodes[0]} {
				a.expect(ReportBadTask)
				if len(a.out)+len(a.asked)+len(a.resharer.intakes.work) != 0 {
					t.Errorf("node %d of the two begins", i)
				}
				if r := a.expect(ReportBadTask); name == "too large" && r.Reason != errTaskSubject.Error() {
					t.Errorf("it was read: %v", r)
				}
			}
		})
	}
	c := standard(t)
	c.open(c.attempt(1, 0, 1))
	other := continued(t, c.next, 2, 3)
	r := c.attempt(2, 0, 1)
	r.Source, r.Manifest = c.next.m.Hash(), other.m.Hash()
	c.open(r)
	equal(t, "reports of an old node that does not deal", len(c.old.nodes[2].reports), 0)
	for _, a := range c.old.nodes {
		if _, n := a.reported(ReportBadTask); n != 0 {
			t.Errorf("a task for others is reported: %v", a.reports)
		}
	}
}

// A revoked node does nothing.
func TestReshareByARevokedNode(t *testing.T) {
	c := standard(t)
	a := c.old.nodes[0]
	a.do(AccessChanged{c.revoking(c.old.m.Nodes[0].Identity)})
	a.reports = nil
	c.open(c.attempt(1, 0, 1))
	equal(t, "deals", len(a.out), 0)
	equal(t, "reports", len(a.reports), 0)
}

// An operator takes the approval back while the shares are being loaded, or while the deal is
// being made: it is not published, and every share is wiped.
func TestReshareApprovalTakenBack(t *testing.T) {
	for name, back := range map[string]Event{
		"taken back": SuccessorChanged{},
		"fork":       nil,
	} {
		for _, making := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				c := standard(t)
				ev := back
				if ev == nil {
					ev = LineageChanged{c.forked()}
				}
				a := c.old.nodes[0]
				a.locked, a.hold = true, true
				r := c.open(c.attempt(1, 0, 1))
				shares := a.shares(wire.BatchRef{ID: c.id})
				if making {
					a.do(SharesLoaded{ID: r.ID(), Shares: shares})
					a.do(ev)
					a.compute()
				} else {
					a.do(ev)
					a.do(SharesLoaded{ID: r.ID(), Shares: shares})
				}
				equal(t, "bytes of shares left", len(shares.Expose()), 0)
				equal(t, "deals", len(a.out)+len(a.dealt), 0)
				equal(t, "in work", len(a.resharer.redeals.work), 0)
				a.expect(ReportReshareRefused)
			})
		}
	}
}

// Shares that come when nobody waits for them are wiped: after the end, or too late.
func TestReshareSharesAreWiped(t *testing.T) {
	for name, end := range map[string]func(c *crossing, a *actor){
		"end":       func(_ *crossing, a *actor) { a.do(Stop{}) },
		"too late":  func(c *crossing, _ *actor) { c.tick(redealLife + time.Second) },
		"of nobody": func(_ *crossing, a *actor) { clear(a.resharer.redeals.work) },
	} {
		c := standard(t)
		a := c.old.nodes[0]
		a.locked, a.hold = true, true
		r := c.open(c.attempt(1, 0, 1))
		end(c, a)
		shares := secret.New(make([]byte, 64))
		a.do(SharesLoaded{ID: r.ID(), Shares: shares})
		if len(shares.Expose()) != 0 || len(a.held)+len(a.out) != 0 {
			t.Errorf("%s: the shares are there, or a deal is made", name)
		}
	}
	c := standard(t)
	a := c.old.nodes[0]
	a.hold = true
	a.locked = true
	r := c.open(c.attempt(1, 0, 1))
	shares := a.shares(wire.BatchRef{ID: c.id})
	a.do(SharesLoaded{ID: r.ID(), Shares: shares})
	a.do(Stop{})
	a.compute() // it ends after the machine
	equal(t, "bytes of shares after the deal was made", len(shares.Expose()), 0)
	equal(t, "deals after the end", len(a.out), 0)
}

// A keystore that lacks shares deals none.
func TestReshareWithoutShares(t *testing.T) {
	c := standard(t)
	a := c.old.nodes[0]
	a.locked = true
	r := c.open(c.attempt(1, 0, 1))
	a.asked = nil
	a.do(SharesLoaded{ID: r.ID()})
	a.refuses(t, "does not have all shares")
}

// Dealt comes once, and before the first deal.
func TestReshareDealtIsTold(t *testing.T) {
	c := standard(t)
	a := c.old.nodes[0]
	r := c.attempt(1, 0, 1)
	subject := wire.ReshareTaskSubject(r)
	a.locked, a.hold = true, true
	c.open(r)
	a.do(SharesLoaded{ID: r.ID(), Shares: a.shares(wire.BatchRef{ID: c.id})})
	effects := a.Step(a.held[0].Run())
	dealt, first := effects[0].(Dealt)
	if publish, ok := effects[1].(Publish); !first || !ok || dealt.Next != c.next.m.Hash() ||
		publish.Slot != (wire.Slot{Kind: wire.SlotReshareDeal, ID: r.ID(), Node: 0}) {
		t.Fatalf("effects: %v", effects)
	}
	a.locked, a.hold = false, false
	c.open(c.attempt(2, 0, 1))
	equal(t, "told again", len(a.dealt), 0)
	equal(t, "deals", len(a.out), 1)
	// The task once more deals nothing, and so does another one of its number.
	for _, again := range []*wire.Reshare{c.attempt(2, 0, 1), c.attempt(2, 0, 2), r} {
		c.open(again)
	}
	equal(t, "deals", len(a.out), 1)
	if !strings.HasPrefix(subject, "move.") {
		t.Errorf("subject %s", subject)
	}
}

// Few deals are made at a time, the others wait, and a flood is refused.
func TestReshareDealsWait(t *testing.T) {
	c := standard(t)
	a := c.old.nodes[0]
	a.locked = true
	ref := wire.BatchRef{ID: c.id}
	var first *wire.Reshare
	for i := range maxRedeals + maxWaiting + 3 {
		r := c.attempt(uint32(i+1), 0, 1)
		if first == nil {
			first = r
		}
		subject := wire.ReshareTaskSubject(r)
		data := wire.SealGateway(c.old.gateway, "gw", c.old.m, subject, wire.Encode(r))
		at := c.old.now.Add(time.Duration(i) * time.Second)
		a.resharer.tries = map[tryKey]*tries{} // their pace is not what this is about
		a.do(TaskMessage{wire.LogMessage{Subject: subject, Time: at, Data: data}, c.old.now})
	}
	equal(t, "in work", len(a.resharer.redeals.work), maxRedeals)
	equal(t, "loads", len(a.asked), maxRedeals)
	equal(t, "waiting", len(a.resharer.redeals.waiting), maxWaiting)
	_, refused := a.reported(ReportReshareRefused)
	equal(t, "refused", refused, 3)
	a.do(SharesLoaded{ID: first.ID(), Shares: a.shares(ref)})
	equal(t, "loads when one is done", len(a.asked), maxRedeals+1)
	c.tick(redealLife + time.Second)
	equal(t, "loads when the keystore does not answer", len(a.asked), 2*maxRedeals+1)
	c.tick(waitLife + time.Second)
	equal(t, "waiting for ever", len(a.resharer.redeals.waiting), 0)
	a.do(Stop{})
	equal(t, "in work at the end", len(a.resharer.redeals.work), 0)
}

// Attempts at one batch that come too fast are refused, and an hour later the node has
// forgotten them.
func TestReshareAttemptsHaveAPace(t *testing.T) {
	c := standard(t)
	a := c.old.nodes[0]
	for i := range freeAttempts + 1 {
		c.open(c.attempt(uint32(i+1), 0, 1))
	}
	equal(t, "deals", len(a.out), freeAttempts)
	a.refusedLast(t, "come too fast")
	c.tick(keygenPause(freeAttempts))
	c.open(c.attempt(freeAttempts+2, 0, 1))
	equal(t, "deals", len(a.out), freeAttempts+1)
	c.tick(triesFor + time.Second)
	equal(t, "remembered", len(a.resharer.tries), 0)
}

func (a *actor) refusedLast(t *testing.T, why string) {
	t.Helper()
	if r, _ := a.reported(ReportReshareRefused); !strings.Contains(r.Reason, why) {
		t.Errorf("no refusal about %q: %v", why, a.reports)
	}
}
