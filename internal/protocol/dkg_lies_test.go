package protocol

import (
	"bytes"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a malicious dealer may send in place of its deal, the code with which
// node 0 gives the batch up, and whether node 1 sees it as well.
var lies = map[string]struct {
	chain string
	lie   func(*frost.Deal)
	raw   func(body []byte) []byte
	code  wire.Code
	all   bool
}{
	"no CBOR": {
		chain: "solana",
		raw:   func([]byte) []byte { return []byte("x") },
		code:  wire.CodeDealMalformed,
		all:   true,
	},
	"empty": {chain: "solana", raw: func([]byte) []byte { return nil }, code: wire.CodeDealMalformed, all: true},
	"trailing byte": {
		chain: "solana",
		raw:   func(b []byte) []byte { return append(b, 0) },
		code:  wire.CodeDealMalformed,
		all:   true,
	},
	"one key less": {
		chain: "solana",
		lie:   func(d *frost.Deal) { d.Commitments = d.Commitments[64:] },
		code:  wire.CodeDealMalformed,
		all:   true,
	},
	"one box less": {
		chain: "solana",
		lie:   func(d *frost.Deal) { d.Shares = d.Shares[:2] },
		code:  wire.CodeDealMalformed,
		all:   true,
	},
	"short box": {
		chain: "solana",
		lie:   func(d *frost.Deal) { d.Shares[0] = d.Shares[0][1:] },
		code:  wire.CodeDealMalformed,
		all:   true,
	},
	"bad proof": {chain: "solana", lie: func(d *frost.Deal) { d.Proofs[32] ^= 1 }, code: frost.CodeProof, all: true},
	"bad proof (btc)": {
		chain: "bitcoin",
		lie:   func(d *frost.Deal) { d.Proofs[64+31] ^= 1 },
		code:  frost.CodeProof,
		all:   true,
	},
	"proofs swapped": {chain: "solana", lie: func(d *frost.Deal) {
		d.Proofs = append(bytes.Clone(d.Proofs[64:]), d.Proofs[:64]...)
	}, code: frost.CodeProof, all: true},
	"box for node 0": {chain: "solana", lie: func(d *frost.Deal) { d.Shares[0][5] ^= 1 }, code: frost.CodeShare},
	"boxes swapped": {
		chain: "bitcoin",
		lie:   func(d *frost.Deal) { d.Shares[0], d.Shares[1] = d.Shares[1], d.Shares[0] },
		code:  frost.CodeShare,
		all:   true,
	},
	"off the curve": {
		chain: "bitcoin",
		lie:   func(d *frost.Deal) { d.Commitments[63] ^= 1 },
		code:  frost.CodePoint,
		all:   true,
	},
	// The identity, and a point of order 2: on the wire points are divided by
	// 8, so that a point of small order becomes the identity.
	"identity": {
		chain: "solana",
		lie:   func(d *frost.Deal) { copy(d.Commitments, append([]byte{1}, make([]byte, 31)...)) },
		code:  frost.CodeIdentity,
		all:   true,
	},
	"small order": {
		chain: "solana",
		lie:   func(d *frost.Deal) { copy(d.Commitments, orderTwo) },
		code:  frost.CodeIdentity,
		all:   true,
	},
	"not canonical": {chain: "solana", lie: func(d *frost.Deal) {
		copy(d.Commitments, bytes.Repeat([]byte{0xff}, 32))
	}, code: frost.CodePoint, all: true},
}

// orderTwo is (0, -1) on edwards25519: y = p-1, little endian.
var orderTwo = append(append([]byte{0xec}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f)

func TestLyingDealers(t *testing.T) {
	for name, test := range lies {
		t.Run(name, func(t *testing.T) {
			b := dealt(t, test.chain)
			w := b.nodes[2].want(wire.SlotDeal)
			body := w.body
			if test.lie != nil {
				h, d, err := wire.DecodeDeal(body)
				b.check(err)
				test.lie(d)
				body = wire.EncodeDeal(h, d)
			}
			if test.raw != nil {
				body = test.raw(body)
			}
			b.say(w.slot, body)
			b.release(0, wire.SlotDeal)
			b.release(1, wire.SlotDeal)
			for i := range 2 {
				if i == 1 && !test.all {
					b.nodes[1].want(wire.SlotCert) // advice of node 0 that node 1 can't check
					continue
				}
				c := b.aborted(i)
				equal(t, "code", c.Code, test.code)
				equal(t, "culprit", culpritOf(c), 2)
			}
		})
	}
}

// A deal of another batch, by its header.
func TestDealOfAnotherBatch(t *testing.T) {
	for name, change := range map[string]func(*wire.BatchHeader){
		"another attempt": func(h *wire.BatchHeader) { h.Attempt++ },
		"another owner":   func(h *wire.BatchHeader) { h.Client = "bob" },
		"another size":    func(h *wire.BatchHeader) { h.K++ },
		"another suite":   func(h *wire.BatchHeader) { h.Suite = 1 },
	} {
		b := dealt(t, "solana")
		w := b.nodes[2].want(wire.SlotDeal)
		h, d, _ := wire.DecodeDeal(w.body)
		change(&h)
		b.say(w.slot, wire.EncodeDeal(h, d))
		b.release(0, wire.SlotDeal)
		b.release(1, wire.SlotDeal)
		c := b.aborted(0)
		equal(t, name+": code", c.Code, wire.CodeDealMalformed)
		equal(t, name+": culprit", culpritOf(c), 2)
	}
}

// Certificates that prove nothing do not fill a slot, so the right one still
// counts after them.
func TestFalseCertificates(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	var right wire.Certificate
	w := b.nodes[2].want(wire.SlotCert)
	must(0, wire.Decode(w.body, wire.MaxAttestation, &right))
	for name, change := range map[string]func(*wire.Certificate){
		"another context":    func(c *wire.Certificate) { c.Context[0]++; c.Attestation = b.attestOne(2, c.Leaf(b.m)) },
		"another transcript": func(c *wire.Certificate) { c.Transcript[0]++ },
		"another root":       func(c *wire.Certificate) { c.Root[0]++ },
		"another node":       func(c *wire.Certificate) { c.Node = 1 },
		"signed by node 1":   func(c *wire.Certificate) { c.Attestation = b.attestOne(1, c.Leaf(b.m)) },
		"not signed":         func(c *wire.Certificate) { c.Attestation = nil },
	} {
		c := right
		change(&c)
		b.say(w.slot, wire.Encode(&c))
		if b.nodes[0].dealer.board.Get(b.id).Has(wire.SlotCert, 2) {
			t.Fatalf("%s: taken", name)
		}
	}
	b.releaseAll(wire.SlotCert)
	equal(t, "complete", b.nodes[0].done[b.id], true)
}

// A certificate vouches for itself: it counts whoever brings it, and when its
// Envelope is past its time.
func TestCertificateInAStaleEnvelope(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	b.now = b.now.Add(2 * wire.DelegationLife)
	b.releaseAll(wire.SlotCert)
	equal(t, "complete", b.nodes[0].done[b.id], true)
}

// Certificates over different keys never complete a batch.
func TestCertificatesThatDisagree(t *testing.T) {
	b := dealt(t, "solana")
	b.releaseAll(wire.SlotDeal)
	b.release(0, wire.SlotCert)
	b.release(1, wire.SlotCert)
	var c wire.Certificate
	w := b.nodes[2].want(wire.SlotCert)
	must(0, wire.Decode(w.body, wire.MaxAttestation, &c))
	c.Root[0]++
	c.Attestation = b.attestOne(2, c.Leaf(b.m))
	b.say(w.slot, wire.Encode(&c))
	for i, a := range b.nodes {
		if a.done[b.id] {
			t.Errorf("node %d completed a batch that the nodes do not agree on", i)
		}
	}
	equal(t, "what stands there", b.nodes[2].Judge(w.slot, b.dkg[len(b.dkg)-1], w.body), wire.Other)
}

// What stands in a node's own slots, as the node and its readers see it.
func TestJudge(t *testing.T) {
	b := dealt(t, "solana")
	deal := b.nodes[0].want(wire.SlotDeal)
	b.releaseAll(wire.SlotDeal)
	cert := b.nodes[0].want(wire.SlotCert)
	var c wire.Certificate
	b.check(wire.Decode(cert.body, wire.MaxAttestation, &c))
	certificate := func(change func(*wire.Certificate)) []byte {
		c := c
		change(&c)
		c.Attestation = b.attestOne(0, c.Leaf(b.m)) // signed anew: other bytes
		return wire.Encode(&c)
	}
	ctx := b.head.Context(b.m)
	complain := func(session [32]byte) []byte {
		return wire.Encode(&wire.Complaint{Session: session, Code: wire.CodeInternal})
	}
	abort := wire.Slot{Kind: wire.SlotAbort, ID: b.id, Node: 0}
	for name, test := range map[string]struct {
		slot           wire.Slot
		standing, mine []byte
		by             int
		at             time.Time
		want           wire.Verdict
	}{
		"own deal":                {deal.slot, deal.body, deal.body, 0, t0, wire.Mine},
		"earlier deal":            {deal.slot, []byte("x"), deal.body, 0, t0, wire.Other},
		"deal by another":         {deal.slot, deal.body, deal.body, 1, t0, wire.Junk},
		"deal in a stale seal":    {deal.slot, deal.body, deal.body, 0, t0.Add(time.Hour), wire.Junk},
		"own certificate":         {cert.slot, certificate(func(*wire.Certificate) {}), cert.body, 0, t0, wire.Mine},
		"certificate in a stale":  {cert.slot, certificate(func(*wire.Certificate) {}), cert.body, 0, t0.Add(time.Hour), wire.Mine},
		"certificate, other root": {cert.slot, certificate(func(c *wire.Certificate) { c.Root[0]++ }), cert.body, 0, t0, wire.Other},
		"certificate, no batch's": {cert.slot, certificate(func(c *wire.Certificate) { c.Context[0]++ }), cert.body, 0, t0, wire.Junk},
		"no certificate":          {cert.slot, []byte("x"), cert.body, 0, t0, wire.Junk},
		"abort, other reason":     {abort, complain(ctx), []byte("x"), 0, t0, wire.Mine},
		"abort of another batch":  {abort, complain([32]byte{1}), complain(ctx), 0, t0, wire.Junk},
		"no abort":                {abort, []byte("x"), complain(ctx), 0, t0, wire.Junk},
	} {
		m := wire.LogMessage{
			Subject: test.slot.String(),
			Seq:     1,
			Time:    test.at,
			Data:    b.sessions[test.by].Seal(b.m, test.slot.String(), test.standing),
		}
		if got := b.nodes[0].Judge(test.slot, m, test.mine); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
		// Readers agree: junk fills no slot.
		_, filled := board.New(b.m, wire.NewOpener(b.m, b.access), 1<<20).Put(m)
		equal(t, name+": fills the slot", filled, test.want != wire.Junk)
	}
}
