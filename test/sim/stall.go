package sim

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Those who break no rule of the formats, and mean no good.

// stall is how long the liar waits with an answer: as long as it can if it is to count.
func (p *worker) stall(slot wire.Slot, body []byte) time.Duration {
	items, points := 1, 2*frost.Secp256k1TR.PointSize()
	switch slot.Kind {
	case wire.SlotShare:
		s, _ := decode[shareBody](body)
		items = len(s.Shares) / frost.ScalarSize
	case wire.SlotCommit:
		c, _ := decode[commitBody](body)
		items = len(c.Points) / points // of the larger suite, so rather too few
	}
	size := time.Duration(items) * 20 * time.Millisecond
	deadlines := []time.Duration{ // late on a fast fleet, late before anything was measured, over
		250 * time.Millisecond, 2*time.Second + size, 10*time.Second + 2*size,
	}
	return deadlines[p.w.rng.IntN(len(deadlines))] - p.w.between(0, 100*time.Millisecond)
}

// flood fills slots of batches and sessions that nobody asked for.
func (p *worker) flood() {
	for range 20 {
		var id [32]byte
		p.w.bytes(id[:])
		body := make([]byte, p.w.rng.IntN(100))
		p.w.bytes(body)
		kinds := []wire.SlotKind{
			wire.SlotDeal, wire.SlotCert, wire.SlotAbort, wire.SlotCommit, wire.SlotShare, wire.SlotRefuse,
		}
		p.say(wire.Slot{Kind: kinds[p.w.rng.IntN(len(kinds))], ID: wire.ShortID(id), Node: p.m.index}, body)
	}
}

// split deals twice. Who sees which deal is up to the broker.
func (p *worker) split(slot wire.Slot, body []byte) {
	bodies := [][]byte{body}
	if d, ok := decode[dealBody](body); ok {
		if other, ok := p.splitDeal(d); ok {
			bodies = append(bodies, other)
		}
	}
	if p.w.rng.IntN(2) == 0 {
		slices.Reverse(bodies)
	}
	for _, b := range bodies {
		p.say(slot, b)
	}
}

// older is what a gateway would like to answer: the keys and certificates of an
// earlier job of the client, under the names of this one. Nil if none fits.
func (l *gatewayLife) older(genuine *wire.Result, j *clientJob) *wire.Result {
	for _, earlier := range j.c.jobs {
		var old wire.Result
		stored := l.w.bus.results[j.c.name+"/"+earlier.job.ID]
		if earlier.job.ID == j.job.ID || stored == nil || json.Unmarshal(stored, &old) != nil || old.Status != wire.StatusDone ||
			old.Chain != genuine.Chain || len(old.Keys) != len(genuine.Keys) {
			continue
		}
		forged := *genuine
		forged.Keys, forged.Batches = slices.Clone(genuine.Keys), slices.Clone(genuine.Batches)
		for i := range forged.Keys {
			forged.Keys[i].PublicKey, forged.Keys[i].Address = old.Keys[i].PublicKey, old.Keys[i].Address
		}
		for i := range forged.Batches {
			forged.Batches[i].Certificates = old.Batches[i].Certificates
		}
		return &forged
	}
	return nil
}

// tempt shows the client an older batch as the answer to its new job, before the
// genuine one: it must refuse.
func (l *gatewayLife) tempt(genuine *wire.Result) {
	if genuine.Kind != wire.KindKeygen || genuine.Status != wire.StatusDone {
		return
	}
	for _, c := range l.w.clients {
		for _, j := range c.jobs {
			if c.name != genuine.Client || j.job.ID != genuine.Job || !j.honest {
				continue
			}
			if forged := l.older(genuine, j); forged != nil && l.w.fault(GatewayOlder) &&
				wire.VerifyKeys(l.w.manifest, j.signed, forged) == nil {
				l.w.fail(RuleCertificates, "%s takes an older batch for the answer to its new job %s", c.name, j.job.ID)
			}
		}
	}
}
