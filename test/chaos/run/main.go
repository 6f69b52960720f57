// Command run is `make chaos`: a fleet of real processes that is broken by the schedule
// of a seed, or for half an hour with the figures of docs/reliability.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"time"

	"github.com/frostfleet/frostfleet/test/chaos"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

func main() {
	seed := flag.Uint64("seed", 0, "run this one; 0: the four that run with the tests, or with -long from 1 on")
	long := flag.Bool("long", false, "take the figures, then run longer seeds until -time is over")
	only := flag.String("only", "", "with -long: the scenarios whose names match, and no seeds")
	limit := flag.Duration("time", 30*time.Minute, "with -long: when no further seed begins")
	out := flag.String("out", "bench/chaos.json", "with -long and without -only: file of the figures")
	flag.Parse()
	filter, err := regexp.Compile(*only)
	if err != nil || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		flag.Usage()
		os.Exit(2)
	}
	// Clients of the test share this process: one that checks a thousand signatures
	// must not keep another one's answer from being read.
	runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	end, err := chaos.Workspace()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
	ctx := context.Background() // a signal ends everything at once
	var failed bool
	if *long && (*seed == 0 || *only != "") {
		if *only == "" {
			filter = nil
		}
		failed = figures(ctx, &chaos.Long{Out: os.Stdout, Only: filter, Time: *limit, Seed: 1}, *out)
	} else {
		failed = seeds(ctx, *seed, *long)
	}
	end()
	if failed {
		os.Exit(1)
	}
}

// figures runs the long form, and leaves its table.
func figures(ctx context.Context, l *chaos.Long, file string) bool {
	all, failed := l.Run(ctx)
	fmt.Println()
	if err := chaos.WriteTable(os.Stdout, all); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return true
	}
	if l.Only != nil {
		return failed // the file is of all scenarios, or it would pass for them
	}
	if err := chaos.WriteJSON(file, all); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return true
	}
	fmt.Println("written to", file)
	return failed
}

// seeds runs one seed, or the four of the short form.
func seeds(ctx context.Context, seed uint64, long bool) (failed bool) {
	bounds, all := chaos.ShortBounds, []uint64{seed}
	if long {
		bounds = chaos.LongBounds
	}
	if seed == 0 {
		all = chaos.ShortSeeds
	}
	for _, s := range all {
		if fleettest.Program(ctx, os.Stderr, func(t fleettest.T) {
			chaos.Start(t, chaos.Options{Race: true, Links: true, Out: os.Stdout}).Run(s, bounds)
		}) {
			fmt.Printf("seed %d FAILED\n", s)
			failed = true
			continue
		}
		fmt.Printf("seed %d: everything holds\n", s)
	}
	if seed != 0 {
		return failed
	}
	if fleettest.Program(ctx, os.Stderr, func(t fleettest.T) {
		chaos.Start(t, chaos.Options{Race: true, Out: os.Stdout}).Reshare()
	}) {
		fmt.Println("resharing FAILED")
		return true
	}
	fmt.Println("resharing: everything holds")
	return failed
}
