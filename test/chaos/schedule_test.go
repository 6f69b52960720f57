package chaos

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDraw: a seed always gives the same schedule, another seed another, and no fault
// comes a second time before all others came.
func TestDraw(t *testing.T) {
	b := Bounds{Steps: 2 * len(faults), Min: time.Second, Max: 3 * time.Second}
	one := Draw(1, b)
	if Print(one) != Print(Draw(1, b)) {
		t.Error("a seed gives two schedules")
	}
	if Print(one) == Print(Draw(2, b)) {
		t.Error("two seeds give one schedule")
	}
	for half := range 2 {
		seen := map[string]bool{}
		for _, s := range one[half*len(faults):][:len(faults)] {
			f := faultNamed(s.Fault)
			if seen[s.Fault] || !slices.Contains(f.targets, s.Target) || s.Hold < b.Min || s.Hold > b.Max {
				t.Errorf("%s is drawn twice, or out of bounds", s)
			}
			seen[s.Fault] = true
		}
	}
}

// TestLongestGap: the time before the first signature and after the last one counts.
func TestLongestGap(t *testing.T) {
	start := time.Unix(0, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for name, tt := range map[string]struct {
		ends []time.Time
		gap  int
		end  int
	}{
		"none":                    {nil, 10, 10},
		"before the first":        {[]time.Time{at(6), at(7)}, 6, 6},
		"in between":              {[]time.Time{at(1), at(2), at(7), at(8)}, 5, 7},
		"after the last":          {[]time.Time{at(1), at(2)}, 8, 10},
		"open at the end":         {[]time.Time{at(1), at(2), at(14), at(40)}, 12, 14},
		"what came before is not": {[]time.Time{at(-5), at(4), at(8)}, 4, 4},
	} {
		gap, end := longestGap(tt.ends, at(0), at(10))
		if gap != time.Duration(tt.gap)*time.Second || !end.Equal(at(tt.end)) {
			t.Errorf("%s: %s until %s", name, gap, end)
		}
	}
}

// TestCrashes: what no program may say is found in its log, and nothing else is.
func TestCrashes(t *testing.T) {
	p := newProcess(t.TempDir(), "node0", "", nil, "true")
	log := "level=INFO msg=\"no panic: all is well\"\nWARNING: DATA RACE\npanic: index\nfatal error: out of memory\n"
	if err := os.WriteFile(p.log, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	if all := p.crashes(); len(all) != 3 || all[1] != "node0: panic: index" {
		t.Errorf("found %q", all)
	}
}

// TestFigures: what was not measured is in the table, and not in the file.
func TestFigures(t *testing.T) {
	s := scenarios[0]
	g := s.goals[0]
	all := []Figure{{g.name, g.most + 1, g.unit, g.String(), g.reached(g.most + 1)}}
	var table bytes.Buffer
	if err := WriteTable(&table, all); err != nil {
		t.Fatal(err)
	}
	goals := 0
	for _, s := range scenarios {
		goals += len(s.goals)
	}
	if n := strings.Count(table.String(), "not measured"); n != goals-1 || !strings.Contains(table.String(), "MISSED") {
		t.Errorf("%d of %d not measured:\n%s", n, goals, &table)
	}
	file := filepath.Join(t.TempDir(), "bench", "chaos.json")
	if err := WriteJSON(file, all); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var back []map[string]any
	if err := json.Unmarshal(text, &back); err != nil || len(back) != 1 || len(back[0]) != 4 || back[0]["name"] != g.name {
		t.Errorf("%v, %s", err, text)
	}
}
