package policy

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
)

// snapshot is a copy of what is to be stored.
type snapshot struct {
	state
	counters []copied
	seen     []seenState
}

type copied struct {
	counterKey
	counter
}

// snapshot copies the ledger: what takes longer is left to Encode.
func (l *Ledger) snapshot(clean bool) *snapshot {
	l.bound()
	s := &snapshot{
		state:    state{Version: stateVersion, Seq: l.saves.last, Clean: clean, Wall: l.last.Unix(), Time: l.time},
		counters: make([]copied, 0, len(l.counters)), seen: make([]seenState, 0, len(l.seen)),
	}
	for _, id := range slices.Sorted(maps.Keys(l.taken)) {
		s.Limits = append(s.Limits, limitState{ID: id, Per: l.limits[id].window.name, Block: l.taken[id]})
	}
	for _, e := range l.events {
		s.Events = append(s.Events, eventState{At: e.at, Why: e.why, Known: e.blocks != nil, Blocks: blocksOf(e.blocks)})
	}
	for key, n := range l.counters {
		if n.window.kept() {
			s.counters = append(s.counters, copied{key, *n})
		}
	}
	for key, m := range l.seen {
		s.seen = append(s.seen, seenState{Key: key, Index: m.index})
	}
	return s
}

// Encode gives the bytes to store. It takes a microsecond or two for each counter, and
// nothing of the ledger: another goroutine may do it.
func (s Save) Encode() []byte {
	of := s.taken.state
	at := map[string]uint{}
	for i, one := range of.Limits {
		at[one.ID] = uint(i)
	}
	copies := slices.SortedFunc(slices.Values(s.taken.counters), func(a, b copied) int {
		return cmp.Or(cmp.Compare(a.limit, b.limit), cmp.Compare(a.subject, b.subject))
	})
	for i := range copies {
		n := &copies[i]
		c := n.state(of.Time)
		if len(c.Steps) == 0 {
			continue
		}
		if _, ok := at[n.limit]; !ok { // of a limit that is no more
			at[n.limit] = uint(len(of.Limits))
			of.Limits = append(slices.Clip(of.Limits), limitState{ID: n.limit, Per: n.window.name})
		}
		c.Limit, c.Subject = at[n.limit], n.subject
		of.Counters = append(of.Counters, c)
	}
	of.Seen = slices.SortedFunc(slices.Values(s.taken.seen), func(a, b seenState) int { return cmp.Compare(a.Key, b.Key) })
	body := must(encoder.Marshal(of))
	sum := sha256.Sum256(body)
	return append(sum[:], body...)
}

func blocksOf(blocks map[string]uint64) (list []blockState) {
	for _, id := range slices.Sorted(maps.Keys(blocks)) {
		list = append(list, blockState{ID: id, Units: blocks[id]})
	}
	return list
}

// state has the steps that still count.
func (n *counter) state(now int64) (c counterState) {
	n.roll(now)
	c.Head = n.head
	for back := range len(n.steps) {
		if units := n.steps[n.index(n.head-int64(back))]; units > 0 {
			c.Steps = append(c.Steps, stepState{Back: uint(back), Units: units})
		}
	}
	return c
}
