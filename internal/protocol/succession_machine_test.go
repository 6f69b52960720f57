package protocol

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// following is a gateway of a fleet to which nothing has followed yet.
func following(t *testing.T) *changing {
	c := newChanging(t, 2, 3)
	c.lineage = wire.NewLineage(c.old().m)
	c.life()
	c.desk.do(ManifestSeen{c.next().m})
	return c
}

// approves is a node's word for a manifest in its heartbeat.
func (c *changing) approves(next [32]byte, forced bool) func(int) *wire.SuccessorApproval {
	return func(node int) *wire.SuccessorApproval {
		a := c.old().approval(node, next, forced)
		return &a
	}
}

// A successor is published once enough nodes approve it by their heartbeats, again until KEYS
// shows it, and the same whatever order they came in.
func TestSuccession(t *testing.T) {
	c := following(t)
	next := c.next().m.Hash()
	yes := c.approves(next, false)
	c.heard(0, yes, 2, 0)
	equal(t, "of two nodes", len(c.desk.successions), 0)
	c.heard(0, yes, 3)
	equal(t, "of three nodes", len(c.desk.successions), 1)
	one := c.desk.successions[0]
	if got := must(wire.OpenSuccession(one.Data, c.old().m)); got.Hash() != next || one.Next != next {
		t.Errorf("succession to %x", got.Hash())
	}
	s, _, err := wire.DecodeSuccession(one.Data)
	c.old().check(err)
	for i, node := range []uint32{0, 2, 3} {
		equal(t, "approval of node", s.Approvals[i].Node, node)
	}
	c.tick(4)
	equal(t, "after four seconds", len(c.desk.successions), 1)
	c.tick(1)
	equal(t, "after five seconds", len(c.desk.successions), 2)
	equal(t, "the same", bytes.Equal(c.desk.successions[1].Data, one.Data), true)
	c.desk.do(LineageChanged{must(c.lineage.WithSuccession(one.Data))})
	c.tick(20)
	equal(t, "once KEYS shows it", len(c.desk.successions), 2)
	equal(t, "views", len(c.desk.views.chain), 2)
}

// What does not count: too few, taken back, of another manifest, of another node, a forced
// minority, a manifest that may not follow.
func TestNoSuccession(t *testing.T) {
	for name, say := range map[string]func(c *changing, next [32]byte){
		"taken back": func(c *changing, next [32]byte) {
			c.heard(0, c.approves(next, false), 0, 1)
			c.heard(0, nil, 0)
			c.heard(0, c.approves(next, false), 2)
		},
		"another manifest": func(c *changing, next [32]byte) {
			c.heard(0, c.approves(next, false), 0, 1)
			c.heard(0, c.approves([32]byte{1}, false), 2, 3)
		},
		"another node's": func(c *changing, next [32]byte) {
			c.heard(0, c.approves(next, false), 0, 1)
			c.heard(0, func(int) *wire.SuccessorApproval { return c.approves(next, false)(3) }, 2)
		},
		"a forged one": func(c *changing, next [32]byte) {
			c.heard(0, c.approves(next, false), 0, 1)
			c.heard(0, func(node int) *wire.SuccessorApproval {
				a := c.approves(next, false)(node)
				a.Attestation = c.approves(next, false)(3).Attestation
				return a
			}, 2)
		},
		"one forced": func(c *changing, next [32]byte) {
			c.heard(0, c.approves(next, false), 0)
			c.heard(0, c.approves(next, true), 1)
		},
		"of the next one's own nodes": func(c *changing, next [32]byte) {
			c.desk.do(LineageChanged{wire.NewLineage(c.old().m)})
			c.heard(1, c.approves(next, false), 0, 1, 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := following(t)
			say(c, c.next().m.Hash())
			c.tick(10)
			if n := len(c.desk.successions); n > 0 {
				t.Errorf("published %d times", n)
			}
		})
	}
}

// Forced approvals of as many nodes as sign do. Two successors that count stop everything, and
// that is published too, so that everybody sees it.
func TestFork(t *testing.T) {
	c := following(t)
	c.heard(0, c.approves(c.next().m.Hash(), true), 0, 1)
	equal(t, "published", len(c.desk.successions), 1)
	c.lineage = must(c.lineage.WithSuccession(c.desk.successions[0].Data))
	c.desk.do(LineageChanged{c.lineage})
	c.quiet()
	c.heard(1, nil, 0, 1, 2)
	equal(t, "manifest for new keys", c.desk.views.forKeys().manifest.Hash(), c.next().m.Hash())

	other := successor(t, c.old(), 2, 3)
	c.desk.do(ManifestSeen{other.m})
	c.heard(0, c.approves(other.m.Hash(), true), 2, 3)
	equal(t, "published", len(c.desk.successions), 2)
	c.lineage = must(c.lineage.WithSuccession(c.desk.successions[1].Data))
	if c.lineage.Fork() == nil {
		t.Fatal("no fork")
	}
	c.desk.do(LineageChanged{c.lineage})
	c.desk.do(LineageChanged{c.lineage})
	equal(t, "reports", len(c.desk.reported(ReportFork)), 1)
	equal(t, "manifest for new keys", c.desk.views.forKeys().manifest.Hash(), c.old().m.Hash())
	c.start()
	c.tick(10)
	equal(t, "generations", c.generations(), "[0 0 0 0]")
	equal(t, "published", len(c.desk.successions), 2)
	if why := c.desk.Resharing().Blocked; !strings.Contains(why, "two successors") {
		t.Errorf("blocked: %q", why)
	}
}

// Manifests of other fleets, and more than may be, take no room.
func TestStrangeManifests(t *testing.T) {
	c := following(t)
	before := len(c.desk.mover.candidates)
	c.desk.do(ManifestSeen{newFleet(t, 2, 3).m})
	c.desk.do(ManifestSeen{successor(t, newFleet(t, 2, 3), 2, 3).m})
	clash := successor(t, c.old(), 2, 3)
	clash.m.Network = "signet"
	c.old().check(clash.m.Seal())
	c.desk.do(ManifestSeen{clash.m})
	equal(t, "candidates", len(c.desk.mover.candidates), before)
}

// Keys are generated by the nodes of the newest manifest that are all there; a job keeps its
// manifest, and its result leads there.
func TestKeygenGoesToTheNewestManifest(t *testing.T) {
	c := newChanging(t, 2, 3)
	last := func(n int) *wire.Task {
		c.desk.tasks = nil
		c.desk.arrive(c.old().keygen(n, "alice", "bitcoin", 1), nil)
		return must(wire.DecodeTask(c.desk.tasks[0].Body, c.old().m))
	}
	equal(t, "of the first manifest, whose keys are in KEYS", last(70).Of(c.old().m), true)
	c.heard(1, nil, 0, 2)
	equal(t, "while one is missing", last(71).Of(c.old().m), true)
	c.heard(1, nil, 1)
	task := last(72)
	equal(t, "of the second", task.Of(c.next().m), true)
	j := c.desk.jobs[jobKey("alice", jobID(72))]
	b := c.desk.keygen.jobs[j][0]
	equal(t, "view", b.view.manifest.Hash(), c.next().m.Hash())

	// All of its nodes certify, and the result has what leads there.
	r := c.generate(c.next(), b)
	c.old().check(wire.VerifyKeys(c.old().m, j.Signed, r))
	equal(t, "batch's manifest", slices.Equal(r.Batches[0].Manifest, hashOf(c.next().m)), true)
	equal(t, "successions", len(r.Successions), 1)
	equal(t, "of which the first is", bytes.Equal(r.Successions[0], c.lineage.Proofs()[0]), true)
}

func hashOf(m *wire.Manifest) []byte {
	h := m.Hash()
	return h[:]
}

// A keygen job that another gateway began under another manifest goes on under that.
func TestKeygenKeepsItsManifest(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.heard(1, nil, 0, 1, 2)
	job := c.old().keygen(73, "alice", "bitcoin", 1)
	theirs := &wire.Task{Job: job} // by a gateway that did not hear the new nodes
	c.post(wire.TaskSubject(theirs, jobID(73)),
		wire.SealGateway(c.old().gateway, "gw", c.old().m, wire.TaskSubject(theirs, jobID(73)), wire.Encode(theirs)))
	c.desk.arrive(job, nil)
	equal(t, "view", c.desk.keygen.jobs[c.desk.jobs[jobKey("alice", jobID(73))]][0].view, c.desk.view())

	job = c.old().keygen(74, "alice", "bitcoin", 1)
	c.desk.arrive(job, nil)
	equal(t, "view", c.desk.keygen.jobs[c.desk.jobs[jobKey("alice", jobID(74))]][0].view, c.desk.views.chain[1])
	theirs = &wire.Task{Job: job}
	c.post(wire.TaskSubject(theirs, jobID(74)),
		wire.SealGateway(c.old().gateway, "gw", c.old().m, wire.TaskSubject(theirs, jobID(74)), wire.Encode(theirs)))
	equal(t, "view", c.desk.keygen.jobs[c.desk.jobs[jobKey("alice", jobID(74))]][0].view, c.desk.view())
}
