package derive

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
)

// perKey reports what one of count keys costs.
func perKey(b *testing.B, count int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*count), "µs/key")
}

func BenchmarkOutputKeys(b *testing.B) {
	for _, count := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			branch, err := NewBranch(roots(b)[0], Path{0})
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for i := range b.N {
				if _, err := branch.OutputKeys(uint32(i*count), count); err != nil {
					b.Fatal(err)
				}
			}
			perKey(b, count)
		})
	}
}

// BenchmarkHdkeychain does the same with btcutil and btcd, the parent derived.
func BenchmarkHdkeychain(b *testing.B) {
	root := roots(b)[0]
	k := hdkeychain.NewExtendedKey(chaincfg.MainNetParams.HDPublicKeyID[:], root.PublicKey, root.ChainCode[:],
		make([]byte, 4), 0, 0, false)
	k, err := k.Derive(0)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		child, err := k.Derive(uint32(i))
		if err != nil {
			b.Fatal(err)
		}
		public, err := child.ECPubKey()
		if err != nil {
			b.Fatal(err)
		}
		schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(public))
	}
	perKey(b, 1)
}

func BenchmarkPublicKeys(b *testing.B) {
	for _, root := range roots(b) {
		for _, count := range []int{1, 1000} {
			b.Run(fmt.Sprintf("%s/%d", root.Suite, count), func(b *testing.B) {
				branch, err := NewBranch(root, Path{0})
				if err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				for i := range b.N {
					if _, err := branch.PublicKeys(uint32(i*count), count); err != nil {
						b.Fatal(err)
					}
				}
				perKey(b, count)
			})
		}
	}
}

// BenchmarkOffsets is what a signer pays beside the signature: from the root, from the
// parent, and from a cache that has it.
func BenchmarkOffsets(b *testing.B) {
	for _, root := range roots(b) {
		branch, err := NewBranch(root, Path{0})
		if err != nil {
			b.Fatal(err)
		}
		cache := NewCache(1)
		for name, f := range map[string]func(i uint32) error{
			"root":   func(i uint32) error { _, err := root.Offsets(Path{0, i}); return err },
			"cached": func(i uint32) error { _, err := cache.Offsets(root, Path{0, i}); return err },
			"parent": func(i uint32) error { _, err := branch.Offsets(i); return err },
		} {
			b.Run(root.Suite.String()+"/"+name, func(b *testing.B) {
				for i := range b.N {
					if err := f(uint32(i) & MaxIndex); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
