package protocol

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Entries are summed up beside each other, so that a later generation may be known before the one
// that the keys were made with, whose certificates a client gets.
func TestLaterGenerationFirst(t *testing.T) {
	c := newChanging(t, 3, 5)
	d := c.desk.directory
	id := c.ids[0]
	made := d.finished[id]
	c.start()
	moved := *d.finished[id]
	equal(t, "generation", moved.Generation, 1)
	moved.first = nil
	d.leave(d.finished[id])
	delete(d.finished, id)
	d.add(&moved)
	d.add(made)
	f := d.finished[id]
	equal(t, "generation that counts", f.Generation, 1)
	equal(t, "certificates of generation 0", len(f.first), len(made.first))
	equal(t, "what was handed out does not change", moved.first == nil, true)
}

// All batches move, in the order of their ids, and keys stay what they are.
func TestBatchesMove(t *testing.T) {
	c := newChanging(t, 3, 5)
	before := map[string]*finishedBatch{}
	for _, id := range c.ids {
		before[id] = c.desk.directory.finished[id]
	}
	keys := c.desk.Keys()
	equal(t, "blocked before anybody said so", c.desk.Resharing().Blocked == "", false)
	c.start()
	equal(t, "generations", c.generations(), "[1 1 1 1]")
	equal(t, "keys", c.desk.Keys(), keys)
	for _, id := range c.ids {
		now := c.desk.directory.finished[id]
		equal(t, "root", now.root, before[id].root)
		equal(t, "made by", now.madeBy, before[id].madeBy)
		equal(t, "manifest", now.view.manifest.Hash(), c.next().m.Hash())
	}
	s := c.desk.Resharing()
	equal(t, "moved", s.Moved, keys)
	equal(t, "left", s.Left+s.InFlight, 0)
	equal(t, "reports", len(c.desk.reported(ReportReshared)), 4)
	if all := c.desk.reported(ReportReshareAbandoned); len(all) > 0 {
		t.Error(all)
	}
	c.life() // another life reads the same
	equal(t, "generations", c.generations(), "[1 1 1 1]")
	equal(t, "held of the first manifest", c.desk.views.chain[0].held.Len(), 4)
	equal(t, "held of the second manifest", c.desk.views.chain[1].held.Len(), 4)
}

// A dealer that says nothing costs each batch in flight one timeout, and no other: it deals
// no more for a while. In signatures it takes part as before.
func TestWithheldDeals(t *testing.T) {
	c := newChanging(t, 2, 3)
	mute := int(c.prepare().Dealers[0])
	c.mute[mute] = true
	c.run()
	c.tick(8)
	equal(t, "generations moved", strings.Contains(c.generations(), "0"), false)
	given := c.desk.reported(ReportReshareAbandoned)
	if len(given) == 0 || len(given) > 4 {
		t.Fatalf("given up: %v", given)
	}
	for _, r := range given {
		if !strings.Contains(r.Reason, fmt.Sprintf("node %d did not deal in time", mute)) || r.Culprit != -1 {
			t.Errorf("report %v", r)
		}
	}
	v := c.desk.view()
	equal(t, "sits out of dealing", v.dealing.nodes[mute].strikes, 1)
	equal(t, "sits out of signing", v.nodes.nodes[mute].strikes, 0)
	for _, id := range c.ids {
		if r := c.lastTask(id); slices.Contains(r.Dealers, byte(mute)) {
			t.Errorf("batch %s: node %d was asked again: %v", id, mute, r.Dealers)
		}
	}
}

// A dealer that dies is not waited for once it is not heard.
func TestDealerThatDies(t *testing.T) {
	c := newChanging(t, 2, 3)
	dead := int(c.prepare().Dealers[0])
	c.mute[dead] = true
	c.run()
	for range 7 {
		var alive []int
		for i := range c.old().m.N {
			if i != dead {
				alive = append(alive, i)
			}
		}
		c.heard(0, nil, alive...)
		c.heard(1, nil, 0, 1, 2)
		c.tick(1)
	}
	equal(t, "generations moved", strings.Contains(c.generations(), "0"), false)
	for _, r := range c.desk.reported(ReportReshareAbandoned) {
		if !strings.Contains(r.Reason, fmt.Sprintf("node %d is not heard", dead)) {
			t.Errorf("report %v", r)
		}
	}
}

// lastTask is the latest attempt at a batch that WORK has.
func (c *changing) lastTask(id string) (last *wire.Reshare) {
	for _, m := range c.log {
		if !strings.HasPrefix(m.Subject, "move."+id) {
			continue
		}
		body := must(c.desk.opener.FromGateway(m.Subject, m.Data))
		if r := must(wire.DecodeReshare(body)); last == nil || r.To > last.To {
			last = r
		}
	}
	return last
}

// A dealer whose deal is bad is named by new nodes, and the next attempt is without it.
func TestLyingDealer(t *testing.T) {
	c := newChanging(t, 2, 3)
	liar := int(c.prepare().Dealers[1])
	c.spoil = func(node int, d *frost.ReshareDeal) {
		if node == liar {
			d.Shares[0][3] ^= 1
		}
	}
	c.run()
	c.tick(5)
	equal(t, "generations moved", strings.Contains(c.generations(), "0"), false)
	given := c.desk.reported(ReportReshareAbandoned)
	if len(given) == 0 {
		t.Error("nobody complained")
	}
	for _, r := range given {
		if !strings.Contains(r.Reason, fmt.Sprintf("it names dealer %d", liar)) || r.Culprit != -1 {
			t.Errorf("report %v", r)
		}
	}
}

// A new node that names one dealer after the other is the suspect: its batch rests, and the
// report names them all.
func TestLyingComplaints(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.complain = func(node int, r *wire.Reshare) *wire.Complaint {
		if node != 2 {
			return nil
		}
		culprit := r.Dealers[0]
		return &wire.Complaint{Code: frost.CodeShare, Reason: "bad", Culprit: &culprit}
	}
	c.start()
	c.tick(30)
	equal(t, "generations", c.generations(), "[0 0 0 0]")
	given := c.desk.reported(ReportReshareAbandoned)
	if len(given) != 8 { // two attempts each
		t.Fatalf("%d attempts: %v", len(given), given)
	}
	last := given[len(given)-1].Reason
	if !strings.Contains(last, "node 2 (of epoch 1) gave up") || !strings.Contains(last, "it has named dealers [") {
		t.Errorf("report %q", last)
	}
	c.complain = nil
	c.tick(150)
	equal(t, "generations moved", strings.Contains(c.generations(), "0"), false)
}

// A new node that certifies what does not follow from the deals is proven to lie. Its
// signature makes no entry, and the batch rests.
func TestFalseReshareCertificate(t *testing.T) {
	for name, lie := range map[string]func(*wire.Certificate){
		"root":       func(c *wire.Certificate) { c.Root[0] ^= 1 },
		"transcript": func(c *wire.Certificate) { c.Transcript[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			c := newChanging(t, 2, 3)
			c.certify = func(node int, cert *wire.Certificate) {
				if node == 1 {
					lie(cert)
				}
			}
			c.start()
			c.tick(30)
			equal(t, "generations", c.generations(), "[0 0 0 0]")
			given := c.desk.reported(ReportReshareAbandoned)
			equal(t, "attempts", len(given), 4)
			for _, r := range given {
				if r.Culprit != 1 || r.Code != wire.CodeFalseCertificate {
					t.Errorf("report %v", r)
				}
			}
			c.certify = nil
			c.tick(61)
			equal(t, "generations", c.generations(), "[2 2 2 2]")
		})
	}
}

// New nodes that are silent keep their batches waiting, not the others for ever, and nothing
// is blamed. When they are back their certificates make the entries.
func TestAbsentNewNode(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.absent[2] = true
	c.start()
	c.tick(60)
	equal(t, "generations", c.generations(), "[0 0 0 0]")
	equal(t, "given up", len(c.desk.reported(ReportReshareAbandoned)), 0)
	c.absent[2] = false
	for _, id := range c.ids {
		c.accept(c.lastTask(id), 2)
	}
	c.run()
	equal(t, "generations", c.generations(), "[1 1 1 1]")
}

// A gateway that starts goes on with the attempts that it finds in the log.
func TestRestartedMover(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.losing = true
	c.start()
	equal(t, "generations", c.generations(), "[0 0 0 0]")
	tasks := 0
	for _, m := range c.log {
		if wire.IsReshareTask(m.Subject) {
			tasks++
		}
	}
	c.life()
	c.losing = false
	c.start()
	c.refetch()
	c.run()
	equal(t, "generations", c.generations(), "[1 1 1 1]")
	for _, m := range c.log {
		if wire.IsReshareTask(m.Subject) {
			tasks--
		}
	}
	equal(t, "tasks more", -tasks, 0)
}

// refetch shows the rounds again, as the machine wants where it opens an attempt.
func (c *changing) refetch() {
	for _, m := range slices.Clone(c.log) {
		if strings.HasPrefix(m.Subject, "reshare.") {
			c.desk.do(RoundsAgain{m})
		}
	}
}

// Another gateway's task counts in place of this one's for the same number.
func TestOthersTask(t *testing.T) {
	c := newChanging(t, 2, 3)
	hash := c.next().m.Hash()
	c.desk.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
	mine := must(wire.DecodeReshare(c.desk.tasks[0].Body))
	theirs := *mine
	theirs.Dealers = []byte{0, 1}
	if slices.Equal(mine.Dealers, theirs.Dealers) {
		theirs.Dealers = []byte{2, 3}
	}
	c.task(PublishTask{Subject: c.desk.tasks[0].Subject, Body: wire.Encode(&theirs)}, "gw")
	c.refetch()
	c.run()
	equal(t, "generations", c.generations(), "[1 1 1 1]")
	f := c.desk.directory.finished[theirs.BatchID()]
	entry := must(wire.VerifyEntry(c.head(f.ID, 1), c.lineage))
	equal(t, "dealers", fmt.Sprint(entry.Dealers), fmt.Sprint(theirs.Dealers))
}

func (c *changing) head(id string, generation uint32) []byte {
	for _, m := range c.log {
		if m.Subject == wire.EntryHeadSubject(id, generation) {
			return m.Data
		}
	}
	return nil
}

// Tasks that lie about what moves, or take a number far ahead, are nobody's to follow.
func TestBadReshareTasks(t *testing.T) {
	c := newChanging(t, 2, 3)
	f := c.desk.directory.finished[c.ids[0]]
	bad := attemptAt(f, c.desk.views.chain[1])
	bad.Dealers, bad.To = []byte{0, 1}, 1<<31
	c.post(wire.ReshareTaskSubject(&bad), wire.SealGateway(c.old().gateway, "gw", c.old().m, wire.ReshareTaskSubject(&bad), wire.Encode(&bad)))
	other := attemptAt(f, c.desk.views.chain[1])
	other.Dealers, other.To, other.Base = []byte{0, 1}, 7, [32]byte{1}
	c.post(wire.ReshareTaskSubject(&other), wire.SealGateway(c.old().gateway, "gw", c.old().m, wire.ReshareTaskSubject(&other), wire.Encode(&other)))
	c.start()
	equal(t, "generations", c.generations(), "[8 1 1 1]")
}

// A gateway that lies takes the last number that nodes go to, or one behind it: a batch moves
// all the same.
func TestUsedUpNumbers(t *testing.T) {
	for _, last := range []bool{true, false} {
		c := newChanging(t, 2, 3)
		r := attemptAt(c.desk.directory.finished[c.ids[0]], c.desk.views.chain[1])
		if r.Dealers, r.To = []byte{0, 1}, maxNumbers; !last {
			r.To++
		}
		c.answered[r.ID()] = true // the nodes do not work on it
		c.post(wire.ReshareTaskSubject(&r), wire.SealGateway(c.old().gateway, "gw", c.old().m, wire.ReshareTaskSubject(&r), wire.Encode(&r)))
		c.start()
		c.tick(90)
		equal(t, "generations", c.generations(), "[1 1 1 1]")
	}
}

// Pause stops new attempts, and nothing else.
func TestPausedMover(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.desk.mover.most = 1
	hash := c.next().m.Hash()
	c.desk.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
	equal(t, "tasks", len(c.desk.tasks), 1)
	c.pause()
	c.tick(10)
	equal(t, "generations", c.generations(), "[1 0 0 0]")
	equal(t, "blocked", c.desk.Resharing().Blocked, "paused")
	c.start()
	equal(t, "generations", c.generations(), "[1 1 1 1]")
}

// While jobs wait for signatures one batch moves at a time, and one a second at most.
func TestMoverStandsBack(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.desk.signing.traffic.small.flying = 1
	c.start()
	equal(t, "generations", c.generations(), "[0 0 0 0]")
	for i := range 3 {
		c.tick(1)
		equal(t, "moved in a second", strings.Count(c.generations(), "1"), i+1)
	}
	c.losing = true // a batch that takes three seconds is followed by as long a pause
	c.tick(3)
	c.losing = false
	c.run()
	equal(t, "moved", strings.Count(c.generations(), "1"), 4)
	equal(t, "pause", c.desk.mover.pause.Sub(c.old().now), 2*time.Second)
}

// Between two signatures of somebody who asks for one after the other, it stands back too.
func TestMoverStandsBackBetweenSignatures(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.desk.signing.traffic.flights++
	c.tick(1)
	c.start()
	equal(t, "generations", c.generations(), "[0 0 0 0]")
	for i := range 2 {
		c.desk.signing.traffic.flights++
		c.tick(1)
		equal(t, "moved in a second", strings.Count(c.generations(), "1"), i+1)
	}
	c.tick(1)
	equal(t, "moved once nobody asks", strings.Count(c.generations(), "1"), 4)
}

// Two gateways share the batches; what one does not get on with the other one takes over.
func TestGatewaysShareBatches(t *testing.T) {
	c := newChanging(t, 2, 3)
	c.desk.mover.self = "gw"
	c.desk.views.presence.gateways["other"] = &chain{heard: c.old().now, last: &wire.Heartbeat{}}
	mine := 0
	for _, id := range c.ids {
		a, b := rendezvous(id, "gw"), rendezvous(id, "other")
		if slices.Compare(a[:], b[:]) > 0 {
			mine++
		}
	}
	c.start()
	equal(t, "moved at once", strings.Count(c.generations(), "1"), mine)
	for range 10 {
		c.desk.views.presence.gateways["other"].heard = c.old().now
		c.tick(1)
	}
	equal(t, "while the other one may be at it", strings.Count(c.generations(), "1"), mine)
	for range 5 {
		c.desk.views.presence.gateways["other"].heard = c.old().now
		c.tick(1)
	}
	equal(t, "after a while", strings.Count(c.generations(), "1"), 4)
}

// A batch two manifests behind moves one at a time.
func TestBatchesMoveAlongTheChain(t *testing.T) {
	c := newChanging(t, 2, 3)
	third := successor(t, c.next(), 2, 3)
	data := c.next().succession(third.m, false, 0, 1, 2)
	c.of = append(c.of, third)
	c.lineage = must(c.lineage.WithSuccession(data))
	c.desk.do(LineageChanged{c.lineage})
	c.quiet()
	c.start()
	equal(t, "generations", c.generations(), "[2 2 2 2]")
	for _, id := range c.ids {
		equal(t, "manifest", c.desk.directory.finished[id].view.manifest.Hash(), third.m.Hash())
	}
}

// Nothing begins while a node that is to get shares is revoked, or not heard.
func TestMoverWaitsForNewNodes(t *testing.T) {
	c := newChanging(t, 2, 3)
	v := c.desk.views.chain[1]
	v.presence.nodes[1].absent = true
	c.start()
	equal(t, "generations", c.generations(), "[0 0 0 0]")
	equal(t, "blocked", c.desk.Resharing().Blocked, "node 1 (of epoch 1) is not heard")
	v.presence.nodes[1].absent = false
	c.old().now = c.old().now.Add(time.Second)
	c.tick(4)
	equal(t, "generations", c.generations(), "[1 1 1 1]")
}
