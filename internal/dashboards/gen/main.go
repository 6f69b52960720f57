// Command gen writes the dashboards of configs/grafana/dashboards: make
// dashboards.
package main

import (
	"fmt"
	"os"

	"github.com/frostfleet/frostfleet/internal/dashboards"
)

func main() {
	if err := dashboards.Write("configs/grafana/dashboards"); err != nil {
		fmt.Fprintln(os.Stderr, "run `make dashboards` in the repository's root:", err)
		os.Exit(1)
	}
}
