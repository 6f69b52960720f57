package chaos

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if as := os.Getenv(abandonedEnv); as != "" {
		abandoned(as)
	}
	end, err := Workspace()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	end()
	os.Exit(code)
}

// TestShort is the form that runs with all tests: four seeds, a few faults each.
func TestShort(t *testing.T) {
	for _, seed := range ShortSeeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			o := Options{Race: true, Links: true}
			if testing.Verbose() {
				o.Out = os.Stderr
			}
			Start(t, o).Run(seed, ShortBounds)
		})
	}
}
