package secp256k1

import (
	"bytes"
	"testing"
)

func FuzzDecodeScalar(f *testing.F) {
	f.Add(new(Scalar).Negate(new(Scalar).One()).Bytes())
	f.Add(bytes.Repeat([]byte{0xff}, 32))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeScalar(b)
		if err == nil && !bytes.Equal(s.Bytes(), b) {
			t.Fatal("another encoding of the same scalar was accepted")
		}
	})
}
