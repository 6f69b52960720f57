package benchhsm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// A figure is one thing that was measured.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal"` // as in ">= 0.9"; empty: it is only reported
}

// verdict is met, MISSED, or nothing where there is no goal.
func (f figure) verdict() string {
	if f.Goal == "" {
		return ""
	}
	var relation string
	var bound float64
	if _, err := fmt.Sscanf(f.Goal, "%s %g", &relation, &bound); err != nil {
		panic("goal " + f.Goal + ": " + err.Error())
	}
	met, known := map[string]bool{">=": f.Value >= bound, "<=": f.Value <= bound, "<": f.Value < bound}[relation]
	switch {
	case !known:
		panic("goal " + f.Goal)
	case met:
		return "met"
	}
	return "MISSED"
}

// report collects figures and tells how far the benchmark is.
type report struct {
	figures []figure
	start   time.Time
}

var results = report{start: time.Now()}

// record keeps a figure, in place of an earlier one of that name.
func (r *report) record(name string, value float64, unit, goal string) {
	f := figure{name, math.Round(value*1000) / 1000, unit, goal}
	r.say("%s = %g %s", f.Name, f.Value, f.Unit)
	at := slices.IndexFunc(r.figures, func(f figure) bool { return f.Name == name })
	if at < 0 {
		r.figures = append(r.figures, f)
		return
	}
	r.figures[at] = f
}

func (r *report) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%5.1fs  %s\n", time.Since(r.start).Seconds(), fmt.Sprintf(format, args...))
}

// finish prints the table and writes the file; a missed goal is an error.
func (r *report) finish(w io.Writer, path string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nname\tvalue\tunit\tgoal\t")
	var missed []string
	for _, f := range r.figures {
		fmt.Fprintf(table, "%s\t%g\t%s\t%s\t%s\n", f.Name, f.Value, f.Unit, f.Goal, f.verdict())
		if f.verdict() == "MISSED" {
			missed = append(missed, f.Name)
		}
	}
	var errs []error
	if len(missed) > 0 {
		errs = append(errs, fmt.Errorf("goals missed: %s", strings.Join(missed, ", ")))
	}
	errs = append(errs, table.Flush())
	if path != "" {
		errs = append(errs, r.write(path))
	}
	return errors.Join(errs...)
}

func (r *report) write(path string) error {
	text := new(bytes.Buffer)
	enc := json.NewEncoder(text)
	enc.SetEscapeHTML(false) // goals read >= 0.9
	enc.SetIndent("", "  ")
	if err := enc.Encode(r.figures); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

// percentile of durations, share from 0 to 1. It sorts them.
func percentile(d []time.Duration, share float64) time.Duration {
	slices.Sort(d)
	return d[int(math.Round(share*float64(len(d)-1)))]
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// TestReport: the table tells what is met, a missed goal is an error, and the
// file holds what the table shows.
func TestReport(t *testing.T) {
	r := report{start: time.Now()}
	r.record("a", 0.91249, "ratio", ">= 0.9")
	r.record("b", 5, "ms", "<= 4")
	r.record("b", 4, "ms", "<= 4")
	r.record("c", 1, "calls", "")
	var table strings.Builder
	path := filepath.Join(t.TempDir(), "bench", "hsm.json")
	if err := r.finish(&table, path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"goal": ">= 0.9"`) {
		t.Errorf("the file reads %s", text)
	}
	var figures []figure
	if err := json.Unmarshal(text, &figures); err != nil || !slices.Equal(figures, r.figures) || len(figures) != 3 || figures[0].Value != 0.912 {
		t.Errorf("%v, %v", figures, err)
	}
	r.record("d", 400, "ms", "< 400")
	if err := r.finish(&table, ""); err == nil || err.Error() != "goals missed: d" {
		t.Errorf("got %v", err)
	}
	if n := strings.Count(table.String(), "MISSED"); n != 1 {
		t.Errorf("%d goals are missed in %s", n, table.String())
	}
}

// TestMiddle: of an even number the median is between the two.
func TestMiddle(t *testing.T) {
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median %g", m)
	}
	if m := median([]float64{3, 1, 2}); m != 2 {
		t.Errorf("median %g", m)
	}
	if p := percentile([]time.Duration{5, 1, 4, 2, 3}, .5); p != 3 {
		t.Errorf("p50 %d", p)
	}
}
