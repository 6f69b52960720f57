package protocol

import (
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// presence is whom a gateway hears: the heartbeats of nodes and gateways, and the
// nodes' answers in signing sessions. It advises: a node that is not heard is the last
// choice for a signing set, and is tried again now and then, so that one whose
// heartbeats are lost and whose answers are good signs on.
type presence struct {
	opener   *wire.Opener
	manifest [32]byte
	nodes    []presentNode
	gateways map[string]*chain
	seq      uint64    // of the last message
	now      time.Time // of the last tick
	heard    time.Time // when anybody was heard
	since    time.Time // since when somebody always was
}

// chain is what a subject's heartbeats are known to be: each names the one before.
type chain struct {
	seq   uint64 // of the last message on the subject, whatever it was
	heard time.Time
	last  *wire.Heartbeat // that counted
}

type presentNode struct {
	chain
	answered time.Time // in a signing session
	left     bool      // its process said that it ends
	mute     bool      // it answers without being heard, so that says nothing
	absent   bool      // at the last tick
	foreign  time.Time // when something on its subject claimed another manifest
	twin     uint64    // what its last second process saw before it ended
	twins    int

	probe time.Time // while it is absent: when it is tried all the same
	pause time.Duration
}

// Times of presence, by the gateway's own clock.
const (
	absentAfter = 3 * time.Second // without a heartbeat and without an answer
	// blindAfter is without anybody's heartbeat, this gateway's own included: PRESENCE
	// is away, and says nothing about anybody.
	blindAfter = 2 * time.Second
	firstProbe = 30 * time.Second // doubles with each
	mostProbe  = 16 * time.Minute
	foreignFor = 10 * time.Second
)

func newPresence(m *wire.Manifest, o *wire.Opener) *presence {
	return &presence{opener: o, manifest: m.Hash(), nodes: make([]presentNode, m.N), gateways: map[string]*chain{}}
}

// onMessage takes a message of PRESENCE. It returns the process that ended since it
// found another one with its index, if the message is its word.
func (p *presence) onMessage(msg wire.LogMessage, now time.Time) (node int, twin *wire.Heartbeat) {
	p.began(msg.Seq)
	ref, h, err := p.opener.Heartbeat(msg)
	if ref.Kind != wire.PresenceGateway && ref.Node >= len(p.nodes) || ref.Kind == "" {
		return -1, nil
	}
	if ref.Kind == wire.PresenceTwin {
		return ref.Node, p.onTwin(&p.nodes[ref.Node], h)
	}
	c := p.chain(ref, err == nil)
	if c == nil {
		return -1, nil
	}
	before := c.seq
	c.seq = msg.Seq
	if err != nil {
		p.onForeign(ref, msg, now)
		return -1, nil
	}
	if before == 0 || h.After != before {
		return -1, nil // a copy of an older one; or there is no telling yet
	}
	c.heard, c.last = now, h
	if now.Sub(p.heard) > blindAfter {
		p.since = now
	}
	p.heard = now
	if ref.Kind == wire.PresenceNode {
		n := &p.nodes[ref.Node]
		n.left, n.mute, n.probe = h.Leaving, false, time.Time{}
	}
	return -1, nil
}

// began notes the place of a message. Where that goes back the stream began anew, and
// what second processes saw in the old one does not compare with what they see now.
func (p *presence) began(seq uint64) {
	if seq < p.seq {
		for i := range p.nodes {
			p.nodes[i].twin = 0
		}
	}
	p.seq = seq
}

// chain is that of a subject. A gateway's begins with what it sealed itself.
func (p *presence) chain(ref wire.PresenceRef, valid bool) *chain {
	if ref.Kind == wire.PresenceNode {
		return &p.nodes[ref.Node].chain
	}
	if p.gateways[ref.Gateway] == nil && valid {
		p.gateways[ref.Gateway] = &chain{}
	}
	return p.gateways[ref.Gateway]
}

// onTwin counts a process that found another one. Copies of what it said count once.
func (p *presence) onTwin(n *presentNode, h *wire.Heartbeat) *wire.Heartbeat {
	if h == nil || h.After <= n.twin {
		return nil
	}
	n.twin = h.After
	n.twins++
	return h
}

// onForeign notes what may be a node of another manifest. It is no proof of anything.
func (p *presence) onForeign(ref wire.PresenceRef, msg wire.LogMessage, now time.Time) {
	claimed, ok := wire.ClaimedManifest(msg.Data)
	if ok && claimed != p.manifest && ref.Kind == wire.PresenceNode {
		p.nodes[ref.Node].foreign = now
	}
}

// answered notes that a node said something in a signing session.
func (p *presence) answered(node int, now time.Time) {
	n := &p.nodes[node]
	n.answered = now
	if n.absent {
		n.mute, n.absent = true, false
	}
}

// missed notes that a node held an attempt up.
func (p *presence) missed(node int) { p.nodes[node].mute = false }

// tick passes a second, and returns the nodes that have just become absent.
func (p *presence) tick(now time.Time) (gone []int) {
	p.now = now
	for i := range p.nodes {
		n, was := &p.nodes[i], p.nodes[i].absent
		n.absent = p.isAbsent(n)
		switch {
		case !n.absent:
			n.probe, n.pause = time.Time{}, 0
		case !was || n.probe.IsZero():
			n.pause = firstProbe
			n.probe = now.Add(firstProbe)
			gone = append(gone, i)
		}
	}
	return gone
}

func (p *presence) isAbsent(n *presentNode) bool {
	if p.heard.IsZero() || p.now.Sub(p.heard) > blindAfter || n.mute {
		return false
	}
	return n.left || p.now.Sub(later(later(n.heard, n.answered), p.since)) > absentAfter
}

// out reports whether to do without a node where others suffice.
func (p *presence) out(node int) bool {
	n := &p.nodes[node]
	return n.absent && p.now.Before(n.probe)
}

// asked notes that a node takes part in an attempt. If it is absent, that is a try:
// the next one is after a longer while.
func (p *presence) asked(node int) {
	if n := &p.nodes[node]; n.absent && !p.now.Before(n.probe) {
		n.pause = min(2*n.pause, mostProbe)
		n.probe = p.now.Add(n.pause)
	}
}

// holdings is the hash of what a node that is heard says it holds.
func (p *presence) holdings(node int) (root [32]byte, ok bool) {
	n := &p.nodes[node]
	if n.absent || n.last == nil || p.now.Sub(n.heard) > absentAfter {
		return root, false
	}
	return n.last.Holdings, true
}

// elsewhere is how many jobs other gateways than this one say that they have in work, or
// that wait: one that has work is between two jobs now and then.
func (p *presence) elsewhere(self string) (jobs int) {
	for name, g := range p.gateways {
		if name != self {
			jobs += p.jobsAt(g)
		}
	}
	return jobs
}

// busy is how many other gateways say that they have any.
func (p *presence) busy(self string) (gateways int) {
	for name, g := range p.gateways {
		if name != self && p.jobsAt(g) > 0 {
			gateways++
		}
	}
	return gateways
}

// jobsAt is how many a gateway says that it has; none if it is not heard.
func (p *presence) jobsAt(g *chain) int {
	if g.last == nil || p.now.Sub(g.heard) > absentAfter {
		return 0
	}
	return int(g.last.InFlight) + int(g.last.Backlog)
}

// NodePresence is what a gateway knows of a node.
type NodePresence struct {
	Present bool      // it is heard or answers, or nobody is heard
	Heard   time.Time // its last heartbeat, by the gateway's clock; zero: none
	Foreign bool      // something on its subject claims another manifest
	Twins   int       // processes that ended since they found another one
	Last    *wire.Heartbeat
}

// known is what is known of each node, and the names of the gateways that are heard.
func (p *presence) known() (nodes []NodePresence, gateways []string) {
	for i := range p.nodes {
		n := &p.nodes[i]
		nodes = append(nodes, NodePresence{
			Present: !n.absent, Heard: n.heard, Twins: n.twins, Last: n.last,
			Foreign: !n.foreign.IsZero() && p.now.Sub(n.foreign) < foreignFor,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(p.gateways)) {
		g := p.gateways[name]
		if g.last != nil && !g.last.Leaving && p.now.Sub(g.heard) <= absentAfter {
			gateways = append(gateways, name)
		}
	}
	return nodes, gateways
}
