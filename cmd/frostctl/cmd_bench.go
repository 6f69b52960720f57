package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// benchmark is one benchmark: its flags, and what it runs with.
type benchmark struct {
	chain    string
	rate     float64
	duration time.Duration
	count    int
	batch    int
	workers  int
	keys     string
	keyCount int
	bulk     string
	timeout  time.Duration
	hgrm     string
	yes      bool

	cmd     *cobra.Command
	c       *client.Client
	signers []client.Key // to sign with
	salt    string       // makes the messages of each run its own
}

func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put load on a fleet and measure how it answers",
		Long: `Bench puts load on a running fleet and reports throughput and the percentiles
of latency: of keygen jobs, of sign jobs, or of single signatures beside bulk
jobs. Everything that a user waits for is in it, the client's own checks
included.

With --rate the load is open-loop: a job is due every 1/RATE seconds whether
earlier ones were answered or not, and its latency counts from then. A fleet
that is too slow for the rate is seen in the latencies, and in jobs that it
turned away ("busy"). Without --rate the load is a closed loop: --workers jobs
at a time, each worker asking again as soon as it is answered, and waiting while
the fleet is busy.

What a benchmark generates stays: KEYS keeps its keys for ever. Use a fleet made
for it. On any network but regtest the command does nothing without --yes.`,
		Example: `  frostctl bench keygen --chain bitcoin --duration 30s --workers 4
  frostctl bench sign --chain solana --rate 100 --hgrm sign.hgrm
  frostctl bench mixed --chain bitcoin --rate 20 --json | jq '.loads[].latency'`,
	}
	cmd.AddCommand(newBenchKeygenCommand(), newBenchSignCommand(), newBenchMixedCommand())
	return cmd
}

func newBenchKeygenCommand() *cobra.Command {
	var b benchmark
	cmd := &cobra.Command{
		Use:   "keygen --chain CHAIN",
		Short: "Load of keygen jobs",
		Long: `Bench keygen asks for keys, --batch in a job, and checks their certificates as
frostctl keygen does. The keys stay in KEYS for ever.`,
		Example: `  frostctl bench keygen --chain bitcoin --duration 30s --workers 4
  frostctl bench keygen --chain solana --batch 1 --rate 50 --hgrm keygen.hgrm`,
	}
	b.addFlags(cmd, (*benchmark).keygen, 0, "keys in a job (default: as many as one batch holds, 1000 for three nodes)")
	b.addLoad(cmd)
	return cmd
}

func newBenchSignCommand() *cobra.Command {
	var b benchmark
	cmd := &cobra.Command{
		Use:   "sign --chain CHAIN",
		Short: "Load of sign jobs",
		Long: `Bench sign has random messages signed, --batch in a job, and verifies every
signature. No message can be mistaken for a transaction. The keys come from a
file of frostctl keygen, or are generated before the measurement.`,
		Example: `  frostctl bench sign --chain bitcoin --keys keys.jsonl --duration 1m
  frostctl bench sign --chain solana --rate 100 --hgrm sign.hgrm
  frostctl bench sign --chain bitcoin --batch 1000 --workers 4`,
	}
	b.addFlags(cmd, (*benchmark).sign, 1, "messages in a job")
	b.addLoad(cmd)
	b.addKeys(cmd)
	return cmd
}

func newBenchMixedCommand() *cobra.Command {
	var b benchmark
	cmd := &cobra.Command{
		Use:   "mixed --chain CHAIN",
		Short: "Load of single signatures beside bulk jobs",
		Long: `Bench mixed keeps --workers bulk jobs of --batch under way, in a closed loop,
and beside them asks for single signatures at --rate, in an open loop: what do
people wait for while a sweep runs? Both loads are reported.`,
		Example: `  frostctl bench mixed --chain bitcoin --rate 20 --duration 30s --hgrm mixed.hgrm
  frostctl bench mixed --chain solana --bulk keygen --workers 2`,
	}
	b.addFlags(cmd, (*benchmark).mixed, 0,
		"keys or messages in a bulk job (default: as many as one batch holds, 1000 for three nodes)")
	b.addKeys(cmd)
	f := cmd.Flags()
	f.Float64Var(&b.rate, "rate", 20, "single signatures a second, in an open loop")
	f.IntVar(&b.workers, "workers", 4, "bulk jobs under way")
	f.StringVar(&b.bulk, "bulk", "sign", "what the bulk jobs are: sign or keygen")
	_ = cmd.RegisterFlagCompletionFunc("bulk",
		cobra.FixedCompletions([]string{"sign", "keygen"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// addFlags adds what all benchmarks have.
func (b *benchmark) addFlags(
	cmd *cobra.Command, loads func(*benchmark) []loadgen.Load, batch int, batchUsage string,
) {
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return b.run(cmd, loads) }
	f := cmd.Flags()
	f.StringVar(&b.chain, "chain", "", wire.AboutChains())
	f.DurationVar(&b.duration, "duration", 10*time.Second, "how long jobs are started")
	f.IntVar(&b.batch, "batch", batch, batchUsage)
	f.DurationVar(&b.timeout, "timeout", time.Minute, "a job that takes longer has failed")
	f.StringVar(&b.hgrm, "hgrm", "",
		"write the latency percentiles here, as HdrHistogram's plotters read them; of mixed, the single signatures'")
	f.BoolVar(&b.yes, "yes", false, "do it on a network that is not regtest")
	addConfigFlag(cmd)
	_ = cmd.MarkFlagRequired("chain") // fails only without such a flag
	completeChain(cmd)
	_ = cmd.MarkFlagFilename("hgrm", "hgrm")
}

// addLoad adds the flags of one load, which mixed has none of or in another sense.
func (b *benchmark) addLoad(cmd *cobra.Command) {
	f := cmd.Flags()
	f.Float64Var(&b.rate, "rate", 0, "jobs a second, in an open loop (default: a closed loop)")
	f.IntVar(&b.workers, "workers", 0, "jobs under way at most (default: 1, or 1024 with --rate)")
	f.IntVar(&b.count, "count", 0, "how many jobs, instead of for --duration")
	cmd.MarkFlagsMutuallyExclusive("count", "duration")
}

func (b *benchmark) addKeys(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.keys, "keys", "", "sign with the keys of this file of frostctl keygen")
	cmd.Flags().IntVar(&b.keyCount, "key-count", 100, "or with this many, which are generated first")
	cmd.MarkFlagsMutuallyExclusive("keys", "key-count")
	_ = cmd.MarkFlagFilename("keys", "jsonl")
}

// check refuses what can't be run.
func (b *benchmark) check(cmd *cobra.Command) error {
	if _, ok := wire.ChainSuite(b.chain); !ok {
		return usagef("--chain %q: use %s", b.chain, wire.Or(wire.ChainNames()))
	}
	given := cmd.Flags().Changed
	for name, n := range map[string]int{
		"count": b.count, "workers": b.workers, "batch": b.batch, "key-count": b.keyCount,
	} {
		if given(name) && n < 1 {
			return usagef("--%s %d: use at least 1", name, n)
		}
	}
	switch {
	case given("rate") && !(b.rate > 0 && b.rate <= maxBenchRate):
		return usagef("--rate %g: use more than 0 and at most %d jobs a second", b.rate, int(maxBenchRate))
	case b.duration <= 0:
		return usagef("--duration %s: use a positive time", b.duration)
	case b.timeout < time.Second || b.timeout > wire.MaxJobLife/2:
		return usagef("--timeout %s: use 1s to %s", b.timeout, wire.MaxJobLife/2)
	case given("bulk") && b.bulk != "sign" && b.bulk != "keygen":
		return usagef("--bulk %q: use sign or keygen", b.bulk)
	}
	most := client.MaxJobItems
	if cmd.Name() == "keygen" || b.bulk == "keygen" {
		most = client.MaxJobKeys
	}
	if b.batch > most {
		return usagef("--batch %d: such a job has at most %d", b.batch, most)
	}
	return nil
}

const maxBenchRate = 1e5

// complete fills in what the flags leave open.
func (b *benchmark) complete(m *client.Manifest) {
	if b.count > 0 {
		b.duration = 0
	}
	if b.batch == 0 { // one key generation
		suite, _ := wire.ChainSuite(b.chain) // checked
		b.batch = min(wire.BatchSize(suite, m.N, m.T), client.MaxJobItems)
	}
}

// benchReport is the output of bench with --json.
type benchReport struct {
	Bench   string            `json:"bench"` // keygen, sign or mixed
	Fleet   string            `json:"fleet"`
	Network string            `json:"network"`
	N       int               `json:"n"`
	T       int               `json:"t"`
	Chain   string            `json:"chain"`
	Batch   int               `json:"batch"` // keys or messages in a job, of mixed in a bulk job
	Loads   []*loadgen.Report `json:"loads"`
}

// run runs the benchmark and reports what it measured, also when it was
// interrupted.
func (b *benchmark) run(cmd *cobra.Command, loads func(*benchmark) []loadgen.Load) (err error) {
	if err := b.check(cmd); err != nil {
		return err
	}
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	m := cfg.Manifest
	if m.Network != "regtest" && !b.yes {
		return usagef("fleet %s is on %s: this puts load on it, and KEYS keeps for ever what keys the benchmark "+
			"generates; use a fleet on regtest, or add --yes", m.Fleet, m.Network)
	}
	var hgrm *os.File // made now: a measurement is not lost to a wrong name
	if b.hgrm != "" {
		if hgrm, err = os.Create(b.hgrm); err != nil {
			return fmt.Errorf("--hgrm: %w", err)
		}
		defer func() { err = errors.Join(err, hgrm.Close()) }()
	}
	c, done, err := dial(cmd, cfg)
	if err != nil {
		return err
	}
	defer done()
	b.complete(m)
	b.cmd, b.c = cmd, c
	if cmd.Name() != "keygen" {
		if err := b.findKeys(); err != nil {
			return err
		}
	}
	reports, failure := b.measure(loads(b))
	report := &benchReport{cmd.Name(), m.Fleet, m.Network, m.N, m.T, b.chain, b.batch, reports}
	if hgrm != nil {
		failure = errors.Join(failure, reports[0].WritePercentiles(hgrm))
	}
	return errors.Join(failure, show(cmd, report, report.writeText), outcome(reports))
}

func (r *benchReport) writeText(w io.Writer) error {
	_, err := fmt.Fprintf(w, "frostctl bench %s: %s, %d a job, fleet %s, %d of %d on %s\n",
		r.Bench, r.Chain, r.Batch, r.Fleet, r.T, r.N, r.Network)
	for _, l := range r.Loads {
		err = errors.Join(err, l.WriteText(w))
	}
	return err
}

// outcome is an error if a job failed, or if the fleet had no room for any.
func outcome(loads []*loadgen.Report) error {
	var errs []error
	for _, l := range loads {
		switch {
		case l.Failed > 0:
			errs = append(errs,
				fmt.Errorf("%s: %d of %d jobs failed, the first: %w", l.Name, l.Failed, l.Started, late(l.FirstError)))
		case l.Done == 0 && l.Busy > 0:
			errs = append(errs, fmt.Errorf("%s: none of %d jobs was taken: %w", l.Name, l.Started,
				&client.BusyError{RetryAfter: time.Second, Reason: "the fleet has no room for this client's jobs"}))
		}
	}
	return errors.Join(errs...)
}
