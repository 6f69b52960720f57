// Command show completes a file of figures, which several benchmarks wrote, prints
// its table, and fails if figures that are named after it are not in it:
//
//	show bench/result.json taproot_addresses_per_second ...
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/frostfleet/frostfleet/test/benchreport"
)

func main() {
	if len(os.Args) < 2 {
		fail("usage: show FILE [NAME ...]")
	}
	// Saving nothing new writes what is there with all fields.
	if err := benchreport.New().Save(os.Args[1]); err != nil {
		fail(err.Error())
	}
	figures, err := benchreport.Read(os.Args[1])
	if err != nil {
		fail(err.Error())
	}
	if err := benchreport.Print(os.Stdout, figures); err != nil {
		fail(err.Error())
	}
	if missed := benchreport.MissedGoals(figures); len(missed) > 0 {
		fmt.Printf("\ngoals missed: %s\n", strings.Join(missed, ", "))
	}
	if unfit := benchreport.UnfitGoals(figures); len(unfit) > 0 {
		fmt.Printf("\nnot met, on a machine that was unfit meanwhile: %s\n", strings.Join(unfit, ", "))
	}
	if missing := benchreport.Missing(figures, os.Args[2:]); len(missing) > 0 {
		fail("not measured: " + strings.Join(missing, ", "))
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
