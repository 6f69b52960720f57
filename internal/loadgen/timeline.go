package loadgen

import (
	"math"
	"slices"
	"time"
)

const (
	maxSlots     = 120 // of a timeline: when it is full, the slots double in length
	shortestSlot = time.Second
)

// timeline counts items by when they came.
type timeline struct {
	slot  time.Duration
	items []int
}

// newTimeline has slots that suit a load of this length; short ones if it is
// not known (0).
func newTimeline(length time.Duration) timeline {
	return timeline{slot: max(shortestSlot, (length / maxSlots).Truncate(shortestSlot))}
}

func (t *timeline) add(at time.Duration, items int) {
	for at >= maxSlots*t.slot {
		t.double()
	}
	i := int(at / t.slot)
	for len(t.items) <= i {
		t.items = append(t.items, 0)
	}
	t.items[i] += items
}

func (t *timeline) double() {
	half := make([]int, (len(t.items)+1)/2, maxSlots)
	for i, n := range t.items {
		half[i/2] += n
	}
	t.slot, t.items = 2*t.slot, half
}

// throughput is what came, slot by slot, until a load ended. The last slot is
// as long as it lasted; less than half a slot counts into the one before.
func (t *timeline) throughput(ended time.Duration) []Point {
	items := slices.Clone(t.items)
	last := len(items) - 1
	if last > 0 && ended-time.Duration(last)*t.slot < t.slot/2 {
		items[last-1] += items[last]
		items = items[:last]
		last--
	}
	var points []Point
	for i, n := range items {
		from, to := time.Duration(i)*t.slot, time.Duration(i+1)*t.slot
		if i == last {
			to = ended
		}
		if length := (to - from).Seconds(); length > 0 {
			perSecond := math.Round(float64(n)/length*1e6) / 1e6
			points = append(points, Point{round(from.Seconds()), round(to.Seconds()), perSecond})
		}
	}
	return points
}
