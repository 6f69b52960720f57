package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Exit codes of frostctl's own, beside those that every program has.
const (
	exitRefused  = 3 // the fleet refused or gave up the job
	exitUnproven = 4 // a signature, certificate or address that does not verify, an audit log that was changed, or a damaged KEYS
	exitBusy     = 5 // no room for the job until the time was over
	exitTimeout  = 6 // no answer in time
	exitTooFew   = 7 // the fleet can't sign now
)

// exits are frostctl's own exit codes; the first that fits counts.
var exits = []command.Exit{
	{Code: exitUnproven, Is: isUnproven,
		Meaning: "a signature, certificate, address or audit log does not verify: do not use it; or KEYS is damaged"},
	{Code: exitRefused, Is: is[*client.JobError],
		Meaning: "the fleet refused, denied or gave up the job; docs/jobs.md explains the codes"},
	{Code: exitBusy, Is: isBusy,
		Meaning: "the fleet had no room for the job until the time was over: try later"},
	{Code: exitTimeout, Is: isLate,
		Meaning: "no answer in time, or none yet, as of a job that waits for approvals; it may still be done: " +
			"frostctl keygen --resume, jobs result, jobs watch"},
	{Code: exitTooFew, Is: func(err error) bool { return errors.Is(err, errTooFew) },
		Meaning: "frostctl fleet status: fewer nodes are present than it takes to sign"},
}

func isUnproven(err error) bool {
	return is[*client.ProofError](err) || errors.Is(err, client.ErrSignature) || errors.Is(err, errUnproven) ||
		errors.Is(err, client.ErrDisagreement) || errors.Is(err, errDamaged)
}

func isLate(err error) bool {
	return errors.Is(err, client.ErrNoAnswer) || errors.Is(err, client.ErrNoResult) || errors.Is(err, errLate) ||
		is[*client.PendingError](err) || httpclient.Is(err, "timeout")
}

func isBusy(err error) bool {
	return is[*client.BusyError](err) || httpclient.Is(err, "busy", "rate_limited", "not_ready")
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

var (
	// errUnproven: what was to be verified does not verify.
	errUnproven = errors.New("does not verify")
	// errLate: jobs were published and not answered by the time that --timeout gave them.
	errLate = errors.New("no answer in time: the fleet may still do the jobs that were published (frostctl jobs)")
)

// late marks the end of a time that was given for answers. Other times that run
// out, a connection's for instance, are ordinary errors.
func late(err error) error {
	if errors.Is(err, context.DeadlineExceeded) && !is[*client.BusyError](err) {
		return fmt.Errorf("%w: %w", errLate, err)
	}
	return err
}

func usagef(format string, args ...any) error { return command.Usagef(format, args...) }

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "frostctl",
		Short: "Ask a Frostfleet for keys and signatures, and administer it",
		Long: `Frostctl asks a Frostfleet for keys and signatures, checks what it gets, and
administers the fleet.

Commands for users read a client.toml: --config FILE, or ./client.toml, or the
file that $FROSTCTL_CONFIG names. Results go to standard output; progress,
warnings and errors to standard error.`,
		Example: `  frostctl fleet init ./fleet && frostctl dev ./fleet &
  export FROSTCTL_CONFIG=./fleet/client.toml
  frostctl keygen --chain bitcoin --count 1000 --out keys.jsonl
  frostctl verify --keys keys.jsonl
  frostctl addresses --key ID --count 100
  frostctl sign --keys keys.jsonl --key ID --message HEX`,
	}
	root.PersistentFlags().Bool("json", false, "print JSON, one object a line, also for progress")
	root.AddGroup(&cobra.Group{ID: "use", Title: "Use a fleet:"}, &cobra.Group{ID: "run", Title: "Run a fleet:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("use", newKeygenCommand(), newSignCommand(), newApproveCommand(), newPendingCommand(), newTxCommand(), newVerifyCommand(),
		newAddressesCommand(), newKeysCommand(), newJobsCommand(), newBenchCommand(), newCheckCommand())
	add("run", newFleetCommand(), newBusCommand(), newRegisterCommand(), newAuditCommand(), newFreezeCommand(),
		newUnfreezeCommand(), newFreezesCommand(), newHTTPCommand(), newReconstructCommand(), newTestDKGCommand(), newDevCommand(),
		newDemoCommand())
	completeFlags(root)
	return root
}

// configPath finds the client's file: the flag, ./client.toml, or
// $FROSTCTL_CONFIG.
func configPath(cmd *cobra.Command) (string, error) {
	if path, _ := cmd.Flags().GetString("config"); path != "" {
		return path, nil
	}
	const local = "client.toml"
	if _, err := os.Stat(local); err == nil {
		return local, nil
	}
	if path := os.Getenv("FROSTCTL_CONFIG"); path != "" {
		return path, nil
	}
	return "", usagef("no client.toml here: name one with --config FILE or in $FROSTCTL_CONFIG " +
		"(frostctl fleet init DIR writes one)")
}

func addConfigFlag(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "client configuration (default ./client.toml, then $FROSTCTL_CONFIG)")
	_ = cmd.MarkFlagFilename("config", "toml") // fails only without such a flag
}

// completeChain makes shells complete --chain.
func completeChain(cmd *cobra.Command) {
	chains := cobra.FixedCompletions(wire.ChainNames(), cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc("chain", chains) // fails only without such a flag
}

func loadConfig(cmd *cobra.Command) (client.Config, error) {
	path, err := configPath(cmd)
	if err != nil {
		return client.Config{}, err
	}
	return client.Load(path)
}

// loadManifest reads the manifest that the client's file names.
func loadManifest(cmd *cobra.Command) (*wire.Manifest, error) {
	path, err := configPath(cmd)
	if err != nil {
		return nil, err
	}
	file, err := config.ParseClient(path)
	if err != nil {
		return nil, err
	}
	return config.LoadManifest(file.Client.Manifest)
}

// How long frostctl looks for the NATS server, which may start at the same
// time, and when it says that it does. A cluster that starts takes a while to
// elect leaders, so that what looks after its streams waits longer.
const (
	dialTimeout = 10 * time.Second
	busTimeout  = time.Minute
	dialNote    = time.Second
)

// connect opens the client that the command's flags name. The command calls
// done at its end.
func connect(cmd *cobra.Command) (c *client.Client, done func(), err error) {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return nil, nil, err
	}
	return dial(cmd, cfg)
}

func dial(cmd *cobra.Command, cfg client.Config) (c *client.Client, done func(), err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), dialTimeout)
	defer cancel()
	provider, send, err := startSpans(ctx, cfg.Name)
	if err != nil {
		return nil, nil, err
	}
	cfg.TracerProvider = provider
	defer waiting(cmd, dialTimeout)()
	if c, err = client.New(ctx, cfg); err != nil {
		return nil, nil, err
	}
	return c, func() { c.Close(); send() }, nil
}

// waiting says after a while that the command waits for the NATS server, until
// stop is called.
func waiting(cmd *cobra.Command, limit time.Duration) (stop func() bool) {
	return time.AfterFunc(dialNote, func() { note(cmd, "waiting up to %v for NATS", limit) }).Stop
}

// withBus is for commands that read streams or make them: it gives dial to the
// connection, and limit to all of it.
func withBus(
	cmd *cobra.Command, o bus.Options, dial, limit time.Duration, use func(context.Context, *bus.Bus) error,
) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), limit)
	defer cancel()
	stop := waiting(cmd, dial)
	dialling, cancel := context.WithTimeout(ctx, dial)
	defer cancel()
	b, err := bus.Connect(dialling, o)
	if err == nil {
		err = errors.Join(use(ctx, b), b.Close(cmd.Context()))
	}
	stop()
	return err
}
