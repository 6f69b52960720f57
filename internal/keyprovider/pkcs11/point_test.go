package pkcs11

import (
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"testing"
)

// TestHashToPoint holds the function against the definition, with another
// square root, and against values that must never change: nodes' shares
// depend on them.
func TestHashToPoint(t *testing.T) {
	p, _ := new(big.Int).SetString("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", 16)
	b, _ := new(big.Int).SetString("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b", 16)
	tries := map[uint32]int{}
	for i := range 300 {
		label := binary.BigEndian.AppendUint32([]byte("label"), uint32(i))
		got := hashToPoint(label)
		if _, err := ecdh.P256().NewPublicKey(got); err != nil {
			t.Fatalf("label %d: not on the curve: %v", i, err)
		}
		for counter := uint32(0); ; counter++ {
			h := sha256.New()
			h.Write([]byte(pointTag))
			h.Write(binary.BigEndian.AppendUint32(nil, counter))
			h.Write(label)
			x := new(big.Int).SetBytes(h.Sum(nil))
			if x.Cmp(p) >= 0 {
				continue
			}
			y := new(big.Int).Exp(x, big.NewInt(3), p)
			y.Sub(y, new(big.Int).Mul(big.NewInt(3), x)).Add(y, b).Mod(y, p)
			if y.ModSqrt(y, p) == nil {
				continue
			}
			if y.Bit(0) == 1 {
				y.Sub(p, y)
			}
			want := append([]byte{4}, append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)...)
			if hex.EncodeToString(got) != hex.EncodeToString(want) {
				t.Fatalf("label %d: %x, not %x", i, got, want)
			}
			tries[counter]++
			break
		}
	}
	if tries[0] < 100 || tries[0] > 200 || len(tries) < 4 {
		t.Fatalf("the numbers of tries look wrong: %v", tries)
	}
	for label, want := range map[string]string{
		"":                  "0497254d791c47893042142efaa259d7fcfb23d531ca23e1786c576133ea2277087bb6e20bf742ca84ab360579a8eabee41db5c74ff6eeff660b9aaa6066cee116",
		"frostfleet/vector": "04ae46a3550844d31ede9b38fb666ce39e04d98493a32bdab90cc987c2c704361dfbeb1b15e2931df8c45eb2f4f162e4725566f6c24e6f8ee1d0390e08a874be22",
	} {
		if got := hex.EncodeToString(hashToPoint([]byte(label))); got != want {
			t.Errorf("%q: the point changed: %s", label, got)
		}
	}
}
