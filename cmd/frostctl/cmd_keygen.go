package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

type keygenOptions struct {
	chain   string
	count   int
	out     string
	resume  string
	timeout time.Duration
}

func newKeygenCommand() *cobra.Command {
	var o keygenOptions
	cmd := &cobra.Command{
		Use:   "keygen {--chain CHAIN --count N | --resume FILE}",
		Short: "Generate keys and print their addresses",
		Long: `Keygen has the fleet generate keys. An address is shown only after all nodes
certified its key under their hardware keys, and the certificates were checked
against the manifest.

Each key is printed as "ID<tab>ADDRESS" as soon as it is there, or with --json
each job as one line with its certificates. With --out those JSON lines are
appended to a file, each on the disk before the next, and only the first ten
keys are printed, or with --json a summary. The file proves the addresses to
anybody who has the manifest (frostctl verify --keys), and frostctl sign --keys
reads it.

Large requests are cut into several jobs. One command generates at most
1,000,000 keys. Each job is saved before it is published, in FILE.jobs beside
--out FILE, or without --out in a new file keygen-….jobs in this folder, which
goes away once all keys are there. After an interruption, a time-out or a crash
keygen --resume goes on: it fetches what the fleet finished meanwhile (results
are kept for 24 hours), publishes jobs again that are still open, and generates
the rest. Without --out it prints all keys of the request. frostctl jobs result
shows what is finished and publishes nothing.`,
		Example: `  frostctl keygen --chain bitcoin --count 1
  frostctl keygen --chain solana --count 100000 --out keys.jsonl
  frostctl keygen --resume keys.jsonl.jobs
  frostctl keygen --chain bitcoin --count 10 --json | jq -r '.result.keys[].address'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return keygen(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.chain, "chain", "", wire.AboutChains())
	f.IntVar(&o.count, "count", 1, "how many keys")
	f.StringVarP(&o.out, "out", "o", "", "append keys and certificates to this file")
	f.StringVar(&o.resume, "resume", "", "go on with a request, whose jobs this file has")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this long (default: when the jobs expire, 30m each)")
	addConfigFlag(cmd)
	cmd.MarkFlagsOneRequired("chain", "resume")
	for _, other := range []string{"chain", "count", "out"} {
		cmd.MarkFlagsMutuallyExclusive(other, "resume")
	}
	completeChain(cmd)
	return cmd
}

func keygen(cmd *cobra.Command, o keygenOptions) (err error) {
	if o.resume == "" {
		if _, ok := wire.ChainSuite(o.chain); !ok {
			return usagef("--chain %q: use %s", o.chain, wire.Or(wire.ChainNames()))
		}
		if o.count < 1 || o.count > client.MaxRequestKeys {
			return usagef("--count %d: ask for 1 to %d keys, and again for more", o.count, client.MaxRequestKeys)
		}
	}
	k := &keygenRun{cmd: cmd, chain: o.chain, count: o.count, path: o.out}
	defer func() { err = k.close(err) }()
	if err := k.open(o.resume); err != nil {
		return err
	}
	c, done, err := connect(cmd)
	if err != nil {
		return err
	}
	defer done()
	if err := k.begin(c); err != nil {
		return err
	}
	ctx, cancel := withTimeout(cmd.Context(), o.timeout)
	defer cancel()
	return k.run(ctx, c)
}

// shown is how many keys are printed of those that are in a file.
const shown = 10

// keygenSummary is the output of keygen with --json and --out.
type keygenSummary struct {
	File string   `json:"file"`
	Keys int      `json:"keys"`
	IDs  []string `json:"ids"`  // of the first ones
	Jobs []string `json:"jobs"` // which made those
}

// print prints what is left to say when the keys are in a file: the first of them.
func (k *keygenRun) print(m *client.Manifest) error {
	if k.path == "" {
		return nil
	}
	k.summary.File, k.summary.Keys = k.path, k.done
	if err := say(k.cmd, k.summary, "%s", &k.text); err != nil || wantJSON(k.cmd) {
		return err
	}
	note(k.cmd, "%d keys, each certified by all %d nodes of fleet %s, are in %s", k.done, m.N, m.Fleet, k.path)
	return nil
}

// show remembers the first keys to print them last, or prints all of them now if they go
// to no file.
func (k *keygenRun) show(p client.Proof, keys []client.Key) error {
	if k.path == "" {
		if wantJSON(k.cmd) {
			return printJSON(k.cmd.OutOrStdout(), p)
		}
		return printKeys(k.cmd, keys)
	}
	for i, key := range keys[:min(len(keys), shown-len(k.summary.IDs))] {
		if k.summary.IDs = append(k.summary.IDs, key.ID); i == 0 {
			job, err := client.ParseSavedJob(p.Job)
			if err != nil {
				return err
			}
			k.summary.Jobs = append(k.summary.Jobs, job.ID)
		}
		fmt.Fprintf(&k.text, "%s\t%s\n", key.ID, key.Address)
	}
	return nil
}

func printKeys(cmd *cobra.Command, keys []client.Key) error {
	for _, key := range keys {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", key.ID, key.Address); err != nil {
			return err
		}
	}
	return nil
}

func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}
