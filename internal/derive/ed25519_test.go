package derive

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// The second implementation of section 10 of docs/protocol.md: math/big, the curve's
// equation, HMAC by its definition. It shares nothing with this package.
var (
	fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	groupOrder = bigOf("7237005577332262213973186563042994240857116359379907606001950938285454250989")
	curveD     = fraction(-121665, 121666)
	base       = bigPoint{
		bigOf("15112221349535400772501151409588531511454012693041857206046113283949847762202"), fraction(4, 5)}
)

func bigOf(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return n
}

func fraction(a, b int64) *big.Int {
	d := new(big.Int).ModInverse(big.NewInt(b), fieldPrime)
	return d.Mod(d.Mul(d, big.NewInt(a)), fieldPrime)
}

type bigPoint struct{ x, y *big.Int }

func (p bigPoint) add(q bigPoint) bigPoint {
	mul := func(ns ...*big.Int) *big.Int {
		r := big.NewInt(1)
		for _, n := range ns {
			r.Mod(r.Mul(r, n), fieldPrime)
		}
		return r
	}
	d := mul(curveD, p.x, q.x, p.y, q.y)
	over := func(a, b, den *big.Int) *big.Int {
		return mul(a.Add(a, b), den.ModInverse(den.Mod(den, fieldPrime), fieldPrime))
	}
	return bigPoint{
		over(mul(p.x, q.y), mul(q.x, p.y), new(big.Int).Add(big.NewInt(1), d)),
		over(mul(p.y, q.y), mul(p.x, q.x), new(big.Int).Sub(big.NewInt(1), d)),
	}
}

func (p bigPoint) times(k *big.Int) bigPoint {
	r := bigPoint{new(big.Int), big.NewInt(1)}
	for i := k.BitLen() - 1; i >= 0; i-- {
		if r = r.add(r); k.Bit(i) == 1 {
			r = r.add(p)
		}
	}
	return r
}

func (p bigPoint) encode() []byte {
	b := p.y.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	b[31] |= byte(p.x.Bit(0)) << 7
	return b
}

func hmac512(key []byte, parts ...[]byte) []byte {
	pad := func(x byte) []byte {
		block := make([]byte, 128)
		copy(block, key)
		for i := range block {
			block[i] ^= x
		}
		return block
	}
	inner := sha512.Sum512(slices.Concat(append([][]byte{pad(0x36)}, parts...)...))
	outer := sha512.Sum512(append(pad(0x5c), inner[:]...))
	return outer[:]
}

// derived is a key of the second implementation, the discrete logarithm included.
type derived struct {
	secret *big.Int
	chain  []byte
	offset []byte // of the last step
}

func (d derived) public() []byte { return base.times(d.secret).encode() }

func (d derived) child(index uint32) derived {
	data := slices.Concat(d.public(), binary.BigEndian.AppendUint32(nil, index))
	wide := hmac512(d.chain, []byte("frostfleet/ed25519-child/v1"), data)
	slices.Reverse(wide)
	t := new(big.Int).SetBytes(wide)
	t.Mod(t, groupOrder)
	offset := t.FillBytes(make([]byte, 32))
	slices.Reverse(offset)
	chain := hmac512(d.chain, []byte("frostfleet/ed25519-chaincode/v1"), data)[:32]
	return derived{t.Mod(t.Add(t, d.secret), groupOrder), chain, offset}
}

// secretRoot is the root of the vectors: the secret key is the number whose
// big-endian bytes are 1, 2, ... 30, and the chain code is 32, 33, ... 63.
func secretRoot() derived {
	b := make([]byte, 62)
	for i := range b {
		b[i] = byte(i + 1)
	}
	return derived{secret: new(big.Int).SetBytes(b[:30]), chain: append(b[31:62:62], 63)}
}

func edwardsRoot(t testing.TB) Key {
	t.Helper()
	r := secretRoot()
	return Key{frost.Ed25519, r.public(), [32]byte(r.chain)}
}

// vector is one of the vectors in docs/protocol.md.
var vector = regexp.MustCompile(`(?m)^path +([0-9/]*|\(root\))\nkey +([0-9a-f]{64})\nchain +([0-9a-f]{64})` +
	`(?:\noffset +([0-9a-f]{64}))?$`)

// Every vector of docs/protocol.md is what both implementations compute.
func TestVectorsOfTheSpecification(t *testing.T) {
	page, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := vector.FindAllStringSubmatch(string(page), -1)
	if len(rows) < 6 {
		t.Fatalf("found %d vectors", len(rows))
	}
	for _, row := range rows {
		t.Run(row[1], func(t *testing.T) {
			var path Path
			if row[1] != "(root)" {
				path = parsePath(t, row[1])
			}
			second := secretRoot()
			for _, index := range path {
				second = second.child(index)
			}
			line := []string{hex.EncodeToString(second.public()), hex.EncodeToString(second.chain),
				hex.EncodeToString(second.offset)}
			if !slices.Equal(line, row[2:]) {
				t.Errorf("the second implementation has\npath    %s\nkey     %s\nchain   %s\noffset  %s",
					row[1], line[0], line[1], line[2])
			}
			got, err := edwardsRoot(t).Child(path)
			if err != nil || !bytes.Equal(got.PublicKey, second.public()) || !bytes.Equal(got.ChainCode[:], second.chain) {
				t.Errorf("this package has %x, %v", got, err)
			}
			offsets, err := edwardsRoot(t).Offsets(path)
			if err != nil || len(offsets) != len(path) ||
				len(path) > 0 && !bytes.Equal(offsets[len(path)-1][:], second.offset) {
				t.Errorf("this package has offsets %x, %v", offsets, err)
			}
		})
	}
}

// The child at the identity: no hash gives it, so the offset is made up.
func TestIdentityIsNoChild(t *testing.T) {
	five := edwards25519.Encode(edwards25519.BaseMult(scalar.NewFromUint64(5)))
	point, err := edwards25519.DecodeAffine(five[:])
	if err != nil {
		t.Fatal(err)
	}
	n := edwardsNodeOf(point, [32]byte{})
	minusFive := scalar.New().Neg(scalar.NewFromUint64(5))
	if _, err := n.add(edwards25519.EncodeScalar(minusFive)); !errors.Is(err, ErrInvalidChild) {
		t.Error(err)
	}
	if p, err := n.add([32]byte{}); err != nil || p.Encode() != five {
		t.Errorf("offset 0: %v", err)
	}
}

// mixed adds a point of order 2, which is (0, -1), to a key.
func mixed(public []byte) []byte {
	p := secretRoot()
	if !bytes.Equal(p.public(), public) {
		panic("not the root of the vectors")
	}
	two := bigPoint{new(big.Int), new(big.Int).Sub(fieldPrime, big.NewInt(1))}
	return base.times(p.secret).add(two).encode()
}
