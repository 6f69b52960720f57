package benchhsm_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/benchreport"
)

var results = benchreport.New()

// finish prints the table and writes the file; a goal missed on a fit machine is an error.
func finish(w io.Writer, path string) error {
	figures := results.Figures()
	errs := []error{benchreport.Print(w, figures)}
	if missed := benchreport.MissedGoals(figures); len(missed) > 0 {
		errs = append(errs, fmt.Errorf("goals missed: %s", strings.Join(missed, ", ")))
	}
	if path != "" {
		_ = os.Remove(path) // nothing of an earlier run stays; Save says what is wrong with the folder
		errs = append(errs, results.Save(path))
	}
	return errors.Join(errs...)
}

// requestSize is how many keys a fleet makes in a time, in thousands, that made so many in
// another.
func requestSize(count int, took, want time.Duration) int {
	return int(math.Ceil(float64(count)*want.Seconds()/took.Seconds()/bulkSize)) * bulkSize
}

// TestRequestSize: a request lasts as long on a fast machine as on a slow one.
func TestRequestSize(t *testing.T) {
	for _, c := range []struct {
		took, want time.Duration
		size       int
	}{{time.Second, 2 * time.Second, 10_000}, {time.Second, time.Second, 5000}, {3 * time.Second, 2 * time.Second, 4000}} {
		if got := requestSize(5000, c.took, c.want); got != c.size {
			t.Errorf("5000 keys took %s, in %s %d, want %d", c.took, c.want, got, c.size)
		}
	}
}

// percentile of durations, share from 0 to 1.
func percentile(d []time.Duration, share float64) time.Duration {
	return benchreport.Percentile(d, share)
}

func median(v []float64) float64 { return benchreport.Median(v) }

func ms(d time.Duration) float64 { return benchreport.Milliseconds(d) }
