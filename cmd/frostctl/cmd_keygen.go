package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

type keygenOptions struct {
	chain   string
	count   int
	out     string
	timeout time.Duration
}

func newKeygenCommand() *cobra.Command {
	var o keygenOptions
	cmd := &cobra.Command{
		Use:   "keygen --chain CHAIN --count N",
		Short: "Generate keys and print their addresses",
		Long: `Keygen has the fleet generate keys. An address is shown only after all nodes
certified its key under their hardware keys, and the certificates were checked
against the manifest.

Each key is printed as "ID<tab>ADDRESS", or with --json each job as one line
with its certificates. With --out those JSON lines are appended to a file, each
on the disk before the next, and only the first ten keys are printed, or with
--json a summary. The file proves the addresses to anybody who has the manifest
(frostctl verify --keys), and frostctl sign --keys reads it.

Large requests are cut into several jobs. If one fails, the keys of the others
are good, and are printed. One command generates at most 1,000,000 keys.`,
		Example: `  frostctl keygen --chain bitcoin --count 1
  frostctl keygen --chain solana --count 100000 --out keys.jsonl
  frostctl keygen --chain bitcoin --count 10 --json | jq -r '.result.keys[].address'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return keygen(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.chain, "chain", "", wire.AboutChains())
	f.IntVar(&o.count, "count", 1, "how many keys")
	f.StringVarP(&o.out, "out", "o", "", "append keys and certificates to this file")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long (default: when the jobs expire, 30m each)")
	addConfigFlag(cmd)
	_ = cmd.MarkFlagRequired("chain") // fails only without such a flag
	completeChain(cmd)
	return cmd
}

func keygen(cmd *cobra.Command, o keygenOptions) (err error) {
	suite, ok := wire.ChainSuite(o.chain)
	if !ok {
		return usagef("--chain %q: use %s", o.chain, wire.Or(wire.ChainNames()))
	}
	if o.count < 1 || o.count > client.MaxRequestKeys {
		return usagef("--count %d: ask for 1 to %d keys, and again for more", o.count, client.MaxRequestKeys)
	}
	var file *os.File
	if o.out != "" {
		if file, err = os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
	}
	c, done, err := connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := withTimeout(cmd.Context(), o.timeout)
	defer cancel()

	m := c.Manifest()
	bar := newProgress(cmd, "keys", o.count)
	got, err := c.Keygen(ctx, client.KeygenRequest{
		Chain: o.chain, Count: o.count, Progress: bar.update,
		OnProof: func(p client.Proof) error { return saveProof(cmd, file, p) },
		JobKeys: wire.BatchSize(suite, m.N, m.T), // one batch a job: the finest progress that costs nothing
	})
	bar.finish()
	return errors.Join(late(err), printKeygen(cmd, m, got.Keys, o.out))
}

// shown is how many keys are printed of those that are in a file.
const shown = 10

// keygenSummary is the output of keygen with --json and --out.
type keygenSummary struct {
	File string   `json:"file"`
	Keys int      `json:"keys"`
	IDs  []string `json:"ids"` // of the first ones
}

// printKeygen prints the keys: all that are in no file, or the first of those
// that are.
func printKeygen(cmd *cobra.Command, m *client.Manifest, keys []client.Key, file string) error {
	first := keys
	if file != "" {
		first = keys[:min(len(keys), shown)]
	} else if wantJSON(cmd) { // saveProof has printed them
		return nil
	}
	summary := keygenSummary{File: file, Keys: len(keys), IDs: []string{}}
	var text strings.Builder
	for _, k := range first {
		summary.IDs = append(summary.IDs, k.ID)
		fmt.Fprintf(&text, "%s\t%s\n", k.ID, k.Address)
	}
	err := say(cmd, summary, "%s", &text)
	if err == nil && file != "" && !wantJSON(cmd) {
		note(cmd, "%d keys, each certified by all %d nodes of fleet %s, are in %s", len(keys), m.N, m.Fleet, file)
	}
	return err
}

// saveProof writes a proof to the file, on the disk before the next comes, or
// with --json alone to standard output.
func saveProof(cmd *cobra.Command, file *os.File, p client.Proof) (err error) {
	switch {
	case file != nil:
		err = errors.Join(printJSON(file, p), file.Sync())
	case wantJSON(cmd):
		err = printJSON(cmd.OutOrStdout(), p)
	}
	if err != nil {
		return fmt.Errorf("saving keys: %w", err)
	}
	return nil
}

func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
