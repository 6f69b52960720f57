package protocol

import (
	"cmp"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// excluded lists the nodes that sit the next attempt out, ascending. Where the others do not suffice, as many come back
// as it takes: those that are heard before those that are not, and of these that this job missed longest ago, or never,
// and whose time is up first.
func (t *traffic) excluded(m *wire.Manifest, j *activeSign) []uint8 {
	var out []uint8
	var late []int
	for i := range m.N {
		_, proven := j.bad[i]
		_, missing := j.missing[i]
		switch {
		case proven:
			out = append(out, uint8(i))
		case !j.everyone && (missing || t.nodes.out(i) || t.presence.out(i)):
			late = append(late, i)
		}
	}
	j.everyone = false
	slices.SortStableFunc(late, func(a, b int) int {
		heard := falseFirst(t.presence.out(a), t.presence.out(b))
		until := t.nodes.nodes[a].until.Compare(t.nodes.nodes[b].until)
		return cmp.Or(heard, cmp.Compare(j.missing[a], j.missing[b]), until)
	})
	for _, i := range late[max(m.T-(m.N-len(out)-len(late)), 0):] {
		out = append(out, uint8(i))
	}
	slices.Sort(out)
	return out
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
