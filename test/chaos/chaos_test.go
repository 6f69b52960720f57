package chaos

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	RemoveBuilds()
	os.Exit(code)
}

// TestShort is the form that runs with all tests: four seeds, a few faults each.
func TestShort(t *testing.T) {
	for _, seed := range ShortSeeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			o := Options{Race: true}
			if testing.Verbose() {
				o.Out = os.Stderr
			}
			Start(t, o).Run(seed, ShortBounds)
		})
	}
}
