package main

import (
	"bytes"
	"crypto/ecdh"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/consttime"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	"github.com/frostfleet/frostfleet/internal/secret"
	secp "gitlab.com/yawning/secp256k1-voi"
)

// subjects are what handles secrets, and three that leak them.
func subjects() ([]*subject, error) {
	all := []*subject{
		{name: "secp256k1: a multiple of G, variable time", leaks: true, prepare: scalars(1, func(s []*secp.Scalar) {
			vartime.BaseMult(s[0])
		})},
		{name: "secp256k1: 16 multiples of G, one of them of 0", leaks: true, prepare: withZero},
		{name: "secp256k1: a multiple of G", prepare: scalars(1, baseMults)},
		{name: "secp256k1: 16 multiples of G", prepare: scalars(16, baseMults)},
		{name: "secp256k1: 256 multiples of G", prepare: scalars(256, baseMults)},
		{name: "edwards25519: a multiple of a point, variable time", leaks: true, prepare: edwardsVartime},
		{name: "edwards25519: 16 multiples of the base point", prepare: edwards(16)},
		{name: "edwards25519: 256 multiples of the base point", prepare: edwards(256)},
		{name: "BIP 445 NonceGen, secret share", prepare: nonceGen(false)},
		{name: "BIP 445 NonceGen, randomness", prepare: nonceGen(true)},
	}
	for _, suite := range []frost.Suite{frost.Secp256k1TR, frost.Ed25519} {
		f, err := newFleet(suite)
		if err != nil {
			return nil, err
		}
		all = append(all,
			&subject{name: fmt.Sprintf("%v: Commit, randomness", suite), prepare: f.commitWork},
			&subject{name: fmt.Sprintf("%v: Nonces.Sign, nonces", suite), prepare: f.signNonces},
			&subject{name: fmt.Sprintf("%v: Nonces.Sign, secret share", suite), prepare: f.signShares})
	}
	return all, nil
}

// draw returns n bytes, the same ones for the fixed class.
func draw(r *rand.Rand, class, n int) []byte {
	if class == fixed {
		r = rand.New(rand.NewPCG(1, 1))
	}
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:n]
}

func baseMults(s []*secp.Scalar) { consttime.BaseMults(s) }

func drawScalars(r *rand.Rand, class, n int) []*secp.Scalar {
	in := make([]*secp.Scalar, n)
	for i, b := range slices.Collect(slices.Chunk(draw(r, class, 32*n), 32)) {
		in[i], _ = secp.NewScalarFromBytes((*[32]byte)(b))
	}
	return in
}

func scalars(n int, work func([]*secp.Scalar)) func(*rand.Rand, int) func() {
	return func(r *rand.Rand, class int) func() {
		in := drawScalars(r, class, n)
		return func() { work(in) }
	}
}

func withZero(r *rand.Rand, class int) func() {
	in := drawScalars(r, random, 16)
	if class == fixed {
		in[7].Zero()
	}
	return func() { baseMults(in) }
}

func edwards(n int) func(*rand.Rand, int) func() {
	return func(r *rand.Rand, class int) func() {
		in, out := make([]*edwards25519.Scalar, n), make([]byte, 0, n*edwards25519.PointSize)
		for i, b := range slices.Collect(slices.Chunk(draw(r, class, 64*n), 64)) {
			var err error
			if in[i], err = new(edwards25519.Scalar).SetBytesModOrderWide(b); err != nil {
				panic(err)
			}
		}
		return func() { edwards25519.AppendDivided(out, in) }
	}
}

// edwardsVartime multiplies one point, which no lanes do.
func edwardsVartime(r *rand.Rand, class int) func() {
	k, err := new(edwards25519.Scalar).SetBytesModOrderWide(draw(r, class, 64))
	if err != nil {
		panic(err)
	}
	var point edwards25519.Point
	base := edwards25519.GeneratorAffine()
	edwards25519.SetAffine(&point, &base)
	return func() {
		edwards25519.MultiScalarMultVartime([]*edwards25519.Scalar{k}, []*edwards25519.Point{&point})
	}
}

// nonceGen has another share or other randomness, and all else the same.
func nonceGen(randomness bool) func(*rand.Rand, int) func() {
	return func(r *rand.Rand, class int) func() {
		share, drawn := draw(r, class, 32), draw(r, random, 32)
		if randomness {
			share, drawn = draw(r, fixed, 32), draw(r, class, 32)
		}
		in := bip445.NonceInput{SecretShare: share, Message: make([]byte, 32)}
		source := bytes.NewReader(drawn)
		return func() {
			if _, _, err := bip445.NonceGen(source, in); err != nil {
				panic(err)
			}
		}
	}
}

// fleet is a 2-of-3 fleet with many keys.
type fleet struct {
	frost.Params
	batches [2]*frost.Batch
}

const keys = 256

func newFleet(suite frost.Suite) (*fleet, error) {
	f := &fleet{Params: frost.Params{Suite: suite, N: 3, T: 2, K: keys}}
	r := rand.New(rand.NewPCG(2, 2))
	hosts := make([][32]byte, f.N)
	for i := range hosts {
		hosts[i] = [32]byte(draw(r, random, 32))
		private, err := ecdh.X25519().NewPrivateKey(hosts[i][:])
		if err != nil {
			return nil, err
		}
		f.HostKeys = append(f.HostKeys, [32]byte(private.PublicKey().Bytes()))
	}
	deals := make([]*frost.Deal, f.N)
	for i := range deals {
		seed := [32]byte(draw(r, random, 32))
		var err error
		if deals[i], err = frost.NewDeal(f.Params, i, &seed); err != nil {
			return nil, err
		}
	}
	for i := range f.batches {
		var err error
		if f.batches[i], err = frost.Finalize(f.Params, i, &hosts[i], deals); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// item is what node index signs with a key, in memory of its own.
func (f *fleet) item(index, key int) frost.Item {
	b, size := f.batches[index], f.T*f.Suite.PointSize()
	tweak := frost.Tweak{Mode: frost.TweakBIP86}
	if f.Suite == frost.Ed25519 {
		tweak.Mode = frost.TweakNone
	}
	return frost.Item{
		Key: &frost.Key{
			Suite: f.Suite, N: f.N, T: f.T, Index: index,
			PublicKey:     bytes.Clone(b.PublicKeys[key]),
			VSSCommitment: bytes.Clone(b.Commitments[key*size:][:size]),
			Share:         secret.New(bytes.Clone(b.Shares.Expose()[key*frost.ScalarSize:][:frost.ScalarSize])),
		},
		Message: make([]byte, 32), Tweak: tweak,
	}
}

// commit draws nonces of node index for a key from the bytes.
func (f *fleet) commit(index, key int, drawn []byte) (*frost.Nonces, []byte) {
	nonces, points, err := frost.Commit(bytes.NewReader(drawn), [32]byte{}, frost.FormDivided, []frost.Item{f.item(index, key)})
	if err != nil {
		panic(err)
	}
	return nonces, points
}

// drawn is more than a nonce of either suite takes.
const drawn = 64

func (f *fleet) commitWork(r *rand.Rand, class int) func() {
	items, source := []frost.Item{f.item(0, 0)}, bytes.NewReader(draw(r, class, drawn))
	return func() {
		if _, _, err := frost.Commit(source, [32]byte{}, frost.FormDivided, items); err != nil {
			panic(err)
		}
	}
}

// sign signs with a key and nonces drawn from the bytes, beside another signer's nonces, which are
// random: so nothing public in it is fixed but those of the own nonces.
func (f *fleet) sign(r *rand.Rand, key int, own []byte) func() {
	nonces, points := f.commit(0, key, own)
	_, theirs := f.commit(1, key, draw(r, random, drawn))
	set := []frost.NonceCommitment{{Index: 0, Points: points}, {Index: 1, Points: theirs}}
	return func() {
		if _, err := nonces.Sign(set); err != nil {
			panic(err)
		}
	}
}

func (f *fleet) signNonces(r *rand.Rand, class int) func() {
	return f.sign(r, 0, draw(r, class, drawn))
}

func (f *fleet) signShares(r *rand.Rand, class int) func() {
	key := 0
	if class == random {
		key = r.IntN(keys)
	}
	return f.sign(r, key, draw(r, random, drawn))
}
