//go:build chaosclock

package clock

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// offsetFile holds by how much the clock is wrong, as in "-5m"; none: it is right.
var offsetFile = os.Getenv("FROSTFLEET_CHAOS_CLOCK")

func init() {
	fmt.Fprintf(os.Stderr, "TEST BUILD (chaosclock): the clock is set by %q. Not for production.\n", offsetFile)
}

// Now is the time of day, and as wrong as the file says at this moment.
func Now() time.Time {
	text, err := os.ReadFile(offsetFile)
	if err != nil {
		return time.Now()
	}
	offset, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		panic("clock: " + err.Error()) // a test's mistake
	}
	return time.Now().Add(offset)
}
