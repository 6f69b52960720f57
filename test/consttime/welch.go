package main

import (
	"math"
	"slices"
)

// threshold is the |t| from which on two classes of times differ: by chance alone one
// comparison in 150,000 does.
const threshold = 4.5

// crops are the shares of all times, from the shortest on, that are compared: interrupts and
// other programs make the longest ones, which hide small differences.
var crops = []float64{0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1}

// leakage is the largest |t| of the times of two classes, in nanoseconds, over all crops.
// Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?", 2017.
func leakage(times [2][]float64) float64 {
	all := slices.Sorted(slices.Values(slices.Concat(times[0], times[1])))
	largest := 0.0
	for _, share := range crops {
		limit := all[int(share*float64(len(all)-1))]
		var m [2]moments
		for class := range times {
			for _, x := range times[class] {
				if x <= limit {
					m[class].add(x)
				}
			}
		}
		largest = max(largest, math.Abs(welch(&m[0], &m[1])))
	}
	return largest
}

// moments are number, mean and the sum of squared differences from it (Welford's method).
type moments struct{ n, mean, squares float64 }

func (m *moments) add(x float64) {
	m.n++
	d := x - m.mean
	m.mean += d / m.n
	m.squares += d * (x - m.mean)
}

// welch is t of Welch's test, or 0 if there is too little to compare.
func welch(a, b *moments) float64 {
	if a.n < 2 || b.n < 2 {
		return 0
	}
	variance := a.squares/(a.n-1)/a.n + b.squares/(b.n-1)/b.n
	if variance == 0 && a.mean == b.mean {
		return 0
	}
	return (a.mean - b.mean) / math.Sqrt(variance)
}
