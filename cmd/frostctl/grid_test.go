package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// grids are all tables, with the longest that stands in each column.
func grids() map[string]*grid {
	long := strings.Repeat("long ", 40)
	id, job := strings.Repeat("f", 32)+".4999", "0198c0de-7a10-7cc3-98c4-dc0c0c07398f"
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	freeze := wire.FreezeLine{ID: strings.Repeat("a", 64), Time: now, Scope: "key", Name: id, By: long, Reason: long}
	return map[string]*grid{
		"keys": keyGrid([]httpclient.Key{{ID: id, Chain: "bitcoin", Address: "bcrt1p" + strings.Repeat("q", 58),
			Label: long, Created: now}}),
		"jobs": jobGrid([]jobLine{{Time: now, Job: job, Kind: "keygen", Status: "unverified", Amount: 5000,
			Code: "register_incomplete", Error: long}}),
		"pending": pendingGrid([]pendingLine{{Client: long, Job: job, Kind: "transaction", Until: now,
			Approvals: []string{long, long}, Error: long}}),
		"freezes": freezeGrid([]wire.FreezeLine{freeze}),
		"nodes": nodeGrid(&httpclient.Fleet{Nodes: []httpclient.Node{{Name: "worker-127", Present: true, Since: now,
			Lag: 5999, Host: long, Version: long, Load: 1000, Backlog: 100000, Policy: strings.Repeat("a", 64), Generation: 100,
			Foreign: true, Twins: 9}}}),
	}
}

// TestTablesFit: on a terminal no line is wider than it; elsewhere nothing is cut, and a row is
// a line.
func TestTablesFit(t *testing.T) {
	for name, g := range grids() {
		for _, width := range []int{80, 100, 133, 200} {
			var out bytes.Buffer
			if err := g.write(&out, width); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if got := uniseg.StringWidth(strings.TrimSuffix(line, "\n")); got > width {
					t.Errorf("%s: a line of %d cells on %d: %s", name, got, width, line)
				}
			}
			if width == 80 && !strings.Contains(out.String(), "…") && name != "nodes" {
				t.Errorf("%s: nothing is cut, so that nothing is tested:\n%s", name, &out)
			}
		}
		var out bytes.Buffer
		if err := g.write(&out, 0); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "…") || strings.Count(out.String(), "\n") != 1+len(g.rows) {
			t.Errorf("%s: elsewhere:\n%s", name, &out)
		}
		for line := range strings.Lines(out.String()) {
			if strings.HasSuffix(line, " \n") && g.sentence == "" {
				t.Errorf("%s: spaces at the end of %q", name, line)
			}
		}
	}
}

func TestGrid(t *testing.T) {
	g := &grid{sentence: "WHY", columns: []column{{name: "ID", least: 5, middle: true}, {name: "NAME", least: 4},
		{name: "N"}}}
	g.add("", "0123456789", "a", "1")
	g.add("one two three", "x\x1b[2J\u202e", "語語語", "")
	for width, want := range map[int]string{
		0:  "ID          NAME    N  WHY\n0123456789  a       1\nx[2J        語語語  -  one two three\n",
		16: "ID      NAME   N\n012…89  a      1\nx[2J    語語…  -\n  one two three\n",
		12: "ID     NAME  N\n01…89  a     1\nx[2J   語…   -\n  one two\n  three\n",
	} {
		var out bytes.Buffer
		if err := g.write(&out, width); err != nil || out.String() != want {
			t.Errorf("on %d cells:\n%swant\n%s", width, &out, want)
		}
	}
	var out strings.Builder
	writeSentence(&out, "a word-that-is-longer-than-a-line b", 12)
	if want := "  a\n  word-that-\n  is-longer-\n  than-a-lin\n  e b\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// FuzzGrid: whatever stands in the cells, lines keep to the width, and no control character
// comes through.
func FuzzGrid(f *testing.F) {
	f.Add("0123456789", "語語\x1b[0m", "a sentence\nof two lines", 30)
	f.Fuzz(func(t *testing.T, a, b, sentence string, width int) {
		width = 20 + (width%100+100)%100
		g := &grid{sentence: "WHY", columns: []column{{name: "A", least: 6, middle: true}, {name: "B", least: 6}}}
		g.add(sentence, a, b)
		var out bytes.Buffer
		if err := g.write(&out, width); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); uniseg.StringWidth(line) > width || line != harmless(line) {
				t.Errorf("%q on %d cells", line, width)
			}
		}
	})
}
