package protocol

import (
	"slices"
	"time"
)

// recent is what the latest jobs took: as they came, and in order.
type recent struct{ came, sorted []time.Duration }

// add returns what most of them took.
func (r *recent) add(took time.Duration, most int) time.Duration {
	r.came = append(r.came, took)
	i, _ := slices.BinarySearch(r.sorted, took)
	r.sorted = slices.Insert(r.sorted, i, took)
	for len(r.came) > most {
		i, _ := slices.BinarySearch(r.sorted, r.came[0])
		r.came, r.sorted = r.came[1:], slices.Delete(r.sorted, i, i+1)
	}
	return r.sorted[len(r.sorted)/2]
}

// quarter is what three quarters of them took at least; zero if there are none.
func (r *recent) quarter() time.Duration {
	if len(r.sorted) == 0 {
		return 0
	}
	return r.sorted[len(r.sorted)/4]
}

// median, and no mean: what devices far away take varies by more than the window may
// bear, and in a look some jobs have company. Like is compared with like.
func median(all []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}
