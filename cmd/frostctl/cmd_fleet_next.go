package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newFleetNextCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "next", Short: "Prepare and check the manifest that follows a fleet's",
		Long: `Next is how a fleet changes: other nodes, devices, n or t, or fresh shares for
the same. Its keys move to the nodes of the next manifest, and their addresses
stay. The order is in docs/operations.md: next prepare, frost-worker
accept-manifest on the nodes of now, the next nodes' workers, fleet reshare,
frost-worker retire.`,
		Example: `  frostctl fleet next prepare --manifest manifest.json --threshold 2 card0.json card1.json card2.json
  frostctl fleet next check next.json --manifest manifest.json`}
	cmd.AddCommand(newFleetNextPrepareCommand(), newFleetNextCheckCommand())
	return cmd
}

func newFleetNextPrepareCommand() *cobra.Command {
	var manifest, path string
	var threshold int
	var attest bool
	cmd := &cobra.Command{
		Use:   "prepare --manifest FILE --threshold T CARD.json...",
		Short: "Join the cards of the next fleet's nodes into the manifest that follows",
		Long: `Prepare joins the cards that frost-worker enroll printed for the next epoch, one
of each node of the next fleet, those that stay included, into the manifest that
follows the one of now. It prints what changes. The file is public: every
operator of a node of now reads it with frost-worker accept-manifest before he
approves it.`,
		Example: `  frostctl fleet next prepare --manifest manifest.json --threshold 2 card0.json card1.json card2.json`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := config.LoadManifest(manifest)
			if err != nil {
				return err
			}
			cards := make([]fleet.Card, len(args))
			for i, file := range args {
				if cards[i], err = fleet.ReadCard(file); err != nil {
					return err
				}
			}
			if !cmd.Flags().Changed("attest-signing") {
				attest = m.AttestSigning
			}
			next, err := fleet.Next(m, cards, threshold, attest)
			if err != nil {
				return err
			}
			if err := fleet.WriteManifest(path, next); err != nil {
				return err
			}
			if err := showDifference(cmd, m, next); err != nil {
				return err
			}
			note(cmd, "written to %s; then on each node of now: frost-worker accept-manifest %s --config node.toml", path, path)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&manifest, "manifest", "", "the fleet's manifest of now")
	f.IntVar(&threshold, "threshold", 0, "workers of the next fleet that it takes to sign")
	f.BoolVar(&attest, "attest-signing", true,
		"every signing commitment is authorised by the node's key provider (default: as now)")
	f.StringVarP(&path, "out", "o", "next.json", "file to write; one that exists is not replaced")
	for _, flag := range []string{"manifest", "threshold"} {
		_ = cmd.MarkFlagRequired(flag)
	}
	_ = cmd.MarkFlagFilename("manifest", "json")
	return cmd
}

func newFleetNextCheckCommand() *cobra.Command {
	var manifest string
	cmd := &cobra.Command{
		Use: "check NEXT.json --manifest FILE", Short: "Check that a manifest follows the fleet's, and print what changes",
		Long: `Check reads a manifest as nodes do that are asked to approve it, and prints what
changes by it: nodes, keys of devices, n and t.`,
		Example: `  frostctl fleet next check next.json --manifest manifest.json`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, next, err := loadNext(manifest, args[0])
			if err != nil {
				return err
			}
			return showDifference(cmd, m, next)
		},
	}
	cmd.Flags().StringVar(&manifest, "manifest", "", "the fleet's manifest of now")
	_ = cmd.MarkFlagRequired("manifest")
	_ = cmd.MarkFlagFilename("manifest", "json")
	return cmd
}

// loadNext reads a manifest and one that must follow it.
func loadNext(manifest, path string) (m, next *wire.Manifest, err error) {
	if m, err = config.LoadManifest(manifest); err != nil {
		return nil, nil, err
	}
	if next, err = config.LoadManifest(path); err != nil {
		return nil, nil, err
	}
	if err = m.CheckSuccessor(next); err != nil {
		return nil, nil, fmt.Errorf("%s does not follow %s: %w", path, manifest, err)
	}
	return m, next, nil
}

func showDifference(cmd *cobra.Command, m, next *wire.Manifest) error {
	d := fleet.Compare(m, next)
	return show(cmd, d, func(w io.Writer) error {
		for _, line := range d.Lines() {
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
		return nil
	})
}
