package sim

import (
	"encoding/json"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Those who lie in resharings: dealers, new nodes, gateways, and forgers of successions.

// trouble is what happens within a second.
func (c *change) trouble() {
	if c == nil || !c.published {
		return
	}
	w := c.w
	if founders := w.crew(w.manifest); w.fault(ApprovalTaken) {
		c.takeBack(founders[c.rng.IntN(len(founders))])
	}
	if w.fault(SuccessionForged) {
		c.forge()
	}
	if w.fault(GatewayMoves) {
		c.falseTask()
	}
	if w.fault(GatewayMovesAgain) {
		c.replayTask()
	}
}

// forge puts into KEYS what proves no succession: fewer nodes than sign approve, and the rest
// is made up.
func (c *change) forge() {
	w := c.w
	s := wire.Succession{Version: wire.SuccessionVersion, Manifest: must(json.Marshal(c.other))}
	c.store(c.other)
	founders := w.crew(w.manifest)
	for _, m := range founders[:w.manifest.T-1] {
		s.Approvals = append(s.Approvals, *c.sign(m, c.other, c.rng.IntN(2) == 0))
	}
	strangers := w.crew(c.other)
	for i := len(s.Approvals); i < len(founders); i++ {
		var a wire.SuccessorApproval
		switch c.rng.IntN(4) {
		case 0: // another node's approval
			if len(s.Approvals) == 0 {
				continue
			}
			a = s.Approvals[0]
			a.Node = uint32(i)
		case 1: // of another manifest
			if founders[i].disk.approved.signed == nil {
				continue
			}
			a = *founders[i].disk.approved.signed
			a.Next = c.other.Hash()
		case 2: // a stranger's device
			a = wire.SuccessorApproval{Node: uint32(i), Next: c.other.Hash(), Forced: true}
			a.Attestation = strangers[i%len(strangers)].attest(a.Leaf(w.manifest))
		default: // counted twice
			if len(s.Approvals) == 0 {
				continue
			}
			a = s.Approvals[len(s.Approvals)-1]
		}
		s.Approvals = append(s.Approvals, a)
	}
	w.bus.keys.put(wire.SuccessionSubject(c.other.Hash()), wire.Encode(&s), -1)
}

// task is a true task that moves some batch; nil if there is none to move.
func (c *change) task() *wire.Reshare {
	batches := slices.Sorted(values(c.w.check.announced))
	if len(batches) == 0 {
		return nil
	}
	whole := c.w.wholeIn(batches[c.rng.IntN(len(batches))])
	if len(whole) == 0 {
		return nil
	}
	e := whole[c.rng.IntN(len(whole))]
	source := c.w.all.Manifest(e.Manifest)
	r := &wire.Reshare{
		Version: wire.ReshareVersion, Origin: e.Origin, Header: e.Header, Made: e.MadeBy, Source: e.Manifest, From: e.Generation,
		Base: e.Transcript, Manifest: c.next.Hash(), To: e.Generation + 1 + uint32(c.rng.IntN(3)),
	}
	for _, i := range c.rng.Perm(source.N)[:source.T] {
		r.Dealers = append(r.Dealers, byte(i))
	}
	slices.Sort(r.Dealers)
	return r
}

// falseTask is one of a gateway that lies: wrong in one thing, or true and one of several.
func (c *change) falseTask() {
	r := c.task()
	if r == nil {
		return
	}
	if per := c.w.perSlice(); per > 0 && per < int(r.Header.K) && c.rng.IntN(2) == 0 {
		r.PerSlice = uint32(per)
	}
	switch c.rng.IntN(12) {
	case 0:
		r.From++
		r.To++
	case 1:
		r.Base[0] ^= 1
	case 2:
		r.Made[0] ^= 1
	case 3:
		r.Manifest = c.other.Hash()
	case 4:
		r.Dealers = r.Dealers[1:]
	case 5:
		r.Dealers = append([]byte{r.Dealers[0]}, r.Dealers...)
	case 6:
		r.Origin[0] ^= 1
	case 7:
		r.Header.K++
	case 8:
		r.Source, r.Manifest = r.Manifest, r.Source
	case 10:
		r.To += 1 << c.rng.IntN(6) // numbers are used up
	case 9:
		r.Dealers[len(r.Dealers)-1] = byte(c.w.manifest.N)
	}
	c.open(r)
}

func (c *change) open(r *wire.Reshare) {
	g := c.w.gateways[0]
	subject := wire.ReshareTaskSubject(r)
	data := wire.SealGateway(g.key, g.name, c.w.manifest, subject, wire.Encode(r))
	c.w.tracef("%s lies -> WORK %s", g.name, short(subject))
	c.w.bus.remember(subject, data)
	c.w.bus.work.put(subject, data, -1)
}

// replayTask publishes an older task again.
func (c *change) replayTask() {
	var old []wire.LogMessage
	for _, m := range c.w.bus.everything {
		if wire.IsReshareTask(m.Subject) {
			old = append(old, m)
		}
	}
	if len(old) > 0 {
		m := old[c.rng.IntN(len(old))]
		c.w.bus.work.put(m.Subject, m.Data, -1)
	}
}

// deceive says something else in a resharing than the node's machine wants to say.
func (p *worker) deceive(slot wire.Slot, body []byte) {
	bodies := [][]byte{body}
	switch slot.Kind {
	case wire.SlotReshareDeal:
		bodies = p.falseDeals(body)
	case wire.SlotReshareCert:
		switch w := p.w; {
		case w.fault(NewRefuses):
			return
		case w.fault(NewComplains):
			cert, _ := decode[wire.Certificate](body)
			who := uint8(w.rng.IntN(w.manifest.N))
			c := complaintBody{Session: cert.Context, Code: wire.CodeDealMalformed, Reason: "because", Culprit: &who}
			p.say(wire.Slot{Kind: wire.SlotReshareAbort, ID: slot.ID, Node: p.m.index}, encode(&c))
			return
		case w.fault(NewCertifies):
			bodies = append([][]byte{p.badCertificate(body)}, bodies...)
		}
	}
	for _, b := range bodies {
		p.say(slot, b)
	}
}

// falseDeals are what a dealer that lies puts into its slot.
func (p *worker) falseDeals(body []byte) [][]byte {
	w := p.w
	r, slice, d, err := wire.DecodeReshareDeal(body)
	if err != nil {
		return [][]byte{body}
	}
	of := r.Slices()[slice]
	again := func(shares []byte) []byte {
		var seed [32]byte
		w.bytes(seed[:])
		s := secret.New(slices.Clone(shares[of.First*frost.ScalarSize : of.End*frost.ScalarSize]))
		defer s.Wipe()
		deal, err := frost.NewReshareDeal(r.Params(of, p.m.manifest, w.all.Manifest(r.Manifest)), p.m.index, s, &seed)
		if err != nil {
			return body
		}
		return wire.EncodeReshareDeal(r, slice, deal)
	}
	mine := p.disk.records[wire.BatchRef{ID: r.BatchID(), Generation: r.From}]
	if mine == nil {
		return [][]byte{body}
	}
	kinds := []Fault{MoverWithholds, MoverConstant, MoverShare, MoverMalformed, MoverTwice}
	if r.SliceCount() > 1 {
		kinds = append(kinds, MoverSlice)
	}
	var kind Fault
	for _, i := range w.rng.Perm(len(kinds)) {
		if kind == "" && w.fault(kinds[i]) {
			kind = kinds[i]
		}
	}
	switch kind {
	case MoverWithholds:
		return nil
	case MoverConstant:
		other := slices.Clone(mine.shares)
		addSmall(frost.Suite(r.Header.Suite), other[of.First*frost.ScalarSize:][:frost.ScalarSize], 1)
		return [][]byte{again(other)}
	case MoverShare:
		to := w.rng.IntN(len(d.Shares))
		d.Shares[to] = p.flip(d.Shares[to])
		return [][]byte{wire.EncodeReshareDeal(r, slice, d)}
	case MoverSlice:
		return [][]byte{wire.EncodeReshareDeal(r, (slice+1)%r.SliceCount(), d)}
	case MoverMalformed:
		return [][]byte{p.flip(body)}
	case MoverTwice:
		bodies := [][]byte{body, again(mine.shares)}
		if w.rng.IntN(2) == 0 {
			slices.Reverse(bodies)
		}
		return bodies
	}
	return [][]byte{body}
}
