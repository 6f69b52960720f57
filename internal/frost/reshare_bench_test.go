package frost

import (
	"errors"
	"fmt"
	"testing"
)

// One node's work a key beside what a key generation costs it, on one core:
// go test -bench 'Deal|Finalize|Reshare' -cpu 1.

func BenchmarkReshareDeal(b *testing.B) {
	benchmarkMoves(b, func(m *move) error {
		_, err := NewReshareDeal(m.ReshareParams, m.Dealers[0], m.from.shares[m.Dealers[0]], m.seeds[0])
		return err
	})
}

func BenchmarkReshareFinalize(b *testing.B) {
	benchmarkMoves(b, func(m *move) error {
		_, err := m.finalize(0)
		return err
	})
}

func BenchmarkReshareRecover(b *testing.B) {
	benchmarkMoves(b, func(m *move) error {
		_, err := m.recover(0)
		return err
	})
}

func BenchmarkReshareSummarize(b *testing.B) {
	benchmarkMoves(b, func(m *move) error {
		_, err := SummarizeReshare(m.ReshareParams, m.from.public.PublicKeys, m.deals)
		return err
	})
}

// BenchmarkReshareBlame is a liar's share found among all keys and dealers.
func BenchmarkReshareBlame(b *testing.B) {
	benchmarkMoves(b, func(m *move) error {
		last := m.from.shares[m.Dealers[m.OldT-1]].Expose()
		last[len(last)-10] ^= 1
		d, err := NewReshareDeal(m.ReshareParams, m.Dealers[m.OldT-1], m.from.shares[m.Dealers[m.OldT-1]], m.seeds[0])
		last[len(last)-10] ^= 1
		if err != nil {
			return err
		}
		honest := m.deals[m.OldT-1]
		m.deals[m.OldT-1] = d
		_, err = m.finalize(0)
		m.deals[m.OldT-1] = honest
		if blame := (*BlameError)(nil); !errors.As(err, &blame) || blame.Dealer != m.Dealers[m.OldT-1] {
			return fmt.Errorf("blame: %w", err)
		}
		return nil
	})
}

func benchmarkMoves(b *testing.B, work func(*move) error) {
	for _, suite := range suites {
		for _, size := range [][3]int{{2, 3, 1}, {2, 3, 1000}, {16, 24, 100}} {
			b.Run(fmt.Sprintf("%v/%dof%d/k=%d", suite, size[0], size[1], size[2]), func(b *testing.B) {
				from := founded(b, suite, size[0], size[1], size[2])
				m := newMove(b, from, upTo(size[0]), size[0], size[1])
				b.ReportAllocs()
				for b.Loop() {
					if err := work(m); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*m.K), "ns/key")
			})
		}
	}
}
