package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newBusCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bus", Short: "Administer the fleet's streams on NATS",
		Long: `Bus makes the fleet's streams on NATS servers, compares them with what they
ought to be, keeps a copy of KEYS elsewhere, and runs a server from a store that
is left. All but check take the administrator's credentials.`,
		Example: `  frostctl bus check --fleet main --nodes 3 --url nats://127.0.0.1:4222`,
	}
	cmd.AddCommand(
		newBusApplyCommand(),
		newBusCheckCommand(),
		newMirrorCommand(),
		newBusServeCommand(),
	)
	return cmd
}

func newBusCheckCommand() *cobra.Command {
	cmd := newStreamsCommand("check", "Compare the fleet's streams with their declaration",
		func(ctx context.Context, _ *cobra.Command, b *bus.Bus, _ int) error {
			return errors.Join(b.Check(ctx), checkKeys(ctx, b))
		})
	cmd.Long = `Check says what is missing of the fleet's streams, what differs from their
declaration, and whether KEYS lacks messages (exit code 4). It changes nothing.`
	return cmd
}

// checkKeys fails if the copy of KEYS that leads lacks messages, which its server knows.
func checkKeys(ctx context.Context, b *bus.Bus) error {
	state, err := b.KeysState(ctx)
	if errors.Is(err, bus.ErrNoStream) {
		return nil // which Check said
	}
	if err == nil && state.Missing > 0 {
		err = fmt.Errorf("%w: the copy that leads lacks %d messages, and nothing is ever deleted there. %s",
			errDamaged, state.Missing, state.Mend)
	}
	return err
}

func newMirrorCommand() *cobra.Command {
	var domain string
	cmd := newStreamsCommand("mirror", "Keep a copy of KEYS on NATS servers elsewhere (administrator)",
		func(ctx context.Context, _ *cobra.Command, b *bus.Bus, _ int) error { return b.Mirror(ctx, domain) })
	cmd.Use += " --domain NAME"
	cmd.Long = `Mirror creates KEYS as a mirror of the fleet's KEYS, on NATS servers that a leaf
node connects to the fleet's. Should these be lost, bus apply on the mirror's
servers makes it the register.`
	cmd.Example += " --domain main"
	cmd.Flags().StringVar(&domain, "domain", "", "JetStream domain of the fleet's servers")
	_ = cmd.MarkFlagRequired("domain")
	return cmd
}

func newBusApplyCommand() *cobra.Command {
	var anew bool
	cmd := newStreamsCommand("apply", "Create or update the fleet's streams (administrator)",
		func(ctx context.Context, cmd *cobra.Command, b *bus.Bus, nodes int) error {
			return applyStreams(ctx, cmd, b, nodes, anew)
		})
	cmd.Long = `Apply makes the streams that are missing, and changes those that differ from
their declaration (docs/cluster.md). It deletes nothing. KEYS is made only where
no node holds batches, as it would be an empty register; --new-register makes it
all the same, and then the nodes' copies are to bring it back.`
	cmd.Flags().BoolVar(&anew, "new-register", false,
		"make an empty KEYS although nodes hold batches: their copies are to bring it back")
	return cmd
}

func newStreamsCommand(
	use, short string, run func(context.Context, *cobra.Command, *bus.Bus, int) error,
) *cobra.Command {
	limit := busTimeout
	o := bus.Options{Name: "frostctl"}
	cmd := &cobra.Command{
		Use: use + " --fleet NAME --nodes N", Short: short, Args: cobra.NoArgs,
		Example: "  frostctl bus " + use + " --fleet dev --nodes 3 --url nats://127.0.0.1:4222",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkNodes(o.Nodes); err != nil {
				return err
			}
			if limit <= 0 {
				return usagef("--timeout %v: want more than 0", limit)
			}
			err := withBus(cmd, o, limit, limit, func(ctx context.Context, b *bus.Bus) error {
				return run(ctx, cmd, b, o.Nodes)
			})
			if err != nil {
				return err
			}
			if use == "mirror" {
				mirror := map[string]any{"fleet": o.Fleet, "mirror": true}
				return say(cmd, mirror, "KEYS of fleet %s is a mirror here\n", o.Fleet)
			}
			declared := map[string]any{"fleet": o.Fleet, "as_declared": true}
			return say(cmd, declared, "the streams of fleet %s are as declared\n", o.Fleet)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Fleet, "fleet", "", "name of the fleet, as in its manifest")
	f.IntVar(&o.Nodes, "nodes", 0, "how many workers the fleet has, as in its manifest: each has a stream of its own")
	f.StringVar(&o.URL, "url", natsconn.DefaultURL, "NATS server")
	f.StringVar(&o.Credentials, "credentials", "", "credentials file (.creds or nkey seed)")
	f.StringVar(&o.TLSCA, "tls-ca", "", "PEM file of the server's CA")
	f.StringVar(&o.TLSCert, "tls-cert", "", "PEM file of the client certificate")
	f.StringVar(&o.TLSKey, "tls-key", "", "PEM file of its key")
	f.DurationVar(&limit, "timeout", limit, "how long to wait for the servers, which may be starting")
	f.IntVar(&o.Replicas, "replicas", 0, "copies of each stream; 0 keeps what is there, or 1")
	_ = cmd.MarkFlagRequired("fleet")
	_ = cmd.MarkFlagRequired("nodes")
	return cmd
}

func checkNodes(n int) error {
	if n < 1 || n > wire.MaxNodes {
		return fmt.Errorf("--nodes %d: a fleet has 1 to %d workers, as its manifest says", n, wire.MaxNodes)
	}
	return nil
}

func newBusServeCommand() *cobra.Command {
	var store, fleet, file string
	port, nodes := 4222, 0
	cmd := &cobra.Command{
		Use: "serve (--store DIR | --config FILE)", Short: "Run a NATS server", Args: cobra.NoArgs,
		Long: `Serve runs the embedded nats-server as a process of its own. With --store it is
one for development: JetStream on files, every write synced, loopback only and
without credentials. With --config it is nats-server -c FILE, run in the file's
folder: one of the servers that frostctl fleet init --cluster writes.`,
		Example: "  frostctl bus serve --store ./bus --fleet dev\n  frostctl bus serve --config ./fleet/nats/nats-1/server.conf",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "" {
				return serveConfig(file)
			}
			if fleet != "" {
				if err := checkNodes(nodes); err != nil {
					return err
				}
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			server, err := natsserver.Embed(cmd.Context(), store, port, log)
			if err != nil {
				return err
			}
			defer server.Shutdown()
			if fleet != "" {
				if err := applyTo(cmd.Context(), server, fleet, nodes); err != nil {
					return err
				}
			}
			err = say(cmd, map[string]string{"url": server.URL()}, "%s\n", server.URL())
			<-cmd.Context().Done()
			return err
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "folder of the streams")
	cmd.Flags().Var(portFlag{&port, -1}, "port", "port on loopback; -1: any")
	cmd.Flags().StringVar(&fleet, "fleet", "", "also create this fleet's streams")
	cmd.Flags().IntVar(&nodes, "nodes", 0, "with --fleet: how many workers it has")
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration of nats-server")
	cmd.MarkFlagsRequiredTogether("fleet", "nodes")
	cmd.MarkFlagsOneRequired("store", "config")
	for _, flag := range []string{"store", "port", "fleet"} {
		cmd.MarkFlagsMutuallyExclusive("config", flag)
	}
	return cmd
}

// serveConfig runs the server of a file in the file's folder, on which the paths
// in it depend.
func serveConfig(file string) error {
	if err := os.Chdir(filepath.Dir(file)); err != nil {
		return err
	}
	return natsserver.Serve(filepath.Base(file))
}

func applyTo(ctx context.Context, server natsconn.Server, fleet string, nodes int) error {
	b, err := bus.Connect(ctx, bus.Options{Fleet: fleet, Nodes: nodes, Name: "frostctl", Embedded: server})
	if err != nil {
		return err
	}
	return errors.Join(b.Apply(ctx), b.Close(ctx))
}
