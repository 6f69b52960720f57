// Package floors draws the architecture: packages of the module, or files of
// one package, on floors. What uses nothing stands on floor 0, everything else
// one floor above the highest that it uses, so that every arrow points down.
//
// In a cycle not every arrow can. Its members are put into the order of Eades,
// Lin and Smyth, and then moved one by one as long as fewer arrows point against
// the order; those are the upward arrows, and are left out when floors are
// counted.
package floors

import (
	"maps"
	"slices"
)

// Graph says what each room uses.
type Graph map[string]map[string]bool

// Arrow points from a room to one that it uses.
type Arrow struct{ From, To string }

func (g Graph) add(from, to string) {
	for _, room := range []string{from, to} {
		if g[room] == nil {
			g[room] = map[string]bool{}
		}
	}
	if from != to {
		g[from][to] = true
	}
}

// Arrows lists all of them, in order.
func (g Graph) Arrows() (all []Arrow) {
	for _, from := range slices.Sorted(maps.Keys(g)) {
		for _, to := range slices.Sorted(maps.Keys(g[from])) {
			all = append(all, Arrow{from, to})
		}
	}
	return all
}

// Plan is a graph on floors.
type Plan struct {
	Floors [][]string // from the lowest
	Arrows int
	Upward []Arrow
}

// Plan puts the rooms on floors.
func (g Graph) Plan() Plan {
	p := Plan{Arrows: len(g.Arrows())}
	place := g.order()
	for _, a := range g.Arrows() {
		if place[a.From] < place[a.To] {
			p.Upward = append(p.Upward, a)
		}
	}
	floor := map[string]int{}
	for _, room := range slices.SortedFunc(maps.Keys(g), func(a, b string) int { return place[a] - place[b] }) {
		for used := range g[room] {
			if place[used] < place[room] {
				floor[room] = max(floor[room], floor[used]+1)
			}
		}
		for len(p.Floors) <= floor[room] {
			p.Floors = append(p.Floors, nil)
		}
		p.Floors[floor[room]] = append(p.Floors[floor[room]], room)
	}
	for _, rooms := range p.Floors {
		slices.Sort(rooms)
	}
	return p
}

// order numbers the rooms so that few arrows point from a lower number to a
// higher one, and none if there is no cycle: rooms that use nothing come first,
// rooms that nothing uses last; where there is neither, the room that is used
// much and uses little goes first.
func (g Graph) order() map[string]int {
	left := map[string]bool{}
	for room := range g {
		left[room] = true
	}
	var first, last []string
	for len(left) > 0 {
		uses, used := g.degrees(left)
		pick, front, best := "", true, -len(g)-1
		for _, room := range slices.Sorted(maps.Keys(left)) {
			switch {
			case uses[room] == 0:
				pick, front, best = room, true, len(g)+1
			case used[room] == 0 && best < len(g):
				pick, front, best = room, false, len(g)
			case used[room]-uses[room] > best:
				pick, front, best = room, true, used[room]-uses[room]
			}
			if best > len(g) {
				break
			}
		}
		delete(left, pick)
		if front {
			first = append(first, pick)
		} else {
			last = append(last, pick)
		}
	}
	slices.Reverse(last)
	return places(g.improve(append(first, last...)))
}

func places(rooms []string) map[string]int {
	place := map[string]int{}
	for i, room := range rooms {
		place[room] = i
	}
	return place
}

// improve moves one room at a time, as long as that leaves fewer arrows upward.
func (g Graph) improve(rooms []string) []string {
	for best, better := g.upward(rooms), true; better; {
		better = false
		for i := range rooms {
			for j := range rooms {
				moved := slices.Insert(slices.Delete(slices.Clone(rooms), i, i+1), j, rooms[i])
				if n := g.upward(moved); n < best {
					rooms, best, better = moved, n, true
				}
			}
		}
	}
	return rooms
}

func (g Graph) upward(rooms []string) (n int) {
	place := places(rooms)
	for from, uses := range g {
		for to := range uses {
			if place[from] < place[to] {
				n++
			}
		}
	}
	return n
}

func (g Graph) degrees(left map[string]bool) (uses, used map[string]int) {
	uses, used = map[string]int{}, map[string]int{}
	for from := range left {
		for to := range g[from] {
			if left[to] {
				uses[from]++
				used[to]++
			}
		}
	}
	return uses, used
}
