package clock_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program prints by how many hours its clock is wrong.
const program = `package main

import (
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/clock"
)

func main() { fmt.Print(time.Until(clock.Now()).Round(time.Hour)) }
`

// TestOnlyTestBuilds: the clock of a program follows a file only if the program was
// built for that, and then it says so.
func TestOnlyTestBuilds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	if err := os.WriteFile(file, []byte("-2h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(".", "testdata-") // inside the module, to import internal packages
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		tags, want string
		says       bool
	}{{"", "0s", false}, {"chaosclock", (-2 * time.Hour).String(), true}} {
		cmd := exec.Command("go", "run", "-tags", tt.tags, source)
		cmd.Env = append(os.Environ(), "FROSTFLEET_CHAOS_CLOCK="+file)
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil || string(out) != tt.want || strings.Contains(said.String(), "TEST BUILD") != tt.says {
			t.Errorf("tags %q: the clock is wrong by %s, want %s; %v, %s", tt.tags, out, tt.want, err, &said)
		}
	}
}
