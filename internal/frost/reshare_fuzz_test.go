package frost

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// FuzzFinalizeReshare changes one deal at will, as FuzzFinalize does. No change may
// panic, be accepted where it matters, or be blamed on another.
func FuzzFinalizeReshare(f *testing.F) {
	f.Add(uint8(0), uint8(1), uint8(0), uint16(3), uint8(1), int8(0))
	f.Add(uint8(1), uint8(2), uint8(1), uint16(31), uint8(0x80), int8(0))
	f.Add(uint8(0), uint8(0), uint8(2), uint16(70), uint8(4), int8(-3))
	f.Add(uint8(1), uint8(1), uint8(3), uint16(0), uint8(7), int8(5))
	f.Add(uint8(0), uint8(1), uint8(4), uint16(9), uint8(7), int8(0))
	honest := map[Suite]*move{}
	want := map[Suite]*Batch{}
	for _, suite := range suites {
		m := newMove(f, founded(f, suite, 2, 3, 2), []int{0, 2}, 3, 3)
		b, err := m.finalize(victim)
		if err != nil {
			f.Fatal(err)
		}
		honest[suite], want[suite] = m, b
	}
	f.Fuzz(func(t *testing.T, which, dealer, field uint8, at uint16, xor uint8, grow int8) {
		m, i := *honest[suites[which%2]], int(dealer%2)
		m.deals = slices.Clone(m.deals)
		changed := []uint8{0, 1, 3, 4, 5}[field%5] // no proofs
		d := mutate(withoutProofs(m.deals)[i], changed, int(at), xor, int(grow))
		m.deals[i] = &ReshareDeal{Ephemeral: d.Ephemeral, Commitments: d.Commitments, Shares: d.Shares}

		got, err := m.finalize(victim)
		if _, recoverErr := m.recover(victim); (recoverErr == nil) != (err == nil) {
			t.Fatalf("finalize: %v, recover: %v", err, recoverErr)
		}
		if err != nil {
			var blame *BlameError
			if !errors.As(err, &blame) || blame.Dealer != m.Dealers[i] {
				t.Fatalf("a change to the deal of node %d gives %v", m.Dealers[i], err)
			}
			return
		}
		if (xor != 0 || grow != 0 && changed != 0) && changed < 4 {
			t.Fatalf("a change of field %d was accepted", changed)
		}
		w := want[m.Suite]
		if !bytes.Equal(got.Commitments, w.Commitments) || !bytes.Equal(got.Shares.Expose(), w.Shares.Expose()) {
			t.Fatal("a change that was accepted changes the result")
		}
	})
}
