package bitcoin

import (
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// manyInputs spends children of a wallet, each at its own index.
func manyInputs(w wallet, count int) *draft {
	d := newDraft()
	for i := range count {
		d.spend(w, derive.Path{0, uint32(i)}, 10_000)
	}
	d.pay(payee(), int64(count)*9_000)
	d.change(w, derive.Path{1, 0}, int64(count)*900)
	return d
}

func perInput(b *testing.B, count int) {
	b.ReportMetric(float64(b.N*count)/b.Elapsed().Seconds(), "inputs/s")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*count), "µs/input")
}

// BenchmarkReadPSBT is what a node pays for an input before it signs: parsing, finding it
// under the root, and its digest.
func BenchmarkReadPSBT(b *testing.B) {
	w := newWallet("treasury")
	for _, count := range []int{1, 10, 100, 1000} {
		raw := manyInputs(w, count).bytes(b)
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			branches := derive.NewCache(10)
			b.ReportAllocs()
			for b.Loop() {
				if _, refusal := ReadPSBT(raw, []intent.Root{w.root}, false, "regtest", branches); refusal != nil {
					b.Fatal(refusal)
				}
			}
			perInput(b, count)
		})
	}
}

// BenchmarkFinish is what a gateway pays for an input once it is signed.
func BenchmarkFinish(b *testing.B) {
	const count = 1000
	w := newWallet("treasury")
	r := read(b, manyInputs(w, count).bytes(b), w)
	signatures := make([][]byte, count)
	for i := range signatures {
		signatures[i] = make([]byte, 64)
	}
	for b.Loop() {
		if _, _, err := r.Finish(signatures, true); err != nil {
			b.Fatal(err)
		}
	}
	perInput(b, count)
}

func BenchmarkInputs(b *testing.B) {
	raw := manyInputs(newWallet("treasury"), 1000).bytes(b)
	for b.Loop() {
		if n, err := Inputs(raw); n != 1000 || err != nil {
			b.Fatal(n, err)
		}
	}
}
