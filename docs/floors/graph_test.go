package floors

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func graph(arrows ...string) Graph {
	g := Graph{}
	for _, a := range arrows {
		from, to, _ := strings.Cut(a, " ")
		g.add(from, to)
	}
	return g
}

func TestPlan(t *testing.T) {
	for name, test := range map[string]struct {
		graph  Graph
		floors []string
		upward []Arrow
	}{
		"a chain":         {graph("c b", "b a", "c a"), []string{"a", "b", "c"}, nil},
		"side by side":    {graph("x a", "y a", "z x", "b b"), []string{"a b", "x y", "z"}, nil},
		"a circle of two": {graph("a b", "b a"), []string{"a", "b"}, []Arrow{{"a", "b"}}},
		"one arrow up": {graph("b a", "c a", "c b", "d c", "d b", "a d", "e d"),
			[]string{"a", "b", "c", "d", "e"}, []Arrow{{"a", "d"}}},
		"nothing": {graph(), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := test.graph.Plan()
			var have []string
			for _, rooms := range p.Floors {
				have = append(have, strings.Join(rooms, " "))
			}
			if !slices.Equal(have, test.floors) || !slices.Equal(p.Upward, test.upward) {
				t.Errorf("floors %q, upward %v; want %q, %v", have, p.Upward, test.floors, test.upward)
			}
			if p.Arrows != len(test.graph.Arrows()) {
				t.Errorf("%d arrows", p.Arrows)
			}
		})
	}
}

// TestRooms: uses of functions, methods and fields count, those within a file
// and of other packages do not.
func TestRooms(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.org/x\n\ngo 1.26\n",
		"a.go":      "package x\n\ntype T struct{ F int }\n\nfunc own() { other() }\nfunc other() {}\n",
		"b.go":      "package x\n\nfunc (t T) M() int { return t.F }\n",
		"c.go":      "package x\n\nimport \"strings\"\n\nvar _ = strings.ToUpper\n\nfunc c(t interface{ M() int }) { own(); (T{}).M() }\n",
		"d_test.go": "package x\n\nfunc d() { c(nil) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g, err := Rooms(dir, ".")
	if err != nil {
		t.Fatal(err)
	}
	want := []Arrow{{"b.go", "a.go"}, {"c.go", "a.go"}, {"c.go", "b.go"}}
	if have := g.Arrows(); !slices.Equal(have, want) {
		t.Errorf("%v, want %v", have, want)
	}
	if _, err := Rooms(dir, "missing"); err == nil {
		t.Error("a folder that is not there has rooms")
	}
}
