package benchreport

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func newReport() *Report { return &Report{Progress: io.Discard, start: time.Now()} }

// TestTable: the table tells what is met and what is missed, of the goal and of
// the floor.
func TestTable(t *testing.T) {
	r := newReport()
	r.Record("a", 0.91249, "ratio", ">= 0.9")
	r.Record("b", 5, "ms", "<= 4")
	r.Record("b", 4, "ms", "<= 4")
	r.Record("c", 1, "calls", "")
	if missed := MissedGoals(r.Figures()); missed != nil {
		t.Errorf("missed: %v", missed)
	}
	r.Record("d", 400, "ms", "< 400")
	r.RecordFloor("e", 50, "a second", ">= 40", 100, 0.5)
	if missed := MissedGoals(r.Figures()); !slices.Equal(missed, []string{"d", "e"}) {
		t.Errorf("missed: %v", missed)
	}
	var table strings.Builder
	if err := Print(&table, r.Figures()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "a 0.912 ratio >= 0.9 met", "b": "b 4 ms <= 4 met", "c": "c 1 calls",
		"d": "d 400 ms < 400 MISSED", "e": "e 50 a second >= 40 met 100 0.5 MISSED",
	}
	for line := range strings.Lines(table.String()) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "name" {
			continue
		}
		if got := strings.Join(fields, " "); got != want[fields[0]] {
			t.Errorf("%q, want %q", got, want[fields[0]])
		}
		delete(want, fields[0])
	}
	if len(want) > 0 {
		t.Errorf("not in the table: %v", want)
	}
}

// TestSave: a second report replaces what it measured, by name, and leaves the
// rest, and the file says what it says in the words of the issue.
func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench", "result.json")
	first := newReport()
	first.Record("a", 1, "ms", ">= 0.9")
	first.RecordFloor("b", 2, "a second", "", 4, 0.5)
	second := newReport()
	second.Record("c", 3, "ms", "")
	second.Record("a", 0.5, "ms", ">= 0.9")
	for _, r := range []*Report{first, second} {
		if err := r.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"goal": ">= 0.9"`, `"floor_ratio": null`, `"floor_ratio": 0.5`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	figures, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range figures {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) || figures[0].Value != 0.5 || *figures[1].Floor != 4 {
		t.Errorf("read back %+v", figures)
	}
	if m := Missing(figures, []string{"a", "x"}); !slices.Equal(m, []string{"x"}) {
		t.Errorf("missing %v", m)
	}
}

// TestRead: no file is no figures, and a spoilt one is named.
func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	if figures, err := Read(path); figures != nil || err != nil {
		t.Errorf("%v, %v", figures, err)
	}
	if err := os.WriteFile(path, []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if err := newReport().Save(path); err == nil {
		t.Error("a spoilt file was overwritten")
	}
}

// TestMiddle: of an even number the median is between the two.
func TestMiddle(t *testing.T) {
	if m := Median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median %g", m)
	}
	if m := Median([]float64{3, 1, 2}); m != 2 {
		t.Errorf("median %g", m)
	}
	if p := Percentile([]time.Duration{5, 1, 4, 2, 3}, .5); p != 3 {
		t.Errorf("p50 %d", p)
	}
	if p := Percentile([]int{7, 9}, 1); p != 9 {
		t.Errorf("p100 %d", p)
	}
}
