package bip445

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/consttime"
	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// SecNonce holds a secret nonce pair and hands it out once. It must not be
// copied (go vet reports copies); it prints as "[secret]".
type SecNonce struct {
	pair atomic.Pointer[noncePair]
}

// noncePair is two scalars other than zero.
type noncePair [2]Scalar

func (p *noncePair) wipe() {
	p[0].Zero()
	p[1].Zero()
}

// Format implements fmt.Formatter for every verb.
func (*SecNonce) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// Wipe makes the nonce unusable.
func (n *SecNonce) Wipe() {
	if p := n.pair.Swap(nil); p != nil {
		p.wipe()
	}
}

// NonceInput is what a nonce may be bound to, beside the randomness. All of it is
// optional, and nil means absent; an empty message is a message. It keeps nonces
// apart even if the randomness is bad.
type NonceInput struct {
	SecretShare  []byte // 32
	Pubshare     []byte // 33
	ThresholdKey []byte // 32, x-only, tweaked
	Message      []byte
	Extra        []byte
}

func (in *NonceInput) validate() error {
	for _, f := range []struct {
		b    []byte
		size int
	}{{in.SecretShare, 32}, {in.Pubshare, PointSize}, {in.ThresholdKey, 32}} {
		if f.b != nil && len(f.b) != f.size {
			return BadInputLength
		}
	}
	return nil
}

// NonceGen draws 32 bytes from rand, which must be a cryptographic source, and
// returns a secret nonce and its public nonce. BIP 445, NonceGen.
func NonceGen(rand io.Reader, in NonceInput) (*SecNonce, *PubNonce, error) {
	sec, pub, err := NonceGenAll(rand, []NonceInput{in})
	if err != nil {
		return nil, nil, err
	}
	return sec[0], pub[0], nil
}

// NonceGenAll is [NonceGen] for each of the inputs, in their order, which costs less for many.
func NonceGenAll(rand io.Reader, inputs []NonceInput) (secs []*SecNonce, pubs []*PubNonce, err error) {
	pairs := make([]*noncePair, len(inputs))
	scalars := make([]*Scalar, 0, 2*len(inputs))
	defer func() {
		if err != nil {
			for _, s := range scalars {
				s.Zero()
			}
		}
	}()
	for i := range inputs {
		pairs[i] = new(noncePair)
		scalars = append(scalars, &pairs[i][0], &pairs[i][1])
		if err := pairs[i].draw(rand, &inputs[i]); err != nil {
			return nil, nil, err
		}
	}
	points := consttime.BaseMults(scalars)
	for i, pair := range pairs {
		pub := &PubNonce{[2]vartime.Point(points[2*i:])}
		if pub.r[0].IsIdentity() || pub.r[1].IsIdentity() {
			return nil, nil, errors.New("drawing a nonce: it is zero, which a working hash function never produces")
		}
		sec := new(SecNonce)
		sec.pair.Store(pair)
		secs, pubs = append(secs, sec), append(pubs, pub)
	}
	return secs, pubs, nil
}

// draw sets the pair to what 32 bytes of rand and the input are hashed to.
func (p *noncePair) draw(rand io.Reader, in *NonceInput) error {
	if err := in.validate(); err != nil {
		return err
	}
	var random [32]byte
	defer clear(random[:])
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return fmt.Errorf("drawing a nonce: %w", err)
	}
	seed := random
	defer clear(seed[:])
	if in.SecretShare != nil {
		mask := auxTag.Hash(random[:])
		subtle.XORBytes(seed[:], in.SecretShare, mask[:])
		clear(mask[:])
	}
	message := []byte{0}
	if in.Message != nil {
		message = binary.BigEndian.AppendUint64([]byte{1}, uint64(len(in.Message)))
	}
	extraLen := binary.BigEndian.AppendUint32(nil, uint32(len(in.Extra)))
	for j := range p {
		h := nonceTag.Hash(seed[:],
			[]byte{byte(len(in.Pubshare))}, in.Pubshare,
			[]byte{byte(len(in.ThresholdKey))}, in.ThresholdKey,
			message, in.Message, extraLen, in.Extra, []byte{byte(j)})
		p[j].SetBytes(&h)
		clear(h[:])
	}
	return nil
}

// PubNonce is a signer's public nonce, two points.
type PubNonce struct{ r [2]vartime.Point }

// PubNonceFromWire reads two wire points, 128 bytes.
func PubNonceFromWire(b []byte) (*PubNonce, bool) {
	if len(b) != 2*vartime.PointSize {
		return nil, false
	}
	n := new(PubNonce)
	for j := range n.r {
		r, ok := vartime.Decode(b[j*vartime.PointSize:][:vartime.PointSize])
		if !ok {
			return nil, false
		}
		n.r[j] = r
	}
	return n, true
}

// AppendWire appends the nonce as two wire points, 128 bytes.
func (n *PubNonce) AppendWire(dst []byte) []byte {
	return n.r[1].AppendWire(n.r[0].AppendWire(dst))
}

// AggNonce is the sum of public nonces. Its points may be the identity.
type AggNonce struct {
	r     [2]vartime.Point
	bytes [PubNonceSize]byte
}

// AggregateAll sums the public nonces of each of several sessions.
func AggregateAll(nonces [][]*PubNonce) []*AggNonce {
	sums := make([]vartime.Jacobian, 2*len(nonces))
	for i := range nonces {
		for _, n := range nonces[i] {
			sums[2*i].AddPoint(&n.r[0])
			sums[2*i+1].AddPoint(&n.r[1])
		}
	}
	points := vartime.Affine(sums...)
	out := make([]*AggNonce, len(nonces))
	for i := range out {
		a := &AggNonce{r: [2]vartime.Point(points[2*i:])}
		for j := range a.r {
			if !a.r[j].IsIdentity() { // which stays zeros
				a.r[j].AppendCompressed(a.bytes[j*PointSize : j*PointSize])
			}
		}
		out[i] = a
	}
	return out
}
