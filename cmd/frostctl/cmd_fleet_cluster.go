package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// clusterFlags are the flags of fleet init about NATS servers.
type clusterFlags struct {
	servers            int
	hosts              []string
	routePort          int
	storeDir, maxStore string
}

func (c *clusterFlags) add(cmd *cobra.Command) {
	c.routePort = 6222
	f := cmd.Flags()
	f.IntVar(&c.servers, "cluster", 0, "write this many NATS servers too: 3 or 5")
	f.StringSliceVar(&c.hosts, "hosts", nil, "machines of these servers, names or addresses (default: loopback)")
	f.Var(portFlag{&c.routePort, 1}, "route-port", "port of these servers for each other; further ones of one host follow")
	f.StringVar(&c.storeDir, "store-dir", "jetstream", "where they keep streams; relative: inside each one's directory")
	f.StringVar(&c.maxStore, "max-file-store", "200GB", "what streams may take of each one's disk")
	cmd.MarkFlagsMutuallyExclusive("cluster", "bus-url")
}

// cluster is what the flags ask for; nil if they ask for none.
func (c *clusterFlags) cluster(cmd *cobra.Command, port int) (*fleet.Cluster, error) {
	if !cmd.Flags().Changed("cluster") {
		for _, flag := range []string{"hosts", "route-port", "store-dir", "max-file-store"} {
			if cmd.Flags().Changed(flag) {
				return nil, fmt.Errorf("--%s is about the servers of --cluster: set that too", flag)
			}
		}
		return nil, nil
	}
	cluster, err := fleet.NewCluster(c.servers, c.hosts, port, c.routePort)
	if err != nil {
		return nil, err
	}
	cluster.StoreDir, cluster.MaxStore = c.storeDir, c.maxStore
	return cluster, cluster.Check()
}

// describeCluster prints what was written and how to run it.
func describeCluster(out io.Writer, dir string, m *wire.Manifest, c *fleet.Cluster) {
	fmt.Fprintf(out, "fleet %s: %d of %d on %s, manifest %x\n%d NATS servers: %s\n\n",
		m.Fleet, m.T, m.N, m.Network, m.Hash(), len(c.Servers), c.URL())
	fmt.Fprintf(out, "%s has all commands, and what goes to which machine. The servers and the streams:\n",
		filepath.Join(dir, fleet.ReadmeFile))
	for i, s := range c.Servers {
		fmt.Fprintf(out, "  (cd %s && nats-server -c server.conf) # on %s\n", filepath.Join(dir, fleet.ServerDir(i)), s.Host)
	}
	fmt.Fprintf(out, "  frostctl bus apply %s\n", c.BusFlags(m.Fleet, m.N, dir))
}

func newFleetAddClientCommand() *cobra.Command {
	var client fleet.NewClient
	var publicKey string
	cmd := &cobra.Command{
		Use:   "add-client DIR NAME",
		Short: "Add a client to a fleet directory with a cluster",
		Long: `Add-client adds a client to the access list and, in an account of its own, to
the configuration of every NATS server in DIR. A client that makes its keys
itself (frostctl fleet key; nk -gen user -pubout) sends their public halves; for
another, they are made in DIR/clients/NAME, which then goes to the client.

The servers take it with two reloads, in which no connection is lost: the first
one leaves a new account without what it imports. Nodes and gateways read
access.toml again when it changes.`,
		Example: "  frostctl fleet add-client ./fleet treasury\n" +
			"  frostctl fleet add-client ./fleet deposits --kinds keygen --public-key HEX --nkey UC...",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			client.Name = args[1]
			if len(client.Kinds) == 0 {
				return usagef("--kinds is empty: name what the client may ask for: %s", wire.Or(wire.KindNames()))
			}
			if publicKey != "" {
				client.PublicKey = config.PublicKey{}
				if err := client.PublicKey.UnmarshalText([]byte(publicKey)); err != nil {
					return usagef("--public-key: %v", err)
				}
			}
			dir, err := fleet.AddClient(args[0], client)
			if err != nil {
				return err
			}
			reload, err := fleet.ReloadCommands(args[0])
			if err != nil {
				return err
			}
			if wantJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), map[string]any{"name": args[1], "directory": dir, "reload": reload})
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "client %s: give it %s\n\nthe servers take it with two reloads, a few seconds apart:\n", args[1], dir)
			for _, command := range reload {
				fmt.Fprintf(out, "  %s\n", command)
			}
			fmt.Fprintf(out, "\nand nodes and gateways once they have the new %s\n",
				filepath.Join(args[0], fleet.AccessFile))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&client.Kinds, "kinds", wire.KindNames(), "what the client may ask for")
	f.StringVar(&publicKey, "public-key", "", "its Ed25519 key in hexadecimal, from frostctl fleet key")
	f.StringVar(&client.NKey, "nkey", "", "its public nkey (U...), from nk -gen user -pubout")
	cmd.MarkFlagsRequiredTogether("public-key", "nkey")
	return cmd
}
