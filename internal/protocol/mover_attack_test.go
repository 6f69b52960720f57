package protocol

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// lies publishes an attempt that a gateway opened which does not mean it: nobody answers.
func (c *changing) lies(r wire.Reshare) {
	subject := wire.ReshareTaskSubject(&r)
	c.post(subject, wire.SealGateway(c.old().gateway, "gw", c.old().m, subject, wire.Encode(&r)))
}

// A gateway that opens an attempt with the last number that nodes take, or one beyond that,
// keeps no batch from moving for good.
func TestNumbersThatAreUsedUp(t *testing.T) {
	for name, to := range map[string]uint32{"the last one": maxNumbers, "one beyond": maxNumbers + 1, "far beyond": 1 << 16} {
		t.Run(name, func(t *testing.T) {
			c := newChanging(t, 2, 3)
			r := attemptAt(c.desk.directory.finished[c.ids[0]], c.desk.views.chain[1])
			r.Dealers, r.To = []byte{0, 1}, to
			c.lies(r)
			c.mute[0], c.mute[1] = true, true
			c.start()
			c.behave()
			for range 40 {
				c.tick(60)
				if g := c.desk.directory.finished[c.ids[0]].Generation; g > 0 && g <= maxNumbers {
					return
				}
			}
			t.Errorf("generation %d; the last task has number %d, and nodes take those up to %d",
				c.desk.directory.finished[c.ids[0]].Generation, c.lastTask(c.ids[0]).To, maxNumbers)
		})
	}
}

// A gateway that lies has tasks in WORK that come to nothing, under the numbers that come next:
// before the gateway begins, or when it has published its own, which WORK then does not show. It goes
// on to another number at once.
func TestNumbersThatAreSpoiled(t *testing.T) {
	c := newChanging(t, 2, 3)
	f := c.desk.directory.finished[c.ids[0]]
	spoil := func(from, to uint32) {
		r := attemptAt(f, c.desk.views.chain[1])
		r.Dealers, r.From, r.To, r.Base = []byte{0, 1}, from, to, [32]byte{1}
		c.lies(r)
	}
	spoil(0, 1)
	spoil(1, 2)
	spoil(1, 3)
	first := c.prepare()
	equal(t, "batch", first.BatchID(), f.ID)
	equal(t, "number", first.To, 4)
	spoil(1, 4)
	spoil(1, 5)
	c.tick(2)
	equal(t, "generation after 2 seconds", c.desk.directory.finished[f.ID].Generation, 6)
}

// Whoever fills KEYS with manifests that may follow keeps none out that nodes approve, and
// takes no more room.
func TestManifestsThatFillKeys(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.lineage = wire.NewLineage(c.old().m)
	c.life()
	fill := func() {
		for i := range 2 * maxCandidates {
			junk := *c.next().m
			junk.Nodes = slices.Clone(junk.Nodes)
			junk.Nodes[0].Encryption = slices.Repeat([]byte{byte(i), 1}, 16)
			c.old().check(junk.Seal())
			c.desk.do(ManifestSeen{&junk})
		}
	}
	next := c.next().m.Hash()
	fill()
	c.desk.do(ManifestSeen{c.next().m})
	c.heard(0, c.approves(next, false), 0, 1, 2)
	if !slices.Contains(c.desk.fetch, hex.EncodeToString(next[:])) {
		t.Error("the manifest that nodes approve is not read again")
	}
	c.desk.do(ManifestSeen{c.next().m})
	equal(t, "published", len(c.desk.successions), 1)
	fill()
	c.tick(5)
	equal(t, "published again", len(c.desk.successions), 2)
	if n := len(c.desk.mover.candidates); n > maxCandidates+4 {
		t.Errorf("%d candidates", n)
	}
}

// A node that commits, and then says falsely that the keys have moved, costs each job an attempt
// more: it sits out before long.
func TestNodeThatSaysMovedAlways(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.regret = func(_, node int) wire.Code {
		if node == 0 {
			return wire.CodeMoved
		}
		return ""
	}
	more := 0
	for n := range 20 {
		job := c.arrive(100+n, item(c.pair()[0], 0, "a"))
		c.run()
		r := c.desk.result()
		c.verify(job, r)
		if n >= 10 {
			more += r.Attempts - 1
		}
		c.tick(6)
	}
	if more > 2 {
		t.Errorf("%d attempts more in the last 10 jobs", more)
	}
}

// A gateway that lies opens attempts under a number that has one: nodes count the first in WORK, and so does
// the gateway, whose attempt goes on with what it has read.
func TestSecondTasksOfANumber(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.absent[2] = true
	c.start()
	for _, id := range c.ids {
		first, one := c.lastTask(id), c.desk.mover.moves[id]
		fetched := len(c.desk.fetch)
		for _, dealers := range [][]byte{{0, 1}, {0, 2}, {0, 3}, {1, 2}} {
			r := *first
			r.Dealers = dealers
			c.lies(r)
		}
		r := *first
		r.PerSlice = 1
		c.lies(r)
		equal(t, "the attempt goes on", c.desk.mover.moves[id] == one, true)
		equal(t, "read again", len(c.desk.fetch), fetched)
	}
	for _, id := range c.ids {
		first := c.lastTask(id)
		c.accept(first, 2)
	}
	c.run()
	equal(t, "generations", c.generations(), "[1 1 1 1]")
}

// A new node that gives up every attempt, and blames nobody, has the old nodes deal ever more seldom. Once it
// does so no more, the batches move.
func TestAbortsThatBlameNobody(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.complain = func(node int, _ *wire.Reshare) *wire.Complaint {
		if node != 2 {
			return nil
		}
		return &wire.Complaint{Code: wire.CodeAttemptTaken, Reason: "no"}
	}
	c.start()
	c.tick(500)
	given := c.desk.reported(ReportReshareAbandoned)
	if n := len(given) / len(c.ids); n < 10 || n > 14 {
		t.Errorf("%d attempts at each batch in 500 seconds", n)
	}
	for _, r := range given {
		if !strings.Contains(r.Reason, "node 2 (of epoch 1) gave up") || r.Culprit != -1 {
			t.Fatalf("report %v", r)
		}
	}
	c.complain = nil
	c.tick(int(longestRest.Seconds()))
	equal(t, "rests after very many attempts", movePause(1<<20), longestRest)
	equal(t, "generations moved", strings.Contains(c.generations(), "0"), false)
}
