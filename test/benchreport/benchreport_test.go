package benchreport

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/fitness"
)

func newReport() *Report { return &Report{Progress: io.Discard, start: time.Now()} }

// TestTable: the table tells what is met and what is missed, and no share of an ideal is
// a goal.
func TestTable(t *testing.T) {
	r := newReport()
	r.Record("a", 0.91249, "ratio", ">= 0.9")
	r.Record("b", 5, "ms", "<= 4")
	r.Record("b", 4, "ms", "<= 4")
	r.Record("c", 1, "calls", "")
	r.RecordIdeal("e", 50, "a second", ">= 40", 100, 0.5)
	if missed := MissedGoals(r.Figures()); missed != nil {
		t.Errorf("missed: %v", missed)
	}
	r.Record("d", 400, "ms", "< 400")
	r.RecordText("commit", "abc-dirty")
	r.Fail("f", "no cargo")
	if missed := MissedGoals(r.Figures()); !slices.Equal(missed, []string{"d"}) {
		t.Errorf("missed: %v", missed)
	}
	var table strings.Builder
	if err := Print(&table, r.Figures()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "a 0.912 ratio >= 0.9 met", "b": "b 4 ms <= 4 met", "c": "c 1 calls",
		"d": "d 400 ms < 400 MISSED", "e": "e 50 a second >= 40 met 100 0.5",
		"commit": "commit abc-dirty", "f": "f not measured",
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

// TestUnfit: a goal that was missed while the machine was unfit is not missed, and one that
// was met is met.
func TestUnfit(t *testing.T) {
	busy, idle := &fitness.State{Unfit: "steal 7 %"}, &fitness.State{}
	for _, c := range []struct {
		value   float64
		machine *fitness.State
		want    string
	}{
		{3, busy, Met}, {3, idle, Met}, {3, nil, Met},
		{5, busy, "UNFIT (steal 7 %)"}, {5, idle, Missed}, {5, nil, Missed},
	} {
		f := Figure{Name: "a", Value: c.value, Goal: "<= 4", Machine: c.machine}
		if got := f.Verdict(); got != c.want {
			t.Errorf("%g on %+v: %q, want %q", c.value, c.machine, got, c.want)
		}
		if missed := MissedGoals([]Figure{f}) != nil; missed != (c.want == Missed) {
			t.Errorf("%q is missed: %v", c.want, missed)
		}
		if names := UnfitGoals([]Figure{f}) != nil; names != strings.HasPrefix(c.want, "UNFIT") {
			t.Errorf("%q is unfit: %v", c.want, names)
		}
	}
}

// TestScale: goals of speed are for a machine whose bytemare/dkg key takes 68 ms. On one
// that is half as fast, throughputs halve and times double, but not those of the disk.
func TestScale(t *testing.T) {
	r := newReport()
	r.RecordSpeed("rate", 3100, "a second", ">= 6000")
	r.RecordSpeed("time", 13, "ms", "<= 7")
	r.RecordSpeed("two syncs", 8, "ms", "<= 3 + 2 syncs")
	r.Record("ratio", 0.9, "ratio", "<= 0.8")
	verdicts := func() string {
		var all []string
		for _, f := range r.Figures() {
			if f.Goal != "" {
				all = append(all, f.GoalHere, f.Verdict())
			}
		}
		return strings.Join(all, ",")
	}
	if got := verdicts(); got != ",MISSED,,MISSED,,not judged,,MISSED" {
		t.Errorf("without a scale: %s", got)
	}
	r.Record(KeyName, 136, "ms", "")
	if got := verdicts(); got != ">= 3000,met,<= 14,met,,not judged,,MISSED" {
		t.Errorf("without a sync: %s", got)
	}
	r.Record(SyncName, 1.5, "ms", "")
	if got := verdicts(); got != ">= 3000,met,<= 14,met,<= 9,met,,MISSED" {
		t.Errorf("half as fast: %s", got)
	}
	r.Fail(KeyName, "it does not build")
	if got := verdicts(); !strings.HasPrefix(got, ",MISSED,") {
		t.Errorf("after a failure: %s", got)
	}
}

// TestSave: a second report replaces what it measured, by name, and leaves the
// rest, and the file says what it says in the words of the issue.
func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench", "result.json")
	first := newReport()
	first.Record("a", 1, "ms", ">= 0.9")
	first.RecordIdeal("b", 2, "a second", "", 4, 0.5)
	first.RecordText("commit", "abc")
	second := newReport()
	second.Record("c", 3, "ms", "")
	second.Record("a", 0.5, "ms", ">= 0.9")
	second.Fail("d", "no cargo")
	second.keepMachine("machine_before", fitness.State{Steal: 3, Unfit: "steal 3 %"})
	for _, r := range []*Report{first, second} {
		if err := r.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"goal": ">= 0.9"`, `"floor_ratio": null`, `"floor_ratio": 0.5`, `"value": "abc"`, `"value": null`,
		`"error": "no cargo"`, `"value": "UNFIT"`, `"steal_percent": 3`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Count(string(text), `"value"`) != 6 || strings.Count(string(text), `"name"`) != 6 {
		t.Errorf("members twice: %s", text)
	}
	figures, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range figures {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"a", "b", "commit", "c", "d", "machine_before"}) ||
		figures[0].Value != 0.5 || *figures[1].Floor != 4 || figures[2].Text != "abc" || figures[5].Machine.Steal != 3 {
		t.Errorf("read back %+v", figures)
	}
	if m := Missing(figures, []string{"a", "x"}); !slices.Equal(m, []string{"x", "d"}) {
		t.Errorf("missing %v", m)
	}
}

// TestWatch: a figure says what the machine was like, and the list what it was like before
// and after.
func TestWatch(t *testing.T) {
	r := newReport()
	end, err := r.Watch("test", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.Record("a", 1, "ms", "")
	end()
	r.Record("b", 1, "ms", "")
	var names []string
	for _, f := range r.Figures() {
		names = append(names, f.Name)
		if (f.Machine != nil) != (f.Name != "b") {
			t.Errorf("%s: machine %v", f.Name, f.Machine)
		}
	}
	if !slices.Equal(names, []string{"machine_before_test", "a", "machine_after_test", "b"}) {
		t.Errorf("figures: %v", names)
	}
}

// TestCommit: the tests run out of a repository, or of a copy without one, which is no
// commit.
func TestCommit(t *testing.T) {
	if c := Commit(); !regexp.MustCompile(`^[0-9a-f]{40,64}(-dirty)?$|^unknown: `).MatchString(c) {
		t.Errorf("commit %q", c)
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
