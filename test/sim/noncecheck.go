package sim

import (
	"bytes"
	"reflect"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// nonceMemory is what one process did with nonces, session by session.
type nonceMemory struct {
	p     *worker
	made  map[string][]byte // public nonces that it drew
	said  map[string][]byte // public nonces that it published
	first map[string][]byte // the first commitment of its index that it was shown
	// unsure are sessions in which a commitment came at the edge of its time.
	unsure map[string]bool
	gone   map[string]string // batches that had moved when a session asked for their keys
}

func newNonceMemory(p *worker) *nonceMemory {
	return &nonceMemory{
		p:      p,
		made:   map[string][]byte{},
		said:   map[string][]byte{},
		first:  map[string][]byte{},
		unsure: map[string]bool{},
		gone:   map[string]string{},
	}
}

// saw takes a message that the process was shown.
func (n *nonceMemory) saw(l wire.LogMessage) {
	c := n.p.w.check
	info, ok := c.seals[string(l.Data)]
	if !ok || info.slot.Kind != wire.SlotCommit || info.slot.Node != n.p.m.index || info.slot.String() != l.Subject {
		return
	}
	body, ok := decode[commitBody](info.body)
	switch valid := min(info.validAt(l.Time), liveAt(l.Time, n.p.m.clock())); {
	case !ok || valid == never || n.first[info.slot.ID] != nil:
	case valid == perhaps:
		n.unsure[info.slot.ID] = true
	default:
		n.first[info.slot.ID] = body.Points
	}
}

// computed looks into the answers of computations: nonces and shares count
// when they are made, published or not.
func (n *nonceMemory) computed(ev protocol.Event) {
	v := reflect.ValueOf(ev)
	switch v.Type().Name() {
	case "noncesMade":
		n.drew(sessionOf(v), v.FieldByName("points").Bytes())
	case "sharesMade":
		if body, ok := decode[shareBody](v.FieldByName("body").Bytes()); ok {
			n.used(sessionOf(v), body.Shares)
		}
	}
}

// sessionOf is the session that an answer belongs to. If internal/protocol
// renames what is read here, no share is ever seen, and TestSeeds says so.
func sessionOf(answer reflect.Value) string {
	return answer.FieldByName("s").Elem().FieldByName("id").String()
}

// loaded notes that a session asks for keys of a batch.
func (n *nonceMemory) loaded(session, batch string) {
	if n.p.disk.moved[batch] {
		n.gone[session] = batch
	}
}

// drew checks N1: no coordinate of a public nonce was ever there before. From
// here on it may stand in this commitment and nowhere else.
func (n *nonceMemory) drew(session string, points []byte) {
	c, who := n.p.w.check, n.p.name+" in session "+session
	if batch, ok := n.gone[session]; ok {
		n.p.w.fail(RuleMoved, "%s draws nonces for keys of batch %s, which it knows has moved", who, batch)
	}
	for i := 0; i+32 <= len(points); i += 32 {
		x := [32]byte(points[i:])
		if other, ok := c.points[x]; ok {
			n.p.w.fail(RuleN1Fresh, "%s drew a nonce that %s drew before", who, other)
		}
		c.points[x] = who
		slot := wire.Slot{Kind: wire.SlotCommit, ID: session, Node: n.p.m.index}
		c.watch.forbid(RuleN2Memory, x[:], "a public nonce of "+who, slot.String())
	}
	n.made[session] = points
}

// used checks N3: one share a pair, ever; and N4: only for a commitment that
// is this process's own and the first of its index that it saw.
func (n *nonceMemory) used(session string, shares []byte) {
	c, w := n.p.w.check, n.p.w
	points := n.made[session]
	if len(shares) == 0 {
		return
	}
	if points == nil {
		w.fail(RuleN4SitOut, "%s made shares in session %s, for which it drew no nonces", n.p.name, session)
		return
	}
	if !bytes.Equal(n.first[session], points) && !n.unsure[session] {
		w.fail(
			RuleN4SitOut,
			"%s made shares in session %s although the log has another commitment of node %d, or none",
			n.p.name,
			session,
			n.p.m.index,
		)
	}
	c.shares++
	count := len(shares) / 32
	size := len(points) / count
	for i := range count {
		pair, share := string(points[i*size:(i+1)*size]), string(shares[i*32:(i+1)*32])
		if old, ok := c.spentPairs[pair]; ok && old != share {
			w.fail(RuleN3OneShare, "%s made a second share of one nonce pair, session %s item %d", n.p.name, session, i)
		}
		c.spentPairs[pair] = share
	}
}

// published checks that a process says one commitment a session, and that the
// shares it says are the ones it made.
func (n *nonceMemory) published(slot wire.Slot, body []byte) {
	w := n.p.w
	switch slot.Kind {
	case wire.SlotCommit:
		c, ok := decode[commitBody](body)
		old := n.said[slot.ID]
		if !ok || !bytes.Equal(c.Points, n.made[slot.ID]) || old != nil && !bytes.Equal(old, c.Points) {
			w.fail(
				RuleN4SitOut,
				"%s published a commitment in session %s that is not the one it drew, or a second one",
				n.p.name,
				slot.ID,
			)
		}
		n.said[slot.ID] = c.Points
	case wire.SlotShare:
		if s, ok := decode[shareBody](body); !ok || n.said[slot.ID] == nil {
			w.fail(RuleN4SitOut, "%s published shares in session %s without a commitment", n.p.name, slot.ID)
		} else if !w.check.ownShares(n.made[slot.ID], s.Shares) {
			w.fail(RuleN3OneShare, "%s published shares in session %s that it did not make from its nonces", n.p.name, slot.ID)
		}
	}
}

// ownShares reports whether these are the shares that were made of the pairs.
func (c *checker) ownShares(points, shares []byte) bool {
	count := len(shares) / 32
	if count == 0 || len(points)%count != 0 {
		return false
	}
	size := len(points) / count
	for i := range count {
		if c.spentPairs[string(points[i*size:(i+1)*size])] != string(shares[i*32:(i+1)*32]) {
			return false
		}
	}
	return true
}

// counts holds a node's counters against what it holds: nothing drawn is lost
// sight of.
func (c *checker) counts(p *worker) {
	drawn, used, dropped := p.node.NonceCounts()
	_, holding := p.node.Sessions()
	if gone := used + dropped; gone > drawn || holding == 0 && gone < drawn {
		c.w.fail(
			RuleCounts,
			"%s drew %d nonce pairs, used %d, dropped %d, and holds those of %d sessions",
			p.name,
			drawn,
			used,
			dropped,
			holding,
		)
	}
}

// round holds what a gateway measures against the log: a round ends after its
// job began.
func (c *checker) round(gateway string, r protocol.Round) {
	if r.To.Before(r.From) || r.From.IsZero() {
		c.w.fail(RuleCounts, "%s: round %s of %s lasted from %s to %s", gateway, r.Round, short(r.ID), r.From, r.To)
	}
}
