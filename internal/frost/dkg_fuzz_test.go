package frost

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// FuzzFinalize changes one deal at will: a byte somewhere, or a length. No
// change may panic, be accepted where it matters, or be blamed on another.
func FuzzFinalize(f *testing.F) {
	f.Add(uint8(0), uint8(1), uint8(0), uint16(3), uint8(1), int8(0))
	f.Add(uint8(1), uint8(2), uint8(1), uint16(31), uint8(0x80), int8(0))
	f.Add(uint8(0), uint8(0), uint8(2), uint16(70), uint8(4), int8(-3))
	f.Add(uint8(1), uint8(1), uint8(3), uint16(0), uint8(7), int8(5))
	f.Add(uint8(1), uint8(1), uint8(5), uint16(9), uint8(7), int8(0))
	honest := map[Suite]*fleet{}
	want := map[Suite]*Batch{}
	for _, suite := range suites {
		honest[suite] = newFleet(f, suite, 2, 3, 2)
		want[suite] = honest[suite].finalize(f, victim)
	}
	f.Fuzz(func(t *testing.T, which, dealer, field uint8, at uint16, xor uint8, grow int8) {
		fl := *honest[suites[which%2]]
		fl.deals = append([]*Deal(nil), fl.deals...)
		d := mutate(fl.deals[dealer%3], field%6, int(at), xor, int(grow))
		fl.deals[dealer%3] = d

		got, err := Finalize(fl.Params, victim, fl.hosts[victim], fl.deals)
		if err != nil {
			var blame *BlameError
			if !errors.As(err, &blame) || blame.Dealer != int(dealer%3) {
				t.Fatalf("a change to deal %d gives %v", dealer%3, err)
			}
			return
		}
		changed := xor != 0 || grow != 0 && field%6 != 0 // the ephemeral key has no other length
		if changed && field%6 < 4 {
			t.Fatalf("a change of field %d was accepted", field%6)
		}
		w := want[fl.Suite]
		if !bytes.Equal(got.Commitments, w.Commitments) || !bytes.Equal(got.Shares.Expose(), w.Shares.Expose()) {
			t.Fatal("a change that was accepted changes the result")
		}
	})
}

// mutate copies a deal and changes one field: ephemeral key, commitments,
// proofs, or the box for node 0, 1 or 2.
func mutate(d *Deal, field uint8, at int, xor uint8, grow int) *Deal {
	m := &Deal{Ephemeral: d.Ephemeral, Commitments: d.Commitments, Proofs: d.Proofs, Shares: slices.Clone(d.Shares)}
	change := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[at%len(b)] ^= xor
		if grow < 0 {
			return b[:max(0, len(b)+grow)]
		}
		return append(b, make([]byte, grow)...)
	}
	switch field {
	case 0:
		m.Ephemeral[at%32] ^= xor
	case 1:
		m.Commitments = change(m.Commitments)
	case 2:
		m.Proofs = change(m.Proofs)
	default:
		m.Shares[field-3] = change(m.Shares[field-3])
	}
	return m
}
