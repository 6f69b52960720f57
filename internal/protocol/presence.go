package protocol

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// presence is whom a gateway hears: the heartbeats of gateways, and of the nodes of each
// manifest.
type presence struct {
	nodes    []*nodePresence // of the manifests, oldest first
	gateways map[string]*chain
	seq      uint64    // of the last message
	now      time.Time // of the last tick
	heard    time.Time // when anybody was heard
	since    time.Time // since when somebody always was
}

// nodePresence is which nodes of a manifest a gateway hears: their heartbeats, and their
// answers in signing sessions. It advises: a node that is not heard is the last choice for
// a signing set, and is tried again now and then, so that one whose heartbeats are lost and
// whose answers are good signs on.
type nodePresence struct {
	fleet    *presence
	opener   *wire.Opener
	manifest *wire.Manifest
	nodes    []presentNode
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

func newPresence() *presence { return &presence{gateways: map[string]*chain{}} }

func newNodePresence(m *wire.Manifest, o *wire.Opener, fleet *presence) *nodePresence {
	return &nodePresence{fleet: fleet, opener: o, manifest: m, nodes: make([]presentNode, m.N)}
}

// heardBeat is what a message of PRESENCE says.
type heardBeat struct {
	of   *nodePresence // nil: of a gateway, or of nobody
	node int
	twin *wire.Heartbeat // of a process that ended since it found another one with its index
	beat *wire.Heartbeat // of a node, that counts
}

// onMessage takes a message of PRESENCE.
func (p *presence) onMessage(msg wire.LogMessage, now time.Time) (heard heardBeat) {
	p.began(msg.Seq)
	ref, err := wire.ParsePresence(msg.Subject)
	if err != nil {
		return heard
	}
	of := p.of(ref, msg.Data)
	if of == nil || ref.Kind != wire.PresenceGateway && ref.Node >= len(of.nodes) {
		return heard
	}
	_, h, err := of.opener.Heartbeat(msg)
	if ref.Kind == wire.PresenceTwin {
		return heardBeat{of, ref.Node, of.onTwin(&of.nodes[ref.Node], h), nil}
	}
	c := p.chain(of, ref, err == nil)
	if c == nil {
		return heard
	}
	before := c.seq
	c.seq = msg.Seq
	if err != nil {
		of.onForeign(ref, msg, now)
		return heard
	}
	if before == 0 || h.After != before {
		return heard // a copy of an older one; or there is no telling yet
	}
	c.heard, c.last = now, h
	if now.Sub(p.heard) > blindAfter {
		p.since = now
	}
	p.heard = now
	if ref.Kind == wire.PresenceNode {
		n := &of.nodes[ref.Node]
		n.left, n.mute, n.probe = h.Leaving, false, time.Time{}
		heard = heardBeat{of: of, node: ref.Node, beat: h}
	}
	return heard
}

// of is the manifest whose nodes a subject names. A gateway goes by any of the fleet's, and
// says by which; what it seals is the same for all.
func (p *presence) of(ref wire.PresenceRef, data []byte) *nodePresence {
	claimed, _ := wire.ClaimedManifest(data)
	for _, of := range p.nodes {
		if ref.Kind == wire.PresenceGateway && of.manifest.Hash() == claimed ||
			ref.Kind != wire.PresenceGateway && subjectEpoch(of.manifest) == ref.Epoch {
			return of
		}
	}
	if ref.Kind == wire.PresenceGateway {
		return p.nodes[0]
	}
	return nil
}

// subjectEpoch is the epoch by which subjects name a manifest: none of the founding one.
func subjectEpoch(m *wire.Manifest) int {
	if !m.Successor() {
		return 0
	}
	return m.Epoch
}

func epochName(m *wire.Manifest) string { return strconv.Itoa(m.Epoch) }

// began notes the place of a message. Where that goes back the stream began anew, and
// what second processes saw in the old one does not compare with what they see now.
func (p *presence) began(seq uint64) {
	if seq < p.seq {
		for _, of := range p.nodes {
			for i := range of.nodes {
				of.nodes[i].twin = 0
			}
		}
	}
	p.seq = seq
}

// chain is that of a subject. A gateway's begins with what it sealed itself.
func (p *presence) chain(of *nodePresence, ref wire.PresenceRef, valid bool) *chain {
	if ref.Kind == wire.PresenceNode {
		return &of.nodes[ref.Node].chain
	}
	if p.gateways[ref.Gateway] == nil && valid {
		p.gateways[ref.Gateway] = &chain{}
	}
	return p.gateways[ref.Gateway]
}

// onTwin counts a process that found another one. Copies of what it said count once.
func (*nodePresence) onTwin(n *presentNode, h *wire.Heartbeat) *wire.Heartbeat {
	if h == nil || h.After <= n.twin {
		return nil
	}
	n.twin = h.After
	n.twins++
	return h
}

// onForeign notes what may be a node of another manifest. It is no proof of anything.
func (p *nodePresence) onForeign(ref wire.PresenceRef, msg wire.LogMessage, now time.Time) {
	claimed, ok := wire.ClaimedManifest(msg.Data)
	if ok && claimed != p.manifest.Hash() && ref.Kind == wire.PresenceNode {
		p.nodes[ref.Node].foreign = now
	}
}

// allHeard reports whether each node was heard, or answered, since this gateway started.
func (p *nodePresence) allHeard() bool {
	return !slices.ContainsFunc(p.nodes, func(n presentNode) bool { return n.chain.heard.IsZero() && n.answered.IsZero() })
}

// answered notes that a node said something in a signing session.
func (p *nodePresence) answered(node int, now time.Time) {
	n := &p.nodes[node]
	n.answered = now
	if n.absent {
		n.mute, n.absent = true, false
	}
}

// missed notes that a node held an attempt up.
func (p *nodePresence) missed(node int) { p.nodes[node].mute = false }

// tick passes a second, which the fleet was told of, and returns the nodes that have just
// become absent.
func (p *nodePresence) tick(now time.Time) (gone []int) {
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

func (p *nodePresence) isAbsent(n *presentNode) bool {
	if p.fleet.heard.IsZero() || p.fleet.now.Sub(p.fleet.heard) > blindAfter || n.mute {
		return false
	}
	return n.left || p.fleet.now.Sub(later(later(n.heard, n.answered), p.fleet.since)) > absentAfter
}

// out reports whether to do without a node where others suffice.
func (p *nodePresence) out(node int) bool {
	n := &p.nodes[node]
	return n.absent && p.fleet.now.Before(n.probe)
}

// asked notes that a node takes part in an attempt. If it is absent, that is a try:
// the next one is after a longer while.
func (p *nodePresence) asked(node int) {
	if n := &p.nodes[node]; n.absent && !p.fleet.now.Before(n.probe) {
		n.pause = min(2*n.pause, mostProbe)
		n.probe = p.fleet.now.Add(n.pause)
	}
}

// holdings is the hash of what a node that is heard says it holds.
func (p *nodePresence) holdings(node int) (root [32]byte, ok bool) {
	n := &p.nodes[node]
	if n.absent || n.last == nil || p.fleet.now.Sub(n.heard) > absentAfter {
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

// form is the highest form that all gateways and nodes of a manifest know, as far as they said so
// lately: a node's last word counts, as it may be back soon; a gateway's, while it is heard.
func (p *presence) form(of *nodePresence) uint32 {
	form := uint32(wire.Form)
	for i := range of.nodes {
		last := of.nodes[i].last
		if last == nil {
			return 0
		}
		form = min(form, last.Form)
	}
	for _, name := range p.others() {
		form = min(form, p.gateways[name].last.Form)
	}
	return form
}

// NodePresence is what a gateway knows of a node.
type NodePresence struct {
	Present bool      // it is heard or answers, or nobody is heard
	Heard   time.Time // its last heartbeat, by the gateway's clock; zero: none
	Foreign bool      // something on its subject claims another manifest
	Twins   int       // processes that ended since they found another one
	Last    *wire.Heartbeat
}

// known is what is known of each node.
func (p *nodePresence) known() (nodes []NodePresence) {
	for i := range p.nodes {
		n := &p.nodes[i]
		nodes = append(nodes, NodePresence{
			Present: !n.absent, Heard: n.heard, Twins: n.twins, Last: n.last,
			Foreign: !n.foreign.IsZero() && p.fleet.now.Sub(n.foreign) < foreignFor,
		})
	}
	return nodes
}

// others are the names of the gateways that are heard, in their order.
func (p *presence) others() (gateways []string) {
	for _, name := range slices.Sorted(maps.Keys(p.gateways)) {
		g := p.gateways[name]
		if g.last != nil && !g.last.Leaving && p.now.Sub(g.heard) <= absentAfter {
			gateways = append(gateways, name)
		}
	}
	return gateways
}
