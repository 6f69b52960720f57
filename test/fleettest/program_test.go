package fleettest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

// A program that fails says so, stops there, and still cleans up: the last
// first, past a cleanup that fails too.
func TestProgram(t *testing.T) {
	tests := map[string]struct {
		fail func(fleettest.T)
		want string
		bad  bool
	}{
		"well":  {func(fleettest.T) {}, "after,second,first", false},
		"error": {func(t fleettest.T) { t.Errorf("wrong: %d", 1) }, "after,second,first", true},
		"fatal": {func(t fleettest.T) { t.Fatal("wrong:", 1) }, "second,first", true},
		"in a cleanup": {func(t fleettest.T) {
			t.Cleanup(func() { t.Fatalf("wrong: %d", 1) })
		}, "after,second,first", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			var steps []string
			var dir string
			note := func(step string) { steps = append(steps, step) }
			failed := fleettest.Program(t.Context(), &out, func(p fleettest.T) {
				dir = p.TempDir()
				p.Cleanup(func() { note("first") })
				p.Cleanup(func() {
					if p.Context().Err() == nil {
						t.Error("the context lives on in a cleanup")
					}
					note("second")
				})
				tt.fail(p)
				note("after")
			})
			if got := strings.Join(steps, ","); got != tt.want || failed != tt.bad {
				t.Errorf("steps %s, failed %v; want %s, %v", got, failed, tt.want, tt.bad)
			}
			if said := strings.Contains(out.String(), "wrong: 1\n"); said != tt.bad {
				t.Errorf("it said %q", out.String())
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its folder: %v, want it gone", err)
			}
		})
	}
}

func TestProgramEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	failed := fleettest.Program(ctx, new(bytes.Buffer), func(p fleettest.T) {
		cancel()
		<-p.Context().Done()
	})
	if failed {
		t.Error("an end is no failure")
	}
}
