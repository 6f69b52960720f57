package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// buckets, in seconds, reach from a tenth of a millisecond to a minute.
var buckets = []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// jobBuckets, in seconds, are at most a third apart between 1.5 and 100 ms, so that
// a quantile is right within less than that, and end at the hour that a job may
// wait.
var jobBuckets = []float64{.0005, .001, .0015, .002, .0025, .003, .0035, .004, .005, .006, .007, .0085,
	.01, .0125, .015, .02, .025, .03, .04, .05, .065, .08,
	.1, .15, .2, .25, .3, .5, .75, 1, 1.5, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}

// powers are the buckets of counts: powers of two from 1 to where the largest
// count is in.
func powers(largest int) []float64 {
	all := []float64{1}
	for n := 2; n < 2*largest; n *= 2 {
		all = append(all, float64(n))
	}
	return all
}

// histogram has a native one, of buckets that grow by a tenth, beside the classic
// one: whoever scrapes takes the one that he knows.
func histogram(name, help string, classic []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: classic,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}
}

// seconds of a time that is taken between two clocks: never below zero.
func seconds(took time.Duration) float64 { return max(took, 0).Seconds() }
