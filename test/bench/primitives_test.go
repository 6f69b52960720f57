package bench_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	filippo "filippo.io/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	secp "gitlab.com/yawning/secp256k1-voi"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/consttime"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
	"github.com/frostfleet/frostfleet/test/ideal"
)

// ideals are the works whose ideal cost is known: what an item needs, and in which suite.
var ideals = map[string]struct {
	suite  frost.Suite
	counts ideal.Counts
}{
	"keygen-bitcoin":          {frost.Secp256k1TR, ideal.Keygen(frost.Secp256k1TR, 2, 3, frost.MaxBatch)},
	"keygen-solana":           {frost.Ed25519, ideal.Keygen(frost.Ed25519, 2, 3, frost.MaxBatch)},
	"keygen-bitcoin-16-of-24": {frost.Secp256k1TR, ideal.Keygen(frost.Secp256k1TR, largeT, largeN, largeBatch)},
	"sign-bitcoin":            {frost.Secp256k1TR, ideal.Sign(frost.Secp256k1TR, 2, frost.MaxBatch)},
	"sign-solana":             {frost.Ed25519, ideal.Sign(frost.Ed25519, 2, frost.MaxBatch)},
}

// costsOf, before the name of a work, names the costs of its operations to a child.
const costsOf = "costs-"

// idealMicros is what an item of a work would cost if nothing but its operations took time,
// each by the best implementation, in microseconds.
func idealMicros(b *testing.B, work string) float64 {
	b.Helper()
	c := startChild(b, costsOf+work)
	c.await(b)
	c.release(b)
	micros := c.result(b).Ideal
	if micros <= 0 {
		b.Fatalf("the ideal of %s is %g", work, micros)
	}
	return micros
}

// primitive is one implementation of an operation: do does it count times.
type primitive struct {
	op    ideal.Op
	count int
	do    func()
}

// costRounds and costTime say how primitives are measured: each for so long, in turns. The
// least counts, as what else the machine does can only add.
const (
	costRounds = 5
	costTime   = 20 * time.Millisecond
)

// idealCost measures the operations of a work and sums up, in microseconds. Of several
// implementations the fastest counts.
func idealCost(work string, rounds int, each time.Duration) (float64, error) {
	w, found := ideals[work]
	if !found {
		return 0, fmt.Errorf("no ideal of %q", work)
	}
	var all []primitive
	for _, op := range w.counts.Ops() {
		these, err := primitives(w.suite, op)
		if err != nil {
			return 0, err
		}
		all = append(all, these...)
	}
	costs := map[ideal.Op]float64{}
	for range rounds {
		for _, p := range all {
			runtime.GC()
			done := 0
			start := ownCPU()
			var used time.Duration
			for used < each {
				p.do()
				done += p.count
				used = ownCPU() - start
			}
			cost := float64(used) / float64(time.Microsecond) / float64(done)
			if least, found := costs[p.op]; !found || cost < least {
				costs[p.op] = cost
			}
		}
	}
	return w.counts.Cost(costs)
}

// many is how many operations are done at a time where it does not matter.
const many = 256

// primitives are the implementations of an operation. Scalars and points are random.
func primitives(suite frost.Suite, op ideal.Op) ([]primitive, error) {
	one := func(count int, do func()) []primitive { return []primitive{{op, count, do}} }
	switch op.Kind {
	case ideal.SHA256:
		message := make([]byte, 200)
		return one(1000, func() {
			for range 1000 {
				sha256.Sum256(message)
			}
		}), nil
	case ideal.SHA512:
		message := make([]byte, 200)
		return one(1000, func() {
			for range 1000 {
				sha512.Sum512(message)
			}
		}), nil
	case ideal.SHA256KiB:
		message := make([]byte, 1<<20)
		return one(1<<10, func() { sha256.Sum256(message) }), nil
	case ideal.SHA512KiB:
		message := make([]byte, 1<<20)
		return one(1<<10, func() { sha512.Sum512(message) }), nil
	case ideal.BoxKiB:
		aead, err := chacha20poly1305.New(make([]byte, chacha20poly1305.KeySize))
		if err != nil {
			return nil, err
		}
		text, out, nonce := make([]byte, 32<<10), make([]byte, 0, 33<<10), make([]byte, aead.NonceSize())
		return one(32, func() { aead.Seal(out, nonce, text, nil) }), nil
	case ideal.DH:
		return exchange(op)
	}
	if suite == frost.Ed25519 {
		return primitivesEd25519(op)
	}
	return primitivesSecp(op)
}

func exchange(op ideal.Op) ([]primitive, error) {
	own, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	do := func() {
		if _, err := own.ECDH(own.PublicKey()); err != nil {
			panic(err)
		}
	}
	return []primitive{{op, 1, do}}, nil
}

var errNoPrimitive = errors.New("no implementation is known")

// bitsOf is how long the factors of a term are.
func bitsOf(op ideal.Op) int {
	if op.Kind == ideal.Term128 {
		return 128
	}
	return 256
}

func primitivesSecp(op ideal.Op) ([]primitive, error) {
	size := max(op.Size, many)
	scalars, err := randomSecp(size, bitsOf(op))
	if err != nil {
		return nil, err
	}
	points := make([]vartime.Point, size)
	vartime.AddBaseMults(points, scalars) // 0 plus each
	var wire []byte
	for i := range points {
		wire = points[i].AppendWire(wire)
	}
	out := make([]byte, 0, len(wire))
	switch op.Kind {
	case ideal.Base:
		return []primitive{{op, many, func() { // secp256k1-voi
			out = out[:0]
			for _, s := range scalars {
				p := vartime.FromPoint(new(secp.Point).ScalarBaseMult(s))
				out = p.AppendWire(out)
			}
		}}, {op, many, func() { // our own
			out = out[:0]
			for _, p := range consttime.BaseMults(scalars) {
				out = p.AppendWire(out)
			}
		}}}, nil
	case ideal.Scalar:
		product := secp.NewScalar()
		return []primitive{{op, many, func() {
			for _, s := range scalars {
				product.Multiply(s, scalars[0])
			}
		}}}, nil
	case ideal.Decode:
		return []primitive{{op, many, func() { vartime.DecodeAll(wire) }}}, nil
	case ideal.Lift:
		return []primitive{{op, many, func() {
			for i := range many {
				vartime.LiftX((*[32]byte)(wire[64*i:]), false)
			}
		}}}, nil
	case ideal.Add:
		sums := append([]vartime.Point(nil), points[1:]...)
		return []primitive{{op, many - 1, func() { vartime.AddAll(sums, points[:many-1]) }}}, nil
	case ideal.PublicBase:
		sums := append([]vartime.Point(nil), points...)
		return []primitive{{op, many, func() { vartime.AddBaseMults(sums, scalars) }}}, nil
	case ideal.Term128, ideal.Term256:
		sum := func() { vartime.Affine(vartime.MultiScalarMult(scalars[:op.Size], points[:op.Size])) }
		return []primitive{{op, op.Size, sum}}, nil
	}
	return nil, fmt.Errorf("%s: %w", op, errNoPrimitive)
}

// randomSecp draws scalars of at most so many bits.
func randomSecp(count, bits int) ([]*secp.Scalar, error) {
	scalars := make([]*secp.Scalar, count)
	for i := range scalars {
		var b [32]byte
		if _, err := io.ReadFull(rand.Reader, b[32-bits/8:]); err != nil {
			return nil, err
		}
		scalars[i] = secp.NewScalar()
		scalars[i].SetBytes(&b)
	}
	return scalars, nil
}

func primitivesEd25519(op ideal.Op) ([]primitive, error) {
	size := max(op.Size, many)
	scalars, points := make([]*edwards25519.Scalar, size), make([]*edwards25519.Point, size)
	others, encoded := make([]*filippo.Scalar, size), make([][32]byte, size)
	for i := range scalars {
		var b [32]byte
		if _, err := rand.Read(b[:bitsOf(op)/8]); err != nil {
			return nil, err
		}
		var err error
		if scalars[i], err = scalar.NewFromBytesModOrder(b[:]); err != nil {
			return nil, err
		}
		canonical := edwards25519.EncodeScalar(scalars[i])
		if others[i], err = filippo.NewScalar().SetCanonicalBytes(canonical[:]); err != nil {
			return nil, err
		}
		points[i] = edwards25519.BaseMult(scalars[i])
		encoded[i] = edwards25519.Encode(points[i])
	}
	values, wire := make([]edwards25519.Scalar, many), make([]byte, 0, many*edwards25519.PointSize)
	for i := range values {
		values[i].Set(scalars[i])
		wire = append(wire, encoded[i][:]...)
	}
	affine, decoded := make([]edwards25519.Affine, many), make([]edwards25519.Point, many)
	each := func(do func(i int)) primitive {
		return primitive{op, many, func() {
			for i := range many {
				do(i)
			}
		}}
	}
	switch op.Kind {
	case ideal.Base:
		return []primitive{
			each(func(i int) { edwards25519.Encode(edwards25519.BaseMult(scalars[i])) }), // curve25519-voi
			each(func(i int) { new(filippo.Point).ScalarBaseMult(others[i]).Bytes() }),
			{op, many, func() { // in lanes, or curve25519-voi with one inversion
				edwards25519.BaseMults(affine, values)
				for i := range affine {
					affine[i].Encode()
				}
			}},
		}, nil
	case ideal.Scalar:
		product := scalar.New()
		return []primitive{each(func(i int) { product.Mul(scalars[i], scalars[0]) })}, nil
	case ideal.Decode:
		return []primitive{
			each(func(i int) { _, _ = edwards25519.DecodeDivided(encoded[i][:]) }),
			{op, many, func() { _, _ = edwards25519.DecodeDividedAll(decoded, wire) }},
		}, nil
	case ideal.Lift:
		return []primitive{
			each(func(i int) { _, _ = edwards25519.DecodeTrusted(encoded[i][:]) }),
			{op, many, func() { edwards25519.DecodeTrustedAll(decoded, wire) }},
		}, nil
	case ideal.Add:
		sum := edwards25519.BaseMult(scalars[0])
		return []primitive{each(func(i int) { sum.Add(sum, points[i]) })}, nil
	case ideal.Term128, ideal.Term256:
		sum := func() { edwards25519.MultiScalarMultVartime(scalars[:op.Size], points[:op.Size]) }
		found := []primitive{{op, op.Size, sum}}
		if sums := many / op.Size; sums > 1 { // or many sums together
			out, n := make([]edwards25519.Point, sums), sums*op.Size
			edwards25519.BaseMults(affine, values)
			found = append(found, primitive{op, n, func() {
				edwards25519.MultiScalarMultsVartime(out, values[:n], affine[:n])
			}})
		}
		return found, nil
	}
	return nil, fmt.Errorf("%s: %w", op, errNoPrimitive)
}

// TestIdeals: each operation of each work can be measured.
func TestIdeals(t *testing.T) {
	for work := range ideals {
		if micros, err := idealCost(work, 1, 0); err != nil || micros <= 0 {
			t.Errorf("%s: %g, %v", work, micros, err)
		}
	}
	if _, err := idealCost("nothing", 1, 0); err == nil {
		t.Error("a work that nobody knows has an ideal")
	}
}
