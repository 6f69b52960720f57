package protocol

import (
	"cmp"
	"slices"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// trouble is what a sign job has met at the nodes of one manifest.
type trouble struct {
	bad      map[int]string          // nodes proven faulty: out for this job
	missing  map[int]int             // nodes that held an attempt up, and which the last one was: out until they answer it
	known    map[int]bool            // nodes that ever did, so that it is no news
	denied   map[int]*wire.Complaint // nodes that refused for what will not pass
	everyone bool                    // but those proven faulty take part in the next attempt
}

func newTrouble(revoked []int) *trouble {
	t := &trouble{bad: map[int]string{}, missing: map[int]int{}, known: map[int]bool{}, denied: map[int]*wire.Complaint{}}
	t.leaveOut(revoked)
	return t
}

// leaveOut keeps nodes out of all later attempts.
func (t *trouble) leaveOut(revoked []int) {
	for _, node := range revoked {
		t.bad[node] = "revoked in the access list"
	}
}

// excluded lists the nodes that sit the next attempt out, ascending. Where the others do not suffice, as many come back
// as it takes: those that are heard before those that are not, and of these that this job missed longest ago, or never,
// and whose time is up first.
func (v *view) excluded(t *trouble) []uint8 {
	n, threshold := v.manifest.N, v.manifest.T
	var out []uint8
	var late []int
	for i := range n {
		_, proven := t.bad[i]
		_, missing := t.missing[i]
		switch {
		case proven:
			out = append(out, uint8(i))
		case !t.everyone && (missing || v.nodes.out(i) || v.presence.out(i)):
			late = append(late, i)
		}
	}
	t.everyone = false
	slices.SortStableFunc(late, func(a, b int) int {
		heard := falseFirst(v.presence.out(a), v.presence.out(b))
		until := v.nodes.nodes[a].until.Compare(v.nodes.nodes[b].until)
		return cmp.Or(heard, cmp.Compare(t.missing[a], t.missing[b]), until)
	})
	for _, i := range late[max(threshold-(n-len(out)-len(late)), 0):] {
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
