// Command frostctl is the fleet's tool for its users (keygen, sign, verify,
// jobs, bench), its administrators (fleet, bus) and for a first look (demo,
// dev).
//
// Results go to standard output and nothing else does: progress, warnings and
// errors go to standard error. Exit codes are listed by frostctl help
// exit-codes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	// frostctl dev holds shares, and every client a key: dump no core.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, spans := withSpans(ctx)
	defer spans.send()
	err := newRootCommand().ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "frostctl:", err)
	}
	return exitCode(err)
}
