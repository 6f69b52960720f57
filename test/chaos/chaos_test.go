package chaos

import (
	"flag"
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

// TestClones: of a worker and its clone, be it made beside it or while it stands still, one
// ends and names the other, and no nonces answer twice.
func TestClones(t *testing.T) {
	o := Options{Race: true}
	if testing.Verbose() {
		o.Out = os.Stderr
	}
	s := Start(t, o)
	l := s.startLoad()
	s.clones(2, fenceTimeBusy)
	s.finish(l)
}

var long = flag.Bool("long", false, "also what takes minutes")

// TestReshare: keys move to a next manifest under load, whatever is killed meanwhile. make
// chaos does the same; here it would be a fifth of the time that all tests take.
func TestReshare(t *testing.T) {
	if !*long {
		t.Skip("the long form: go test ./test/chaos -run TestReshare -args -long, or make chaos")
	}
	o := Options{Race: true}
	if testing.Verbose() {
		o.Out = os.Stderr
	}
	Start(t, o).Reshare()
}
