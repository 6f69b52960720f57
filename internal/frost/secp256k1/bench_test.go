package secp256k1

import (
	"testing"

	secp "gitlab.com/yawning/secp256k1-voi"
)

func BenchmarkEncode(b *testing.B) {
	points := []*Point{secp.NewGeneratorPoint()}
	var wire []byte
	for b.Loop() {
		wire = EncodePoints(wire[:0], points)
	}
}
