package benchreport

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Percentile of at least one value, share from 0 to 1: the nearest of them.
func Percentile[T cmp.Ordered](values []T, share float64) T {
	s := slices.Sorted(slices.Values(values))
	return s[int(math.Round(share*float64(len(s)-1)))]
}

// Median of at least one value; of an even number it is between the two.
func Median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// Milliseconds of a duration.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
