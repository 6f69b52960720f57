package sim

import (
	"bytes"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// lie says something else than the node's machine wants to say. The liar has
// the node's keys, so its messages are well signed; it minds no slots.
func (p *worker) lie(slot wire.Slot, body []byte) {
	w := p.w
	if w.fault(LiarFloods) {
		p.flood()
	}
	switch {
	case w.fault(LiarSilent), slot.Kind == wire.SlotShare && w.fault(LiarWithholds):
		return
	case slot.Kind.Signing() && w.fault(LiarStalls):
		w.at(p.stall(slot, body), func() { p.say(slot, body) })
		return
	case slot.Kind == wire.SlotDeal && w.fault(LiarSplits):
		p.split(slot, body)
		return
	}
	lie := body
	switch {
	case w.fault(LiarReplays):
		lie = p.replay(slot, body)
	case slot.Kind == wire.SlotDeal && w.fault(LiarDeal):
		lie = p.badDeal(body)
	case slot.Kind == wire.SlotCert && w.fault(LiarCert):
		lie = p.badCertificate(body)
	case slot.Kind == wire.SlotCommit && w.fault(LiarCommit):
		lie = p.badCommit(body)
	case slot.Kind == wire.SlotShare && w.fault(LiarShare):
		lie = p.badShare(body)
	}
	bodies := [][]byte{lie}
	if w.fault(LiarEquivocates) {
		bodies = append(bodies, p.equivocate(slot, body))
		if w.rng.IntN(2) == 0 {
			slices.Reverse(bodies)
		}
	}
	for _, b := range bodies {
		p.say(slot, b)
	}
	if w.fault(LiarComplains) {
		p.complain(slot, body)
	}
}

// say publishes without regard to what stands in the slot.
func (p *worker) say(slot wire.Slot, body []byte) {
	w, subject := p.w, slot.String()
	key := p.session
	if w.fault(LiarDates) { // its device vouched for a key that begins later, or did once
		key = p.sessionKey(p.m.clock().Add(w.between(-3*time.Hour, 3*time.Hour)))
	}
	data := key.Seal(p.m.manifest, subject, body)
	w.check.sealed(p, slot, body, data, key)
	w.bus.remember(subject, data)
	w.tracef("%s lies? -> %s", p.name, short(subject))
	w.at(w.lag(), func() { w.bus.of(subject).put(subject, data, -1) })
}

// replay gives a body that some node once said in another slot of the kind.
func (p *worker) replay(slot wire.Slot, body []byte) []byte {
	var others [][]byte
	for _, msg := range p.w.bus.everything {
		if info, ok := p.w.check.seals[string(msg.Data)]; ok && info.slot.Kind == slot.Kind && info.slot != slot {
			others = append(others, info.body)
		}
	}
	if len(others) == 0 {
		return body
	}
	return others[p.w.rng.IntN(len(others))]
}

// flip changes one bit of a copy.
func (p *worker) flip(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) > 0 {
		b[p.w.rng.IntN(len(b))] ^= 1 << p.w.rng.IntN(8)
	}
	return b
}

func (p *worker) badDeal(body []byte) []byte {
	d, ok := decode[dealBody](body)
	if !ok {
		return body
	}
	switch p.w.rng.IntN(8) {
	case 0:
		if kept, compact := wire.EntryDeal(body); compact && p.w.seed%2 == 0 {
			return kept // without the proofs: right where it does not belong
		}
		d.Commitments = p.flip(d.Commitments)
	case 1:
		d.Proofs = p.flip(d.Proofs)
	case 2:
		to := p.w.rng.IntN(len(d.Shares))
		d.Shares[to] = p.flip(d.Shares[to])
	case 3:
		d.Ephemeral = [32]byte{}
	case 4:
		d.Commitments = make([]byte, len(d.Commitments))
	case 5:
		d.Header.K++
	case 6:
		d.Shares = d.Shares[:len(d.Shares)-1]
	default:
		return p.flip(body)
	}
	return encode(&d)
}

// badCertificate is signed by the HSM, over what is not true.
func (p *worker) badCertificate(body []byte) []byte {
	c, ok := decode[wire.Certificate](body)
	if !ok {
		return body
	}
	switch p.w.rng.IntN(4) {
	case 0:
		c.Transcript[0] ^= 1
	case 1:
		c.Root[0] ^= 1
	case 2:
		c.Node = uint32((p.m.index + 1) % p.m.manifest.N)
	default:
		return p.flip(body)
	}
	c.Attestation = p.m.attest(certificateLeaf(p.m.manifest, &c))
	return encode(&c)
}

func (p *worker) badCommit(body []byte) []byte {
	c, ok := decode[commitBody](body)
	if !ok {
		return body
	}
	switch p.w.rng.IntN(5) {
	case 0:
		c.Points = p.flip(c.Points)
	case 1:
		c.Points = make([]byte, len(c.Points))
	case 2:
		c.Points = c.Points[:len(c.Points)/2]
	case 3: // the nonces of somebody else
		if other, ok := decode[commitBody](p.replay(wire.Slot{Kind: wire.SlotCommit}, body)); ok {
			c.Points = other.Points
		}
	default:
		c.Session[0] ^= 1
	}
	return p.encodeCommit(c)
}

func (p *worker) encodeCommit(c commitBody) []byte {
	if p.m.manifest.AttestSigning {
		c.Attestation = p.m.attest(commitLeaf(p.m.manifest, &c, p.m.index))
	}
	return encode(&c)
}

func (p *worker) badShare(body []byte) []byte {
	s, ok := decode[shareBody](body)
	if !ok {
		return body
	}
	switch p.w.rng.IntN(5) {
	case 0:
		s.Shares = p.flip(s.Shares)
	case 1:
		s.Shares = make([]byte, len(s.Shares))
	case 2:
		s.Shares = s.Shares[:len(s.Shares)-1]
	case 3:
		s.Set[0] ^= 1
	default:
		s.Shares = bytes.Repeat([]byte{0xff}, len(s.Shares))
	}
	return encode(&s)
}

// equivocate gives another message for the same slot, as valid as can be.
func (p *worker) equivocate(slot wire.Slot, body []byte) []byte {
	w := p.w
	switch slot.Kind {
	case wire.SlotDeal:
		if d, ok := decode[dealBody](body); ok {
			var seed [32]byte
			w.bytes(seed[:])
			params := d.Header.Params(p.m.manifest)
			params.Apart = d.Apart != (w.seed%5 == 0) // or the other form
			if other, err := frost.NewDeal(params, p.m.index, &seed); err == nil {
				return wire.EncodeDeal(d.Header, other)
			}
		}
	case wire.SlotCert:
		return p.badCertificate(body)
	case wire.SlotCommit:
		if c, ok := decode[commitBody](body); ok && len(c.Points) >= 64 { // D and E exchanged: valid points
			half := len(c.Points) / 2
			c.Points = append(bytes.Clone(c.Points[half:]), c.Points[:half]...)
			return p.encodeCommit(c)
		}
	case wire.SlotShare:
		return p.badShare(body)
	}
	return body
}

// complain gives up a batch or a session, and blames somebody.
func (p *worker) complain(slot wire.Slot, body []byte) {
	kind := wire.SlotRefuse
	var context [32]byte
	switch slot.Kind {
	case wire.SlotDeal:
		d, _ := decode[dealBody](body)
		kind, context = wire.SlotAbort, d.Header.Context(p.m.manifest)
	case wire.SlotCert:
		c, _ := decode[wire.Certificate](body)
		kind, context = wire.SlotAbort, c.Context
	case wire.SlotCommit:
		c, _ := decode[commitBody](body)
		context = c.Session
	default:
		return
	}
	who := uint8(p.w.rng.IntN(p.m.manifest.N))
	code := []wire.Code{wire.CodeDealMalformed, wire.CodeInternal, wire.CodeUnknownKey}[p.w.rng.IntN(3)]
	p.say(wire.Slot{Kind: kind, ID: slot.ID, Node: p.m.index},
		encode(&complaintBody{Session: context, Code: code, Reason: "because", Culprit: &who}))
}
