package sim

import (
	"bytes"
	"crypto/ed25519"
	"slices"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// The checks of this file use other libraries than the program does.

// signed checks the signatures of a result against the announced keys.
func (c *checker) signed(j *clientJob, r *wire.Result) {
	if len(r.Sigs) != len(j.keys) {
		c.w.fail(RuleSignature, "job %s has %d signatures, want %d", j.job.ID, len(r.Sigs), len(j.keys))
		return
	}
	for i, k := range j.keys {
		item, sig := j.job.Items[i], r.Sigs[i]
		if c.owners[k.id.Batch] != j.c.name {
			c.w.fail(RuleOwner, "job %s of %s signed with a key of %s", j.job.ID, j.c.name, k.owner)
		}
		path := ""
		if item.Path != nil {
			path = *item.Path
			c.children++
		}
		out := childOf(k, path)
		ok := k.suite == frost.Ed25519 && ed25519.Verify(out, item.Message, sig.Signature)
		if k.suite == frost.Secp256k1TR {
			out = taproot(out, item.ScriptRoot)
			ok = verifySchnorr(out, item.Message, sig.Signature)
		}
		if !ok || !bytes.Equal(out, sig.PublicKey) || sig.Key != item.Key || sig.Path != path {
			c.w.fail(RuleSignature, "job %s item %d: signature does not verify under key %s", j.job.ID, i, item.Key)
		}
		c.signatures++
	}
}

// taproot is the output key of an internal key: BIP 341.
func taproot(internal, root []byte) []byte {
	p, err := schnorr.ParsePubKey(internal[1:])
	if err != nil {
		return nil
	}
	h := chainhash.TaggedHash(chainhash.TagTapTweak, internal[1:], root)
	var tweak btcec.ModNScalar
	tweak.SetBytes((*[32]byte)(h))
	var base, point, sum btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(&tweak, &base)
	p.AsJacobian(&point)
	btcec.AddNonConst(&base, &point, &sum)
	sum.ToAffine()
	return schnorr.SerializePubKey(btcec.NewPublicKey(&sum.X, &sum.Y))
}

func verifySchnorr(key, message, sig []byte) bool {
	p, err := schnorr.ParsePubKey(key)
	if err != nil {
		return false
	}
	s, err := schnorr.ParseSignature(sig)
	return err == nil && s.Verify(message, p)
}

// disks checks that after the trouble every honest node has every announced
// key, and that any t of their shares make it.
func (c *checker) disks() {
	for _, client := range c.w.clients {
		for _, k := range client.keys {
			shares, at := map[int][]byte{}, c.w.latestOf(k.id.Batch)
			for _, m := range c.w.crew(at.manifest) {
				if r := m.disk.records[at.BatchRef]; r != nil && r.complete {
					shares[m.index] = r.shares[k.id.Index*frost.ScalarSize:][:frost.ScalarSize]
				} else if !m.isLiar() {
					c.w.fail(RuleSigns, "node %d has no usable share of the announced key %s", m.index, k.id)
					return
				}
			}
			c.interpolates(k, at.manifest, shares)
		}
	}
}

// interpolates takes t of the shares and checks that they give the key.
func (c *checker) interpolates(k announcedKey, m *wire.Manifest, shares map[int][]byte) {
	nodes := c.w.rng.Perm(m.N)
	nodes = slices.DeleteFunc(nodes, func(i int) bool { return shares[i] == nil })[:m.T]
	got := interpolate(k.suite, nodes, shares)
	if !bytes.Equal(got, k.public) {
		c.w.fail(RuleInterpolate, "the shares of nodes %v give %x for key %s, which is %x", nodes, got, k.id, k.public)
	}
}

// interpolate is the key that shares of nodes make.
func interpolate(suite frost.Suite, nodes []int, shares map[int][]byte) []byte {
	if suite == frost.Ed25519 {
		return interpolateEdwards(nodes, shares)
	}
	return interpolateSecp(nodes, shares)
}

func interpolateSecp(nodes []int, shares map[int][]byte) []byte {
	var sum btcec.ModNScalar
	for _, i := range nodes {
		var term, den, x, d btcec.ModNScalar
		term.SetByteSlice(shares[i])
		den.SetInt(1)
		for _, j := range nodes {
			if j != i {
				term.Mul(x.SetInt(uint32(j + 1)))
				d.SetInt(uint32(i + 1)).Negate().Add(&x)
				den.Mul(&d)
			}
		}
		sum.Add(term.Mul(den.InverseNonConst()))
	}
	return btcec.PrivKeyFromScalar(&sum).PubKey().SerializeCompressed()
}

func interpolateEdwards(nodes []int, shares map[int][]byte) []byte {
	small := func(v int) *edwards25519.Scalar {
		var b [32]byte
		b[0], b[1] = byte(v), byte(v>>8)
		s, err := edwards25519.NewScalar().SetCanonicalBytes(b[:])
		if err != nil {
			panic(err)
		}
		return s
	}
	sum := edwards25519.NewScalar()
	for _, i := range nodes {
		term, err := edwards25519.NewScalar().SetCanonicalBytes(shares[i])
		if err != nil {
			return nil
		}
		for _, j := range nodes {
			if j != i {
				x := small(j + 1)
				d := edwards25519.NewScalar().Subtract(x, small(i+1))
				term.Multiply(term, x).Multiply(term, d.Invert(d))
			}
		}
		sum.Add(sum, term)
	}
	return edwards25519.NewIdentityPoint().ScalarBaseMult(sum).Bytes()
}

// finish checks what only the end shows.
func (c *checker) finish() {
	c.disks()
	c.refilled()
	c.generations()
}
