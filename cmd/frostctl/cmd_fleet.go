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

func newFleetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "fleet", Short: "Make fleets, change them, and look at them",
		Long: `Fleet makes what a fleet starts with, its manifest and the keys of gateways and
clients, leads it to a next manifest, and shows how it is.`,
		Example: `  frostctl fleet init ./fleet --nodes 3 --threshold 2
  frostctl fleet status`,
	}
	cmd.AddCommand(newFleetInitCommand(), newFleetManifestCommand(), newFleetKeyCommand(), newFleetHashCommand(),
		newFleetAddClientCommand(), newFleetNextCommand(), newFleetReshareCommand(), newFleetStatusCommand())
	return cmd
}

func newFleetInitCommand() *cobra.Command {
	o := fleet.Options{BusPort: 4222}
	serverPort := 4000
	var manifest string
	var cluster clusterFlags
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Write a complete fleet directory with fresh software keys, or one around a manifest",
		Long: `Init writes a manifest, an access list, and the configuration and keys of
every node, a gateway and a client. The keys are software keys, for development.
prometheus-targets.json lists where Prometheus finds their metrics.

In production every node makes its keys on its own KMS or HSM, and frostctl
fleet manifest joins their cards. With that manifest, init writes all but the
nodes: the access list, and a gateway and a client.

With --cluster, init also writes the configurations of 3 or 5 NATS servers: TLS,
an account and credentials for every role, streams that are on every server.
README.md in DIR has the commands that start it all, and says what goes to which
machine.`,
		Example: `  frostctl fleet init ./fleet --nodes 3 --threshold 2 --network regtest
  frostctl dev ./fleet

  frostctl fleet init ./fleet --cluster 3
  frostctl dev ./fleet --cluster

  frostctl fleet init ./fleet --manifest manifest.json --cluster 3 \
    --hosts nats-1.example.org,nats-2.example.org,nats-3.example.org`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if manifest != "" {
				if o.Manifest, err = config.LoadManifest(manifest); err != nil {
					return err
				}
				o.N = o.Manifest.N
			}
			if o.N < 1 || o.N > wire.MaxNodes || o.Manifest == nil && (o.T < 1 || o.T > o.N) {
				return usagef("--threshold %d of --nodes %d: want 1 to n of n, and n at most %d", o.T, o.N, wire.MaxNodes)
			}
			if o.Manifest == nil && !wire.IsNetwork(o.Network) {
				return usagef("--network %.64q: use mainnet, testnet, signet or regtest", o.Network)
			}
			if serverPort+o.N > 65535 {
				return usagef("--server-port %d: the nodes' ports follow it, and would end above 65535", serverPort)
			}
			if serverPort != 0 {
				for i := range o.N + 1 {
					o.ServerPorts = append(o.ServerPorts, serverPort+i)
				}
			}
			if o.Cluster, err = cluster.cluster(cmd, o.BusPort); err != nil {
				return usagef("%v", err)
			}
			m, err := fleet.Init(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			if wantJSON(cmd) {
				line := describe(filepath.Join(args[0], fleet.ManifestFile), m)
				if o.Cluster != nil {
					line.URL, line.Readme = o.Cluster.URL(), filepath.Join(args[0], fleet.ReadmeFile)
				}
				return printJSON(cmd.OutOrStdout(), line)
			}
			if o.Cluster != nil {
				describeCluster(cmd.OutOrStdout(), args[0], m, o.Cluster)
				return nil
			}
			describeFleet(cmd.OutOrStdout(), args[0], m, o.Manifest == nil)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "dev", "name of the fleet: lower-case letters, digits, _ and -")
	f.IntVar(&o.N, "nodes", 3, "workers that hold shares, at most 128")
	f.IntVar(&o.T, "threshold", 2, "workers that it takes to sign")
	f.StringVar(&o.Network, "network", "regtest", "mainnet, testnet, signet or regtest")
	f.StringVar(&o.Client, "client", "client0", "name of the first client")
	f.IntVar(&o.Administrators, "administrators", 1, "who may freeze, and a majority of whom unfreezes: at most 16")
	f.StringVar(&o.BusURL, "bus-url", "", "an external NATS (default: the gateway embeds one)")
	f.Var(portFlag{&o.BusPort, 1}, "bus-port",
		"port of the embedded NATS, on loopback, or of the cluster's servers; further ones of one host follow")
	f.Var(portFlag{&serverPort, 0}, "server-port", "health and metrics: the gateway's port, nodes follow; 0: none")
	f.BoolVar(&o.AttestSigning, "attest-signing", true,
		"every signing commitment is authorised by the node's key provider")
	f.BoolVar(&o.AllowInsecure, "allow-insecure", false, "software keys on mainnet, where nothing of value is at stake")
	f.StringVar(&manifest, "manifest", "", "manifest of nodes that have keys of their own: write none")
	cluster.add(cmd)
	_ = cmd.MarkFlagFilename("manifest", "json")
	for _, flag := range []string{"name", "nodes", "threshold", "network", "attest-signing", "allow-insecure"} {
		cmd.MarkFlagsMutuallyExclusive("manifest", flag)
	}
	return cmd
}

// fleetLine is the output with --json of what makes a fleet.
type fleetLine struct {
	Manifest string `json:"manifest"` // file
	Fleet    string `json:"fleet"`
	Network  string `json:"network"`
	N        int    `json:"n"`
	T        int    `json:"t"`
	Hash     string `json:"hash"`
	URL      string `json:"url,omitempty"`    // of a cluster
	Readme   string `json:"readme,omitempty"` // its instructions
}

func describe(file string, m *wire.Manifest) fleetLine {
	return fleetLine{
		Manifest: file, Fleet: m.Fleet, Network: m.Network, N: m.N, T: m.T, Hash: fmt.Sprintf("%x", m.Hash()),
	}
}

// describeFleet prints what was written and how to run it. nodes says whether
// the nodes were written too.
func describeFleet(out io.Writer, dir string, m *wire.Manifest, nodes bool) {
	fmt.Fprintf(out, "fleet %s: %d of %d on %s, manifest %x\n\n", m.Fleet, m.T, m.N, m.Network, m.Hash())
	if nodes {
		fmt.Fprintf(out, "all in one process:\n  frostctl dev %s\n\nor one process each:\n", dir)
	} else {
		fmt.Fprintf(out, "give every node %s and %s; then\n",
			filepath.Join(dir, fleet.ManifestFile), filepath.Join(dir, fleet.AccessFile))
	}
	fmt.Fprintf(out, "  frost-gateway run --config %s\n", filepath.Join(dir, fleet.GatewayFile))
	for i := range m.N {
		file := fmt.Sprintf("node%d.toml # on its own machine", i)
		if nodes {
			file = filepath.Join(dir, fleet.NodeFile(i))
		}
		fmt.Fprintf(out, "  frost-worker run --config %s\n", file)
	}
	fmt.Fprintf(out, "\nthen:\n  frostctl keygen --config %s --chain bitcoin --count 10\n",
		filepath.Join(dir, fleet.ClientFile))
}
