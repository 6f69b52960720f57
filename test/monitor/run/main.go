// Command run is `make monitoring`: a fleet under load with a real Prometheus,
// and trouble on request. It runs from the module's folder.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/monitor"
)

func main() {
	var o monitor.Options
	flag.StringVar(&o.Configs, "configs", "configs/prometheus", "folder of Prometheus's configuration and rules")
	flag.IntVar(&o.Faster, "faster", 5, "divide Prometheus's times by this, so that alerts fire sooner; 1: as in production")
	flag.IntVar(&o.Port, "port", 9099, "of Prometheus, on 127.0.0.1; 0: any that is free")
	flag.Float64Var(&o.Load.Sign, "sign", 5, "sign jobs of one message a second; below 0: none")
	flag.Float64Var(&o.Load.Bulk, "bulk", .2, "sign jobs of 100 messages a second; below 0: none")
	flag.Float64Var(&o.Load.Keygen, "keygen", .5, "keygen jobs a second; below 0: none")
	fault := flag.String("fault", os.Getenv("FAULT"), "a command to begin with, as in -fault 'kill 2'")
	flag.Parse()
	if flag.NArg() > 0 || o.Faster < 1 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if fleettest.Program(ctx, os.Stderr, func(t fleettest.T) { run(t, o, *fault) }) {
		os.Exit(1)
	}
}

func run(t fleettest.T, o monitor.Options, fault string) {
	fmt.Println("starting a fleet of 2 of 4 nodes and its Prometheus")
	t.Cleanup(func() {
		if bin, err := fleettest.Build(); err == nil {
			_ = os.RemoveAll(bin)
		}
	})
	s := monitor.Start(t, o)
	fmt.Printf(`Prometheus: %s
Alerts:     %[1]s/alerts
Metrics:    %[2]s
Fleet:      %[3]s

Prometheus's times are divided by %[4]d: it scrapes every %[5]s. Grafana can use
the dashboards in configs/grafana with it: docs/monitoring.md.

%[6]s`, s.Prometheus.URL, s.MetricsURL(fleettest.GatewayName), s.Dir, o.Faster, s.Prometheus.Interval, monitor.Help)
	if fault != "" {
		fmt.Println(">", fault)
		if !do(t.Context(), s, fault) {
			return
		}
	}
	typed := lines(os.Stdin)
	for {
		select {
		case line, more := <-typed:
			if !more {
				typed = nil // without a terminal it runs until it is stopped
			} else if !do(t.Context(), s, line) {
				return
			}
		case <-t.Context().Done():
			return
		}
	}
}

// do does what a line says, and tells whether to go on.
func do(ctx context.Context, s *monitor.Stand, line string) bool {
	said, err := s.Do(ctx, line)
	switch {
	case errors.Is(err, monitor.ErrQuit):
		return false
	case err != nil:
		fmt.Println("error:", err)
	case said != "":
		fmt.Println(said)
	}
	return true
}

// lines gives what is typed, until its end.
func lines(in io.Reader) <-chan string {
	typed := make(chan string)
	go func() { // ends with the program: nothing else ends a read of a terminal
		defer close(typed)
		for scan := bufio.NewScanner(in); scan.Scan(); {
			typed <- scan.Text()
		}
	}()
	return typed
}
