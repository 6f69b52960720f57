package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// asking calls f with the fleet's manifests and bus, and with a way to ask the nodes of each,
// those of the newest first.
func (o *registerOptions) asking(cmd *cobra.Command, f func(*wire.Lineage, *bus.Bus, []*register.Asker) error) error {
	return o.connected(cmd, func(l *wire.Lineage, b *bus.Bus) error {
		var askers []*register.Asker
		for _, m := range slices.Backward(l.Chain()) {
			a, err := register.NewAsker(b, m, func() *wire.Access { return nil })
			if err != nil {
				return err
			}
			defer a.Close()
			askers = append(askers, a)
		}
		return f(l, b, askers)
	})
}

func newRegisterRefill() *cobra.Command {
	var o registerOptions
	cmd := &cobra.Command{
		Use: "refill --manifest FILE", Short: "Have running nodes bring back what KEYS lacks", Args: cobra.NoArgs,
		Long: `Refill asks every node what it holds, gets the entries that KEYS lacks, verifies
them against the manifest and writes them. One node is enough. Gateways do the
same by themselves; this does it at once, and says what came of it. It may be
stopped and begun again. The exit code is 4 if a node claims a batch that nobody
proved.`,
		Example: `  frostctl register refill --manifest manifest.json --url nats://127.0.0.1:4222`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.asking(cmd, func(l *wire.Lineage, b *bus.Bus, askers []*register.Asker) error {
				p := &registerProgress{cmd: cmd, verb: "restored"}
				sum, err := register.Refill(cmd.Context(), b, l, askers, func(node, left int, e *register.Entry, err error) {
					if err != nil {
						note(cmd, "not restored: %v", err)
						return
					}
					p.verb = fmt.Sprintf("node %d, %d batches to go; restored", node, left)
					p.step(e)
				})
				if err != nil {
					return err
				}
				return refilled(cmd, sum)
			})
		},
	}
	o.flags(cmd, true)
	return cmd
}

// holder names a node.
func holder(n register.NodeHoldings) string {
	if n.Epoch > 0 {
		return fmt.Sprintf("node %d of epoch %d", n.Node, n.Epoch)
	}
	return fmt.Sprintf("node %d", n.Node)
}

// refilled prints what refill did.
func refilled(cmd *cobra.Command, sum register.Refilled) error {
	out := cmd.OutOrStdout()
	if wantJSON(cmd) {
		if err := printJSON(out, sum); err != nil {
			return err
		}
	} else {
		for _, n := range sum.Nodes {
			name := holder(n)
			if n.Error != "" {
				fmt.Fprintf(out, "%s: not asked: %s\n", name, n.Error)
			} else {
				fmt.Fprintf(out, "%s: holds %d batches\n", name, n.Batches)
			}
		}
		fmt.Fprintf(out, "restored: %d batches with %d keys; KEYS had %d\n", sum.Restored, sum.Keys, sum.Before.Batches())
	}
	if sum.Refused > 0 {
		return fmt.Errorf("%w: KEYS has another valid entry of %d batches that nodes hold", errUnproven, sum.Refused)
	}
	if sum.Unproven > 0 {
		return fmt.Errorf("%w: %d batches that nodes say they hold were not proven by any", errUnproven, sum.Unproven)
	}
	answered := 0
	for _, n := range sum.Nodes {
		if n.Error == "" {
			answered++
		}
	}
	if answered == 0 {
		return errors.New("no node answered: start the workers")
	}
	return nil
}

func newRegisterCompact() *cobra.Command {
	var o registerOptions
	var foreign bool
	cmd := &cobra.Command{
		Use: "compact DIR --manifest FILE", Short: "Make KEYS anew without what proves nothing", Args: cobra.ExactArgs(1),
		Long: `Compact saves the register to a file in DIR, verifies and syncs it, deletes
KEYS, creates it as it was, imports the file and verifies KEYS. It needs the
administrator's credentials, and all workers and gateways stopped: it refuses
while one answers or publishes heartbeats. It also refuses if KEYS has heads of
another manifest or of a format that it does not read: they may be entries, or
junk that was made to look so. Stopped or killed at any step it goes on with the
same DIR. The file stays, as a backup.`,
		Example: `  frostctl register compact ./compacting --manifest manifest.json --url nats://127.0.0.1:4222`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o700); err != nil {
				return err
			}
			return o.asking(cmd, func(l *wire.Lineage, b *bus.Bus, askers []*register.Asker) error {
				p := &registerProgress{cmd: cmd}
				c := register.Compaction{
					Dir: args[0], Bus: b, Lineage: l, Foreign: foreign, Entry: p.step,
					Tell: func(step string) {
						note(cmd, "%s", step)
						*p = registerProgress{cmd: cmd, verb: step + ":"}
					},
				}
				sum, err := c.Run(cmd.Context(), askers...)
				if err != nil {
					return err
				}
				return told(cmd, "compacted", sum)
			})
		},
	}
	o.flags(cmd, true)
	cmd.Flags().BoolVar(&foreign, "drop-foreign", false,
		"leave out heads of other manifests, or of formats that this program does not read: they are junk")
	return cmd
}

// errHeld says that nodes hold batches and that there is no register.
var errHeld = errors.New("there is no KEYS, and nodes hold batches that were in it")

// applyStreams makes the streams. It does not make an empty KEYS for a fleet whose nodes
// hold batches, unless the administrator knows.
func applyStreams(ctx context.Context, cmd *cobra.Command, b *bus.Bus, nodes int, anew bool) error {
	there, err := b.Exists(ctx, bus.Keys)
	if err != nil {
		return err
	}
	if !there && !anew {
		if err := mayCreate(ctx, cmd, b, nodes); err != nil {
			return err
		}
	}
	return b.Apply(ctx)
}

func mayCreate(ctx context.Context, cmd *cobra.Command, b *bus.Bus, nodes int) error {
	a, err := register.NewAsker(b, nil, nil)
	if err != nil {
		return err
	}
	defer a.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*register.AskTime+time.Second)
	defer cancel()
	var holders, silent string
	for _, n := range register.AskFleet(ctx, a) {
		switch {
		case n.Error != "":
			silent += fmt.Sprintf(" %d", n.Node)
		case n.Batches > 0:
			holders += fmt.Sprintf("; %s holds %d", holder(n), n.Batches)
		}
	}
	if holders != "" {
		return fmt.Errorf("%w%s. If a mirror or a backup of NATS has it, restore that first. Otherwise repeat with "+
			"--new-register: the nodes' copies bring it back (frostctl register refill, or gateways by themselves)",
			errHeld, holders)
	}
	if silent != "" {
		note(cmd, "KEYS is made empty. No answer from nodes%s: if this fleet has keys, their copies bring them back later",
			silent)
	}
	return nil
}
