package monitor

import (
	"os"
	"testing"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

const (
	configs = "../../configs/prometheus"
	panels  = "../../configs/grafana/dashboards"

	// faster makes a quarter of an hour a minute, and of the 15 seconds between
	// scrapes one.
	faster = 15
)

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := fleettest.Build(); err == nil {
		_ = os.RemoveAll(bin)
	}
	os.Exit(code)
}
