// Command frostctl is the fleet's tool for its users (keygen, sign, verify,
// addresses, keys, jobs, bench), its administrators (fleet, bus) and for a first look (demo,
// dev).
//
// Results go to standard output and nothing else does: progress, warnings and
// errors go to standard error. Exit codes are listed by frostctl
// exit-codes.
package main

import (
	"context"
	"os"

	"github.com/frostfleet/frostfleet/internal/command"
)

func main() { os.Exit(run()) }

func run() int {
	return command.Run(context.Background(), newRootCommand(), exits...)
}
