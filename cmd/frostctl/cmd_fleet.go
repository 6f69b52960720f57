package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/fleet"
)

func newFleetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "fleet", Short: "Make fleets"}
	cmd.AddCommand(newFleetInitCommand())
	return cmd
}

func newFleetInitCommand() *cobra.Command {
	o := fleet.Options{}
	var serverPort int
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "Write a complete fleet directory with fresh software keys",
		Long: `Init writes a manifest, an access list, and the configuration and keys of
every node, a gateway and a client. The keys are software keys, for development.

In production every node makes its keys on its own KMS or HSM; collect the
cards that frost-worker enroll prints into a manifest instead.`,
		Example: `  frostctl fleet init ./fleet --nodes 3 --threshold 2 --network regtest
  frostctl dev ./fleet`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if serverPort != 0 {
				for i := range o.N + 1 {
					o.ServerPorts = append(o.ServerPorts, serverPort+i)
				}
			}
			dir := args[0]
			m, err := fleet.Init(cmd.Context(), dir, o)
			if err != nil {
				return err
			}
			hash := m.Hash()
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "fleet %s: %d of %d on %s, manifest %x\n\n", m.Fleet, m.T, m.N, m.Network, hash)
			fmt.Fprintf(out, "all in one process:\n  frostctl dev %s\n\nor one process each:\n", dir)
			fmt.Fprintf(out, "  frost-gateway run --config %s\n", filepath.Join(dir, fleet.GatewayFile))
			for i := range m.N {
				fmt.Fprintf(out, "  frost-worker run --config %s\n", filepath.Join(dir, fleet.NodeFile(i)))
			}
			fmt.Fprintf(out, "\nthen:\n  frostctl keygen --config %s --chain bitcoin --count 10\n", filepath.Join(dir, fleet.ClientFile))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "dev", "name of the fleet: lower-case letters, digits, _ and -")
	f.IntVar(&o.N, "nodes", 3, "workers that hold shares")
	f.IntVar(&o.T, "threshold", 2, "workers that it takes to sign")
	f.StringVar(&o.Network, "network", "regtest", "mainnet, testnet, signet or regtest")
	f.StringVar(&o.Client, "client", "client0", "name of the first client")
	f.StringVar(&o.BusURL, "bus-url", "", "an external NATS (default: the gateway embeds one)")
	f.IntVar(&o.BusPort, "bus-port", 4222, "port of the embedded NATS, on loopback")
	f.IntVar(&serverPort, "server-port", 4000, "health and metrics: the gateway's port, nodes follow; 0: none")
	f.BoolVar(&o.AttestSigning, "attest-signing", true, "every signing commitment is authorised by the node's key provider")
	f.BoolVar(&o.AllowInsecure, "allow-insecure", false, "software keys on mainnet, where nothing of value is at stake")
	return cmd
}
