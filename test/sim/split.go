package sim

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A dealer that deals two polynomials with the same constant terms: both pass all
// checks of their recipients and give the same public keys, and shares of the one
// don't fit those of the other. Only the transcripts differ. The deal is put together
// here from the format, as internal/frost has no way to make one.

// splitDeal returns a deal whose polynomials are those of d with x added to each.
func (p *worker) splitDeal(d dealBody) ([]byte, bool) {
	m := p.m.manifest
	suite := frost.Suite(d.Header.Suite)
	if m.T < 2 {
		return nil, false // there is nothing but the constant term
	}
	plain := make([][]byte, m.N)
	for j := range plain {
		aead := p.box(d, p.w.crew(p.m.manifest)[j].host[:], d.Ephemeral[:], j)
		var err error
		if plain[j], err = aead.Open(nil, make([]byte, 12), d.Shares[j], dealDigest(m, d, p.m.index)); err != nil {
			return nil, false // a lie already
		}
	}
	var ephemeral [32]byte
	p.w.bytes(ephemeral[:])
	own, err := ecdh.X25519().NewPrivateKey(ephemeral[:])
	if err != nil {
		panic(err)
	}
	d.Ephemeral = [32]byte(own.PublicKey().Bytes())
	d.Commitments = slices.Clone(d.Commitments)
	for key := range int(d.Header.K) {
		linear := d.Commitments[(key*m.T+1)*suite.PointSize():][:suite.PointSize()]
		if !addBase(suite, linear) {
			return nil, false
		}
	}
	digest := dealDigest(m, d, p.m.index)
	d.Shares = nil
	for j := range plain {
		for share := range slices.Chunk(plain[j], frost.ScalarSize) {
			addSmall(suite, share, j+1)
		}
		aead := p.box(d, ephemeral[:], m.Nodes[j].Encryption, j)
		d.Shares = append(d.Shares, aead.Seal(nil, make([]byte, 12), plain[j], digest))
	}
	return encode(&d), true
}

// box is the cipher of this node's box for node j.
func (p *worker) box(d dealBody, private, peer []byte, j int) cipher.AEAD {
	ctx := d.Header.Context(p.m.manifest)
	own := must(ecdh.X25519().NewPrivateKey(private))
	shared := must(own.ECDH(must(ecdh.X25519().NewPublicKey(peer))))
	info := slices.Concat([]byte("frostfleet/dkg/box/v1"), d.Ephemeral[:], p.m.manifest.Nodes[j].Encryption,
		binary.BigEndian.AppendUint32(nil, uint32(p.m.index)), binary.BigEndian.AppendUint32(nil, uint32(j)))
	key := must(hkdf.Key(sha256.New, shared, ctx[:], string(info), 32))
	return must(chacha20poly1305.New(key))
}

// dealDigest is what the boxes of a deal are bound to.
func dealDigest(m *wire.Manifest, d dealBody, dealer int) []byte {
	ctx, tag, proofs := d.Header.Context(m), "frostfleet/dkg/deal/v1", d.Proofs
	if d.Apart {
		hash := frost.HashProofs(d.Proofs)
		tag, proofs = "frostfleet/dkg/deal/v2", hash[:]
	}
	h := frost.Hash(tag, []byte{d.Header.Suite}, ctx[:],
		binary.BigEndian.AppendUint32(nil, uint32(dealer)), d.Ephemeral[:], d.Commitments, proofs)
	return h[:]
}

// addBase adds the base point to a commitment, in place. Those of Ed25519 are sent
// divided by 8.
func addBase(suite frost.Suite, point []byte) bool {
	if suite == frost.Ed25519 {
		eight := must(edwards25519.NewScalar().SetCanonicalBytes(append([]byte{8}, make([]byte, 31)...)))
		p, err := edwards25519.NewIdentityPoint().SetBytes(point)
		if err != nil {
			return false
		}
		eighth := edwards25519.NewIdentityPoint().ScalarBaseMult(eight.Invert(eight))
		copy(point, p.Add(p, eighth).Bytes())
		return true
	}
	public, err := btcec.ParsePubKey(append([]byte{4}, point...))
	if err != nil {
		return false
	}
	var p, sum btcec.JacobianPoint
	var one btcec.ModNScalar
	public.AsJacobian(&p)
	var base btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(one.SetInt(1), &base)
	btcec.AddNonConst(&p, &base, &sum)
	sum.ToAffine()
	copy(point, btcec.NewPublicKey(&sum.X, &sum.Y).SerializeUncompressed()[1:])
	return true
}

// addSmall adds a small number to a share, in place.
func addSmall(suite frost.Suite, share []byte, x int) {
	if suite == frost.Ed25519 {
		s := must(edwards25519.NewScalar().SetCanonicalBytes(share))
		small := must(edwards25519.NewScalar().SetCanonicalBytes(append([]byte{byte(x)}, make([]byte, 31)...)))
		copy(share, s.Add(s, small).Bytes())
		return
	}
	var s, small btcec.ModNScalar
	s.SetByteSlice(share)
	sum := s.Add(small.SetInt(uint32(x))).Bytes()
	copy(share, sum[:])
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of lengths alone
	}
	return v
}
