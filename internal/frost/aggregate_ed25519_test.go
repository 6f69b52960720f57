package frost

import (
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/frost/oracle"
)

// A node of form 0 whose nonces are of mixed order, and who signs with them, makes signatures that
// whoever multiplies by the cofactor takes for valid, as batches do. crypto/ed25519 does not, and
// so nor does Aggregate.
func TestNoCofactorInFormZero(t *testing.T) {
	form = 0
	defer func() { form = FormDivided }()
	var items []Item
	var points, shares []byte
	for range 5 {
		it := newItems(t, Ed25519, 3, 1, 1)[0][0]
		d, err := scalar.New().SetRandom(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		mixed := edwards25519.BaseMult(d)
		mixed.Add(mixed, curve.EIGHT_TORSION[1])
		nonce := slices.Concat(encoding(mixed), encoding(edwards25519.BaseMult(scalar.NewFromUint64(77))))
		hiding, binding := edwards25519.EncodeScalar(d), edwards25519.EncodeScalar(scalar.NewFromUint64(77))
		s := &oracle.Session{
			N: 3, T: 1, Commitments: it.Key.VSSCommitment, Message: it.Message, Signers: []uint16{1}, Nonces: [][]byte{nonce},
		}
		share, err := s.Sign(1, it.Key.Share.Expose(), hiding[:], binding[:])
		if err != nil {
			t.Fatal(err)
		}
		sig, err := s.Aggregate([][]byte{share})
		if err != nil || !voi.Verify(it.Key.PublicKey, it.Message, sig) || ed25519.Verify(it.Key.PublicKey, it.Message, sig) {
			t.Fatalf("not a signature that depends on the cofactor: %v", err)
		}
		items, points, shares = append(items, it), append(points, nonce...), append(shares, share...)
	}
	sigs, blame, err := Aggregate(form, items, []NonceCommitment{{0, points}}, [][]byte{shares})
	if err != nil || len(blame) != len(items) {
		t.Fatalf("blame %v, %v", blame, err)
	}
	for i, b := range blame {
		if want := (Blame{0, i, reasonCommitmentPoint}); b != want || sigs[i].Bytes != nil {
			t.Errorf("item %d: %v, signature %x", i, b, sigs[i].Bytes)
		}
	}
}

func encoding(p *edwards25519.Point) []byte { b := edwards25519.Encode(p); return b[:] }
