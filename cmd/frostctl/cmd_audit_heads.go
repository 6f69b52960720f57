package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newAuditHeads() *cobra.Command {
	var o registerOptions
	var access string
	cmd := &cobra.Command{
		Use: "heads --manifest FILE --access FILE", Short: "Print the heads of all audit logs, by their programs' heartbeats",
		Args: cobra.NoArgs,
		Long: `Heads prints where the audit log of each node and gateway ends, as its last
heartbeat says under its own signature. Keep them elsewhere: with them audit
verify --head finds a log whose end was cut. A node of a manifest that followed
the fleet's first one is named with its epoch. It needs a gateway's credentials,
or the administrator's.`,
		Example: `  frostctl audit heads --manifest manifest.json --access access.toml --url nats://127.0.0.1:4222`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := launch.LoadAccess(access)
			if err != nil {
				return err
			}
			return o.connected(cmd, func(l *wire.Lineage, b *bus.Bus) error {
				return printHeads(cmd, l, list, b)
			})
		},
	}
	o.flags(cmd, true)
	cmd.Flags().StringVar(&access, "access", "", "the fleet's access.toml")
	_ = cmd.MarkFlagRequired("access")
	_ = cmd.MarkFlagFilename("access", "toml")
	return cmd
}

// headLine is a head as audit heads prints it with --json.
type headLine struct {
	By   string    `json:"by"`
	Role string    `json:"role"`
	Head string    `json:"head,omitempty"` // none: the program has no audit log
	At   time.Time `json:"at"`             // of the heartbeat, by the NATS server's clock
}

func printHeads(cmd *cobra.Command, fleet *wire.Lineage, access *wire.Access, b *bus.Bus) error {
	lines, refused, err := readHeads(cmd.Context(), fleet, access, b)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err := show(cmd, l, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s\t%s\t%s\n", plainText(l.By), cmp.Or(l.Head, "no audit log"), l.At.UTC().Format(time.RFC3339))
			return err
		}); err != nil {
			return err
		}
	}
	for _, err := range refused {
		note(cmd, "left out: %v", err)
	}
	if len(lines) == 0 {
		return errors.New("no heartbeat: start the workers and gateways")
	}
	return nil
}

// speaksFor is the manifest that a heartbeat is of: a node's subject names it, and a gateway,
// which goes by any of them, says which one it is configured with.
func speaksFor(fleet *wire.Lineage, msg bus.Message) *wire.Manifest {
	ref, err := wire.ParsePresence(msg.Subject)
	if err != nil {
		return fleet.Pinned()
	}
	claimed, _ := wire.ClaimedManifest(msg.Data)
	for _, m := range fleet.Chain() {
		if ref.Kind == wire.PresenceGateway && m.Hash() == claimed ||
			ref.Kind == wire.PresenceNode && m.NodePresence(ref.Node) == msg.Subject {
			return m
		}
	}
	return fleet.Pinned()
}

func readHeads(ctx context.Context, fleet *wire.Lineage, access *wire.Access, b *bus.Bus) (
	lines []headLine, refused []error, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	messages, err := b.Slots(ctx, bus.Presence, "presence.>")
	if err != nil {
		return nil, nil, fmt.Errorf("read PRESENCE: %w", err)
	}
	for _, msg := range messages {
		m := speaksFor(fleet, msg)
		opener := wire.NewOpener(m, access)
		opener.SetTime(time.Now())
		ref, h, err := opener.Heartbeat(wire.LogMessage{Subject: msg.Subject, Seq: msg.Seq, Time: msg.Time, Data: msg.Data})
		if ref.Kind == wire.PresenceTwin {
			continue
		}
		if err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", msg.Subject, err))
			continue
		}
		l := headLine{By: ref.Gateway, Role: "gateway", At: msg.Time}
		if ref.Kind == wire.PresenceNode {
			l.By, l.Role = m.NodeName(ref.Node), "worker"
		}
		if h.Audit != (wire.AuditHead{}) {
			l.Head = audit.Head(h.Audit).String()
		}
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(a, b headLine) int { return cmp.Or(cmp.Compare(b.Role, a.Role), cmp.Compare(a.By, b.By)) })
	return lines, refused, nil
}
