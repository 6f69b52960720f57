package frost

import (
	"fmt"
	"testing"
)

// One node's work a key, on one core: go test -bench 'Deal|Finalize' -cpu 1.

func BenchmarkDeal(b *testing.B) {
	benchmarkBatches(b, func(f *fleet) error {
		_, err := NewDeal(f.Params, 0, f.seeds[0])
		return err
	})
}

func BenchmarkFinalize(b *testing.B) {
	benchmarkBatches(b, func(f *fleet) error {
		_, err := Finalize(f.Params, 0, f.hosts[0], f.deals)
		return err
	})
}

func BenchmarkRecover(b *testing.B) {
	benchmarkBatches(b, func(f *fleet) error {
		_, err := Recover(f.Params, 0, f.hosts[0], f.deals)
		return err
	})
}

func BenchmarkSummarize(b *testing.B) {
	benchmarkBatches(b, func(f *fleet) error {
		_, err := Summarize(f.Params, f.deals)
		return err
	})
}

func benchmarkBatches(b *testing.B, work func(*fleet) error) {
	for _, suite := range suites {
		for _, size := range [][3]int{{2, 3, 1}, {2, 3, 1000}, {16, 24, 100}} {
			b.Run(fmt.Sprintf("%v/%dof%d/k=%d", suite, size[0], size[1], size[2]), func(b *testing.B) {
				f := newFleet(b, suite, size[0], size[1], size[2])
				b.ReportAllocs()
				for b.Loop() {
					if err := work(f); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*f.K), "ns/key")
			})
		}
	}
}

// BenchmarkKeygen is the mathematics of all nodes: CPU time an address.
func BenchmarkKeygen(b *testing.B) {
	for _, suite := range suites {
		for _, size := range [][3]int{{2, 3, 1000}, {16, 24, 100}, {16, 24, 385}} {
			b.Run(fmt.Sprintf("%v/%dof%d/k=%d", suite, size[0], size[1], size[2]), func(b *testing.B) {
				f := newFleet(b, suite, size[0], size[1], size[2])
				for b.Loop() { // one node does as much as any other
					if _, err := NewDeal(f.Params, 0, f.seeds[0]); err != nil {
						b.Fatal(err)
					}
					if _, err := Finalize(f.Params, 0, f.hosts[0], f.deals); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e3*float64(f.N)/float64(b.N*f.K), "ms/address")
			})
		}
	}
}
