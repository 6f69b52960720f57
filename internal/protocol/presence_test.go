package protocol

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// hearts are the heartbeats of a fleet's nodes and its gateway, as PRESENCE stores them.
type hearts struct {
	*fleet
	seq  uint64
	last map[string]uint64
}

func newHearts(f *fleet) *hearts { return &hearts{fleet: f, last: map[string]uint64{}} }

// store gives the desk what somebody wrote on a subject.
func (h *hearts) store(subject string, data []byte) {
	h.seq++
	h.last[subject] = h.seq
	h.desk.do(PresenceMessage{wire.LogMessage{Subject: subject, Seq: h.seq, Time: h.now, Data: data}, h.now})
}

func (h *hearts) body(subject string, change ...func(*wire.Heartbeat)) []byte {
	b := wire.Heartbeat{
		Version: 1, Boot: [16]byte{1}, After: h.last[subject], Manifest: h.m.Hash(), Build: "v1", Host: "h",
	}
	for _, c := range change {
		c(&b)
	}
	return wire.Encode(&b)
}

func (h *hearts) sealed(i int, subject string, change ...func(*wire.Heartbeat)) []byte {
	return h.session(i).Seal(h.m, subject, h.body(subject, change...))
}

// beat is a second in which the gateway and some nodes are heard.
func (h *hearts) beat(nodes ...int) {
	h.now = h.now.Add(time.Second)
	gateway := wire.GatewayPresence("gw")
	h.store(gateway, wire.SealGateway(h.gateway, "gw", h.m, gateway, h.body(gateway)))
	for _, i := range nodes {
		h.store(h.m.NodePresence(i), h.sealed(i, h.m.NodePresence(i)))
	}
	h.desk.do(Tick{h.now})
}

func (h *hearts) present() (nodes []bool) {
	all, _ := h.desk.Presence()
	for _, n := range all {
		nodes = append(nodes, n.Present)
	}
	return nodes
}

func (h *hearts) want(what string, nodes ...bool) {
	h.t.Helper()
	for i, got := range h.present() {
		if got != nodes[i] {
			h.t.Errorf("%s: node %d is present: %t", what, i, got)
		}
	}
}

// A node that is not heard for three seconds is absent; it is present again with its
// next heartbeat, and absent at once when it says that it ends.
func TestPresence(t *testing.T) {
	h := newHearts(newFleet(t, 2, 3).start())
	h.want("nobody is heard yet", true, true, true)
	for range 4 {
		h.beat(0, 1, 2)
	}
	h.want("all are heard", true, true, true)
	for range 3 {
		h.beat(0, 1)
	}
	h.want("for three seconds", true, true, true)
	h.beat(0, 1)
	h.want("for four", true, true, false)
	if nodes, gateways := h.desk.Presence(); nodes[1].Last.Build != "v1" || nodes[1].Heard != h.now || len(gateways) != 1 {
		t.Errorf("heard %+v, gateways %v", nodes, gateways)
	}
	h.beat(0, 1, 2)
	h.want("it is back", true, true, true)
	h.store(h.m.NodePresence(1), h.sealed(1, h.m.NodePresence(1), func(b *wire.Heartbeat) { b.Leaving = true }))
	h.desk.do(Tick{h.now})
	h.want("one leaves", true, false, true)
}

// Where nobody is heard, not even this gateway, that says nothing about the nodes. When
// it is over they have their time once more.
func TestBlindGateway(t *testing.T) {
	h := newHearts(newFleet(t, 2, 3).start())
	for range 5 {
		h.beat(0, 1, 2)
	}
	for range 60 {
		h.now = h.now.Add(time.Second)
		h.desk.do(Tick{h.now})
	}
	h.want("PRESENCE is away", true, true, true)
	h.beat()
	h.want("it is back", true, true, true)
	for range 4 {
		h.beat(0, 1)
	}
	h.want("and a node is not", true, true, false)
}

// What a node did not say now, for this fleet, says nothing of it.
func TestHeartbeatsThatDoNotCount(t *testing.T) {
	for name, spoil := range map[string]func(h *hearts, subject string) []byte{
		"junk":       func(*hearts, string) []byte { return []byte("junk") },
		"of a fleet": func(h *hearts, s string) []byte { return newFleet(t, 2, 3).session(2).Seal(h.m, s, h.body(s)) },
		"of another": func(h *hearts, s string) []byte { return h.session(1).Seal(h.m, s, h.body(s)) },
		"of another manifest": func(h *hearts, s string) []byte {
			return h.sealed(2, s, func(b *wire.Heartbeat) { b.Manifest = [32]byte{1} })
		},
		"of another message's place": func(h *hearts, s string) []byte {
			return h.sealed(2, s, func(b *wire.Heartbeat) { b.After-- })
		},
		"of an ended session key": func(h *hearts, s string) []byte {
			now := h.now
			h.now = now.Add(-wire.DelegationLife - wire.ClockSkew - time.Minute)
			old := h.session(2)
			h.now = now
			return old.Seal(h.m, s, h.body(s))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHearts(newFleet(t, 2, 3).start())
			for range 5 {
				h.beat(0, 1, 2)
			}
			for range 4 {
				h.store(h.m.NodePresence(2), spoil(h, h.m.NodePresence(2)))
				h.beat(0, 1)
			}
			h.want("after four seconds", true, true, false)
		})
	}
}

// Copies of a node's own heartbeats are none, whoever makes them.
func TestReplayedHeartbeats(t *testing.T) {
	h := newHearts(newFleet(t, 2, 3).start())
	subject := h.m.NodePresence(2)
	var old [][]byte
	for range 5 {
		old = append(old, h.sealed(2, subject))
		h.store(subject, old[len(old)-1])
		h.beat(0, 1)
	}
	h.want("heard", true, true, true)
	for i := range 8 {
		h.store(subject, old[i%len(old)])
		h.beat(0, 1)
	}
	h.want("copied", true, true, false)
}

// A process that ended since another one runs as its node is reported once, whoever
// repeats it.
func TestTwinIsReported(t *testing.T) {
	h := newHearts(newFleet(t, 2, 3).start())
	h.beat(0, 1, 2)
	word := h.sealed(1, h.m.TwinPresence(1), func(b *wire.Heartbeat) { b.After = h.last[h.m.NodePresence(1)] })
	for range 3 {
		h.store(h.m.TwinPresence(1), word)
	}
	h.store(h.m.TwinPresence(1), h.sealed(0, h.m.TwinPresence(1), func(b *wire.Heartbeat) { b.After = 99 }))
	nodes, _ := h.desk.Presence()
	equal(t, "twins", nodes[1].Twins, 1)
	count := 0
	for _, r := range h.desk.reports {
		if r.What == ReportTwin && r.Culprit == 1 {
			count++
		}
	}
	equal(t, "reports", count, 1)
}

// After the stream began anew, as a server's memory does with its process, a second
// process is reported as before, and what was said in the old stream is not.
func TestTwinsInANewStream(t *testing.T) {
	h := newHearts(newFleet(t, 2, 3).start())
	twin := h.m.TwinPresence(1)
	word := func() []byte {
		return h.sealed(1, twin, func(b *wire.Heartbeat) { b.After = h.last[h.m.NodePresence(1)] })
	}
	for range 5 {
		h.beat(0, 1, 2)
	}
	old := word()
	h.store(twin, old)
	h.seq, h.last = 0, map[string]uint64{}
	h.beat(0, 1, 2)
	h.store(twin, old)
	h.store(twin, word())
	nodes, _ := h.desk.Presence()
	equal(t, "twins", nodes[1].Twins, 2)
}

// Something that claims another manifest shows, and counts for nothing.
func TestForeignManifestShows(t *testing.T) {
	h := newHearts(newFleet(t, 2, 3).start())
	other := newFleet(t, 2, 3)
	body := wire.Encode(&wire.Heartbeat{Version: 1, Manifest: other.m.Hash()})
	h.beat(0, 1)
	h.store(h.m.NodePresence(2), other.session(2).Seal(other.m, h.m.NodePresence(2), body))
	nodes, _ := h.desk.Presence()
	if !nodes[2].Foreign || nodes[1].Foreign || nodes[2].Last != nil {
		t.Errorf("%+v", nodes)
	}
	for range 12 {
		h.beat(0, 1)
	}
	if nodes, _ := h.desk.Presence(); nodes[2].Foreign {
		t.Error("it shows for ever")
	}
}

// exclude is whom the first attempt of a job goes without.
func (h *hearts) exclude() []uint8 { return h.desk.exclude(h.job()) }

func (h *hearts) job() *activeSign {
	return &activeSign{trouble: map[*view]*trouble{}}
}

// Signing goes without those that are not heard while others suffice, and asks them
// all the same now and then.
func TestAbsentNodesAreTheLastChoice(t *testing.T) {
	h := newHearts(newFleet(t, 2, 4).start())
	for range 6 {
		h.beat(0, 1, 2)
	}
	if got := h.exclude(); len(got) != 1 || got[0] != 3 {
		t.Errorf("without %v, want 3", got)
	}
	// Two are left that are heard, and one of them is proven faulty: an absent one has to do.
	h.desk.view().nodes.now = h.now
	for range 4 {
		h.beat(0, 1)
	}
	j := h.job()
	h.desk.met(j).bad[0] = "proven"
	if got := h.desk.exclude(j); len(got) != 2 || got[0] != 0 {
		t.Errorf("without %v, want 0 and one of those that are not heard", got)
	}
	// A node in bad standing that is heard comes back before one that is not.
	h.desk.view().nodes.missed(1, h.now)
	j = h.job()
	if got := h.desk.exclude(j); len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("without %v, want 2 and 3", got)
	}
	for range 30 {
		h.beat(0, 1)
	}
	h.desk.view().nodes = newStandings(4)
	h.desk.view().nodes.now = h.now
	if got := h.exclude(); len(got) != 0 {
		t.Errorf("after half a minute it goes without %v", got)
	}
	for i := range 4 {
		h.desk.view().presence.asked(i)
	}
	if got := h.exclude(); len(got) != 2 {
		t.Errorf("asked once more it goes without %v", got)
	}
}

// A node whose heartbeats are lost, and whose answers are good, signs on.
func TestAnswersCountAsHeartbeats(t *testing.T) {
	h := newHearts(newFleet(t, 2, 3).start())
	for range 60 {
		h.beat(0, 1)
		h.desk.view().presence.answered(2, h.now)
	}
	h.want("it answers", true, true, true)
	for range 10 {
		h.beat(0, 1)
	}
	h.want("it is not asked any more", true, true, false)
	h.desk.view().presence.answered(2, h.now)
	for range 60 {
		h.beat(0, 1)
	}
	h.want("it answered although it was not heard", true, true, true)
	h.desk.view().presence.missed(2)
	h.beat(0, 1)
	h.want("it held an attempt up", true, true, false)
}

// A node that was killed costs a job nothing once it is not heard any more: nobody waits
// for it, however the session ranks it, and also where nothing was measured yet.
func TestKilledNodeIsNotWaitedFor(t *testing.T) {
	for job := range 8 {
		f := agedFleet(t)
		h := newHearts(f.fleet)
		f.nodes[2].mute = []wire.SlotKind{wire.SlotCommit, wire.SlotShare}
		for range 6 {
			h.beat(0, 1)
		}
		s := &signCase{f, f.signing(9, "alice", item(f.btc, 0, string(rune('a'+job))))}
		f.desk.arrive(s.job, nil)
		f.drain()
		s.done(1)
	}
}

// An attempt that waits for a node is left beside another one as soon as the node is
// not heard any more, and not only when it is late.
func TestAttemptsDoNotWaitForAbsentNodes(t *testing.T) {
	s := newSignCase(t)
	h := newHearts(s.fleet)
	for range 5 {
		h.beat(0, 1, 2)
	}
	members := s.members()
	equal(t, "members", len(members), 2)
	gone := members[1]
	s.nodes[gone].mute, s.nodes[gone].out = []wire.SlotKind{wire.SlotCommit, wire.SlotShare}, nil
	s.drain() // the other one has answered
	equal(t, "attempts", len(s.attempt().job.attempts), 1)
	for range 4 {
		h.beat(slices.DeleteFunc([]int{0, 1, 2}, func(i int) bool { return i == gone })...)
	}
	s.drain()
	s.done(2)
}

// TestForms: a task names the highest form that everybody who may read its attempt knows.
func TestForms(t *testing.T) {
	t.Parallel()
	h := newHearts(newFleet(t, 2, 3).start())
	form := func(form uint32) func(*wire.Heartbeat) {
		return func(b *wire.Heartbeat) { b.Version, b.Form = wire.HeartbeatVersion, form }
	}
	node := func(i int, f uint32) {
		subject := h.m.NodePresence(i)
		h.store(subject, h.sealed(i, subject, form(f)))
	}
	gateway := func(name string, key ed25519.PrivateKey, f uint32) {
		subject := wire.GatewayPresence(name)
		h.store(subject, wire.SealGateway(key, name, h.m, subject, h.body(subject, form(f))))
	}
	all := func(f uint32) {
		h.now = h.now.Add(time.Second)
		gateway("gw", h.gateway, f)
		for i := range h.m.N {
			node(i, f)
		}
		h.desk.do(Tick{h.now})
	}
	want := func(what string, form uint32) {
		t.Helper()
		if got := h.desk.views.form(h.desk.views.chain[0]); got != form {
			t.Errorf("%s: form %d, want %d", what, got, form)
		}
	}
	want("nobody was heard", 0)
	all(wire.Form)
	want("first heartbeats, which name none before them", 0)
	all(wire.Form)
	want("all were heard", wire.Form)
	all(wire.Form + 7)
	want("programs of a later release", wire.Form)
	h.now = h.now.Add(time.Second)
	node(1, 0)
	want("a node went back", 0)
	h.now = h.now.Add(time.Hour)
	want("and was not heard for an hour", 0)
	all(wire.Form)
	want("it is upgraded", wire.Form)
	gateway("gw", h.gateway, 0)
	want("a gateway went back", 0)
	h.now = h.now.Add(time.Hour)
	h.desk.do(Tick{h.now})
	want("and is heard no more", wire.Form)
}
