package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/httpclient"
)

func newFleetStatusCommand() *cobra.Command {
	var watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show nodes and gateways, what waits, what moves and what is frozen",
		Long: `Status prints the fleet as one gateway sees it: which nodes and gateways it
hears and how they are, the sign jobs that wait, how far a resharing is, and how
many freezes are in force. What a node says of itself, its load and its version,
is its own word.

The exit code is 7 if fewer nodes are present than it takes to sign. With
--watch it looks again and again until it is interrupted, and the exit code says
nothing.` + gatewayHelp,
		Example: `  frostctl fleet status
  frostctl fleet status --watch --every 5s
  frostctl fleet status --json | jq -r '.nodes[] | select(.present | not) | .name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every <= 0 {
				return usagef("--every %v: want more than 0", every)
			}
			c, err := openGateway(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			if watch {
				return watchFleet(cmd, c, every)
			}
			f, err := fleetStatus(cmd.Context(), c)
			if err != nil {
				return err
			}
			if err := printFleet(cmd, &f); err != nil {
				return err
			}
			if n := f.Present(); n < f.T {
				return fmt.Errorf("%w: %d of %d, and it takes %d", errTooFew, n, f.N, f.T)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "look again until interrupted")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "with --watch: how often")
	addConfigFlag(cmd)
	return cmd
}

func fleetStatus(ctx context.Context, c *httpclient.Client) (httpclient.Fleet, error) {
	ctx, cancel := context.WithTimeout(ctx, gatewayTime)
	defer cancel()
	return c.Fleet(ctx)
}

// clearScreen has a terminal begin anew at its top (ECMA-48: CUP, ED).
const clearScreen = "\x1b[H\x1b[J"

// watchFleet prints the fleet until it is interrupted. A gateway that is away is said, and asked
// again.
func watchFleet(cmd *cobra.Command, c *httpclient.Client, every time.Duration) error {
	for {
		f, err := fleetStatus(cmd.Context(), c)
		if cmd.Context().Err() != nil {
			return cmd.Context().Err()
		}
		if p, ok := errors.AsType[*httpclient.Problem](err); ok && !p.Retryable {
			return err
		}
		if err == nil {
			if terminalWidth(cmd) > 0 && !wantJSON(cmd) {
				fmt.Fprint(cmd.OutOrStdout(), clearScreen)
			}
			if err := printFleet(cmd, &f); err != nil {
				return err
			}
		} else {
			note(cmd, "%v", err)
		}
		if err := backoff.Sleep(cmd.Context(), every); err != nil {
			return err
		}
	}
}

// printFleet prints it once.
func printFleet(cmd *cobra.Command, f *httpclient.Fleet) error {
	if wantJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), f)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "fleet %s on %s: %d of %d sign, %d are present\n", harmless(f.Fleet), harmless(f.Network), f.T, f.N,
		f.Present())
	if err := errors.Join(writeFields(&out, fleetFields(f)), nodeGrid(f).write(&out, terminalWidth(cmd))); err != nil {
		return err
	}
	_, err := cmd.OutOrStdout().Write(out.Bytes())
	return err
}

func fleetFields(f *httpclient.Fleet) []field {
	ready, waiting, moving, frozen := "yes", "none", "none", "none"
	if !f.Ready {
		ready = "no: " + f.Reason
	}
	if f.Demand.Queued > 0 {
		waiting = fmt.Sprintf("%d, the oldest for %v", f.Demand.Queued, seconds(f.Demand.Longest))
	}
	if m := f.Resharing; m.To != "" {
		moving = fmt.Sprintf("%d of %d keys are with manifest %.16s", m.Done, m.Total, m.To)
		if m.Paused {
			moving += ", paused"
		}
		if m.Blocked != "" {
			moving += ", blocked: " + m.Blocked
		}
	}
	if f.Freezes > 0 {
		frozen = fmt.Sprintf("%d in force (frostctl freezes)", f.Freezes)
	}
	return []field{
		{"manifest", f.Manifest}, {"gateways", strings.Join(f.Gateways, ", ")}, {"ready", ready}, {"sign jobs waiting",
			waiting},
		{"resharing", moving}, {"freezes", frozen},
	}
}

func nodeGrid(f *httpclient.Fleet) *grid {
	g := &grid{sentence: "REMARK", columns: []column{
		{name: "NODE", least: 8}, {name: "PRESENT"}, {name: "HEARD"}, {name: "DEVICE", least: 8}, {name: "LOAD"}, {name: "BACKLOG"}, {name: "VERSION",
			least: 8},
		{name: "POLICY"}, {name: "EPOCH"}, {name: "HOST", least: 8},
	}}
	for _, n := range f.Nodes {
		there, heard := "no", "never"
		if n.Present {
			there = "yes"
		}
		if !n.Since.IsZero() {
			heard = ago(n.Lag)
		}
		device := "-"
		if n.Device != nil {
			device = n.Device.Kind
		}
		g.add(nodeRemark(n), n.Name, there, heard, device, strconv.Itoa(n.Load), strconv.Itoa(n.Backlog), n.Version,
			n.Policy[:min(8, len(n.Policy))], strconv.Itoa(n.Generation), n.Host)
	}
	return g
}

func nodeRemark(n httpclient.Node) string {
	var remarks []string
	if n.Foreign {
		remarks = append(remarks, "something claims another manifest in its name")
	}
	if n.Twins > 0 {
		remarks = append(remarks, fmt.Sprintf("%d processes of it ended, as another one ran", n.Twins))
	}
	return strings.Join(remarks, "; ")
}

// ago is how long ago something was, in one unit.
func ago(s float64) string {
	switch {
	case s < 120:
		return fmt.Sprintf("%.0fs ago", s)
	case s < 120*60:
		return fmt.Sprintf("%.0fm ago", s/60)
	}
	return fmt.Sprintf("%.0fh ago", s/3600)
}

// seconds is a time as a person reads it.
func seconds(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Second)
}
