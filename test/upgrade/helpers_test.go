package upgrade

import (
	"os"
	"regexp"
	"testing"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

const fleetName = fleettest.Name

var regexpKey = regexp.MustCompile(`[0-9a-f]{32}\.0`)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
