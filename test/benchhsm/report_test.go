package benchhsm_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/test/benchreport"
)

var results = benchreport.New()

// finish prints the table and writes the file; a missed goal is an error.
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

// percentile of durations, share from 0 to 1.
func percentile(d []time.Duration, share float64) time.Duration {
	return benchreport.Percentile(d, share)
}

func median(v []float64) float64 { return benchreport.Median(v) }

func ms(d time.Duration) float64 { return benchreport.Milliseconds(d) }
