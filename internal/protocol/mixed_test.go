package protocol

import (
	"fmt"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// pair is the two batches of alice's that have keys of one suite.
func (c *changing) pair() (ids []string) {
	for _, id := range c.ids {
		if f := c.desk.directory.finished[id]; f.header.Client == "alice" && f.header.Suite == 1 {
			ids = append(ids, id)
		}
	}
	return ids
}

// move moves one batch, and no other.
func (c *changing) move(id string) {
	c.t.Helper()
	c.desk.mover.queue = []string{id}
	c.desk.mover.most = 1
	hash := c.next().m.Hash()
	pace := &wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}
	c.desk.mover.pace = pace
	c.desk.mover.schedule(true)
	c.desk.mover.pace = &wire.Pace{Version: wire.PaceVersion, Manifest: hash[:]}
	for _, effect := range c.desk.Step(Timer{"none", timerRest}) { // what schedule left
		if p, ok := effect.(PublishTask); ok {
			c.desk.tasks = append(c.desk.tasks, p)
		}
	}
	c.run()
	equal(c.t, "generation of the batch that moved", c.desk.directory.finished[id].Generation, 1)
}

func (c *changing) verify(job wire.SignedJob, r *wire.Result) {
	c.t.Helper()
	if r.Status != wire.StatusDone {
		c.t.Fatalf("%s: %s", r.Code, r.Error)
	}
	asked, _ := job.Parse(c.old().now)
	for i, sig := range r.Sigs {
		if err := client.VerifySignature(r.Suite, sig.PublicKey, asked.Items[i].Message, sig.Signature); err != nil {
			c.t.Fatalf("signature %d: %v", i, err)
		}
	}
}

func (c *changing) arrive(n int, items ...wire.JobItem) wire.SignedJob {
	job := c.old().signing(n, "alice", items...)
	c.desk.finished = nil
	c.desk.arrive(job, nil)
	return job
}

// tasksOf are the manifests that WORK's sign tasks are for, in their order.
func (c *changing) tasksOf() (all []int) {
	for _, m := range c.log {
		if wire.IsReshareTask(m.Subject) || m.Subject[:5] != "work." {
			continue
		}
		task := must(wire.DecodeTask(must(c.desk.opener.FromGateway(m.Subject, m.Data)), c.old().m))
		for v, g := range c.of {
			if task.Of(g.m) {
				all = append(all, v)
			}
		}
	}
	return all
}

// A job whose keys are with the nodes of two manifests has an attempt of each, one at once
// after the other, and that is no trouble.
func TestJobOfTwoGenerations(t *testing.T) {
	c := newChanging(t, 3, 5)
	ids := c.pair()
	c.move(ids[1])
	job := c.arrive(9, item(ids[1], 0, "a"), item(ids[0], 0, "b"), item(ids[1], 1, "c"), item(ids[0], 1, "d"))
	c.run()
	r := c.desk.result()
	c.verify(job, r)
	equal(t, "attempts", r.Attempts, 2)
	equal(t, "tasks", fmt.Sprint(c.tasksOf()), "[1 0]")
	equal(t, "retries", len(c.desk.reported(ReportRetry)), 0)
	equal(t, "jobs", c.desk.Jobs(), 0)
}

// Keys that move while their job waits or is in work are signed with by those who have them.
func TestKeysMoveUnderAJob(t *testing.T) {
	c := newChanging(t, 2, 3)
	ids := c.pair()
	job := c.arrive(9, item(ids[0], 0, "a"), item(ids[1], 0, "b"))
	waiting := c.desk.tasks
	c.desk.tasks = nil
	c.move(ids[0])
	c.refuse = func(v, _ int) wire.Code {
		if v == 0 && len(c.tasksOf()) == 1 {
			return wire.CodeMoved
		}
		return ""
	}
	for _, p := range waiting {
		c.task(p, "gw")
	}
	c.run()
	r := c.desk.result()
	c.verify(job, r)
	equal(t, "tasks", fmt.Sprint(c.tasksOf()), "[0 1 0]")
	equal(t, "retries", len(c.desk.reported(ReportRetry)), 0)
	for v := range c.of {
		for i, n := range c.desk.views.chain[v].nodes.nodes {
			if n.strikes > 0 {
				t.Errorf("manifest %d: node %d has strikes", v, i)
			}
		}
	}
}

// Nodes that have read of a later generation before the gateway are not blamed: it tries
// again after a pause, and ends nothing.
func TestMovedBeforeTheGatewayKnows(t *testing.T) {
	c := newChanging(t, 2, 3)
	ids := c.pair()
	moved := false
	c.refuse = func(v, _ int) wire.Code {
		if v == 0 && !moved {
			return wire.CodeMoved
		}
		return ""
	}
	job := c.arrive(9, item(ids[0], 0, "a"))
	c.run()
	for range 4 {
		equal(t, "results", len(c.desk.finished), 0)
		c.desk.timeout(timerRetry)
		c.run()
	}
	for i, n := range c.desk.view().nodes.nodes {
		equal(t, fmt.Sprint("strikes of node ", i), n.strikes, 0)
	}
	for _, r := range c.desk.reports {
		if r.Culprit >= 0 {
			t.Errorf("somebody is blamed: %v", r)
		}
	}
	c.move(ids[0])
	moved = true
	c.desk.timeout(timerRetry)
	c.run()
	c.verify(job, c.desk.result())
	tasks := c.tasksOf()
	equal(t, "manifest of the last task", tasks[len(tasks)-1], 1)
}

// One node that says falsely that keys moved keeps nobody from signing with them.
func TestFalseMoved(t *testing.T) {
	c := newChanging(t, 2, 3)
	liar := -1
	c.refuse = func(v, node int) wire.Code {
		if liar < 0 {
			liar = node
		}
		if node == liar {
			return wire.CodeMoved
		}
		return ""
	}
	job := c.arrive(9, item(c.pair()[0], 0, "a"))
	c.run()
	c.verify(job, c.desk.result())
	equal(t, "attempts", c.desk.result().Attempts, 1)
}

// What nodes of one manifest deny says nothing of those of the next.
func TestRefusalsCountByManifest(t *testing.T) {
	c := newChanging(t, 2, 3)
	ids := c.pair()
	c.move(ids[1])
	refusals := 0
	c.refuse = func(v, node int) wire.Code { // one of each manifest less than is too many
		if node < 2 && v == 0 || node < 1 && v == 1 {
			refusals++
			return wire.CodeNotOwner
		}
		return ""
	}
	job := c.arrive(9, item(ids[0], 0, "a"), item(ids[1], 0, "b"))
	for range 8 {
		c.run()
		if len(c.desk.finished) > 0 {
			break
		}
		c.tick(1)
		if slices.ContainsFunc(c.desk.timers, func(t Timer) bool { return t.Kind == timerRetry }) {
			c.desk.timeout(timerRetry)
		}
	}
	c.verify(job, c.desk.result())
	if refusals == 0 {
		t.Error("nobody was asked who refuses")
	}
}

// An entry of a later generation with other keys, or made by another key generation, takes the
// batch out: nobody knows which its keys are. A late one of a lower generation changes nothing.
func TestLaterEntryOfOtherKeys(t *testing.T) {
	c := newChanging(t, 2, 3)
	id := c.ids[0]
	c.start()
	first, keys := c.head(id, 0), c.desk.Keys()
	c.desk.do(ReadKeys(c.lineage, wire.LogMessage{Subject: wire.EntryHeadSubject(id, 0), Seq: 9999, Data: first}))
	equal(t, "generation", c.desk.directory.finished[id].Generation, 1)

	head := must(wire.VerifyEntry(c.head(id, 1), c.lineage)).EntryHead
	head.Generation, head.Made, head.Base = 2, [32]byte{9}, [32]byte{9}
	for i := range head.Keys {
		head.Keys[i].ChainCode = wire.ChainCode(head.Made, i)
	}
	r := head.Reshare()
	for node := range head.Certificates {
		cert := &wire.Certificate{
			Context: r.Context(), Generation: 2, Transcript: wire.Transcript(head.Deals), Node: uint32(node), Root: wire.KeyRoot(head.Keys),
		}
		cert.Attestation = c.next().attestOne(node, cert.Leaf(c.next().m))
		head.Certificates[node] = wire.Encode(cert)
	}
	k := int(head.Header.K)
	c.desk.do(ReadKeys(c.lineage, wire.LogMessage{Subject: wire.EntryHeadSubject(id, 2), Seq: 10000, Data: wire.Encode(&head)}))
	equal(t, "reports", len(c.desk.reported(ReportConflict)), 1)
	equal(t, "keys", c.desk.Keys(), keys-k)
	equal(t, "refused", c.desk.directory.register.Refused(id), true)
	equal(t, "there", c.desk.directory.finished[id] == nil, true)
}

// A batch that is refused while it moves is let go of.
func TestRefusedWhileItMoves(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.losing = true
	c.start()
	equal(t, "in flight", c.desk.Resharing().InFlight, 4)
	c.desk.directory.refuseBatch(c.ids[0])
	c.tick(1)
	equal(t, "in flight", c.desk.Resharing().InFlight, 3)
	c.losing = false
	c.tick(1)
	equal(t, "in flight", c.desk.Resharing().InFlight, 0)
	equal(t, "there", c.desk.directory.finished[c.ids[0]] == nil, true)
}
