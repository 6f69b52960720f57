package docs

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/docs/floors"
)

var update = flag.Bool("update", false, "draw the packages in architecture.md anew")

// TestArchitecture: the picture of the packages is that of the imports, no import
// points up, and no file of the machines uses one above it.
func TestArchitecture(t *testing.T) {
	house, err := floors.Module("..")
	if err != nil {
		t.Fatal(err)
	}
	if plan := house.Imports.Plan(); len(plan.Upward) > 0 || len(plan.Floors) < 5 {
		t.Errorf("%d floors, imports that point up: %v", len(plan.Floors), plan.Upward)
	}
	for name := range house.Imports {
		if house.Synopsis[name] == "" {
			t.Errorf("%s has no package comment", name)
		}
	}
	rooms, err := floors.Rooms("..", "internal/protocol")
	if err != nil {
		t.Fatal(err)
	}
	if plan := rooms.Plan(); len(plan.Upward) > 0 || len(plan.Floors) < 5 {
		t.Errorf("internal/protocol: %d floors, files that use a higher one: %v", len(plan.Floors), plan.Upward)
	}
	var drawn strings.Builder
	if err := house.Print(&drawn); err != nil {
		t.Fatal(err)
	}
	const name, mark = "architecture.md", "<!-- packages -->"
	text := page(t, name)
	have, want := between(t, text, "packages"), "\n\n"+drawn.String()+"\n"
	switch {
	case have == want:
	case *update:
		if err := os.WriteFile(name, []byte(strings.Replace(text, mark+have, mark+want, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not show the packages as they are: go test ./docs -run TestArchitecture -update", name)
	}
}
