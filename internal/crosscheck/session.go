package crosscheck

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/oracle"
)

// byIndex returns the places of a set in the order of its nodes.
func byIndex(set []frost.NonceCommitment) []int {
	order := make([]int, len(set))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(set[a].Index, set[b].Index) })
	return order
}

// sessionOf copies the public data of item i, whose share stays where it is.
func sessionOf(form frost.Form, it frost.Item, set []frost.NonceCommitment, i int) oracle.Session {
	s := oracle.Session{
		N: it.Key.N, T: it.Key.T, Commitments: bytes.Clone(it.Key.VSSCommitment), Offsets: slices.Clone(it.Offsets),
		Message: bytes.Clone(it.Message), Divided: form >= frost.FormDivided,
	}
	size := form.NonceSize(frost.Ed25519)
	for _, j := range byIndex(set) {
		s.Signers = append(s.Signers, uint16(set[j].Index+1))
		s.Nonces = append(s.Nonces, bytes.Clone(set[j].Points[i*size:][:size]))
	}
	return s
}
