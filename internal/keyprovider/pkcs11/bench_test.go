//go:build cgo

package pkcs11

import (
	"testing"

	"github.com/frostfleet/frostfleet/test/softhsm"
)

func BenchmarkSign(b *testing.B) {
	_, o := provisioned(b, softhsm.New(b), "node-0", "")
	p := mustOpen(b, o)
	for b.Loop() {
		if _, err := p.Sign(b.Context(), [32]byte{1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	for _, derivation := range []string{HMAC, ECDH} {
		b.Run(derivation, func(b *testing.B) {
			_, o := provisioned(b, softhsm.New(b), "node-0", derivation)
			p := mustOpen(b, o)
			for b.Loop() {
				if _, err := p.Derive(b.Context(), []byte("benchmark")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkProbe is what an idle worker costs the token.
func BenchmarkProbe(b *testing.B) {
	_, o := provisioned(b, softhsm.New(b), "node-0", "")
	p := mustOpen(b, o)
	for b.Loop() {
		if err := p.Probe(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
