package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
)

// Exit codes.
const (
	exitError    = 1   // anything without a code of its own: a file, the connection
	exitUsage    = 2   // the command line
	exitRefused  = 3   // the fleet refused or gave up the job
	exitUnproven = 4   // a signature, certificate or address that does not verify
	exitBusy     = 5   // no room for the job until the time was over
	exitTimeout  = 6   // no answer in time
	exitStopped  = 130 // interrupted
)

const exitCodesHelp = `Exit codes:

  0    done
  1    another error: a file, the configuration, the connection
  2    the command line is wrong
  3    the fleet refused or gave up the job; docs/jobs.md explains the codes
  4    a signature, certificate or address does not verify: do not use it
  5    the fleet had no room for the job until the time was over: try later
  6    no answer in time; the job may still be done: frostctl jobs JOB
  130  interrupted`

// usageError marks errors of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errUnproven: what was to be verified does not verify.
var errUnproven = errors.New("does not verify")

func exitCode(err error) int {
	var (
		usage  usageError
		job    *client.JobError
		proof  *client.ProofError
		busy   *client.BusyError
		denied = errors.Is(err, client.ErrSignature) || errors.Is(err, errUnproven)
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &proof), denied:
		return exitUnproven
	case errors.As(err, &job):
		return exitRefused
	case errors.As(err, &busy):
		return exitBusy
	case errors.Is(err, context.Canceled):
		return exitStopped
	case errors.Is(err, client.ErrNoAnswer), errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	}
	return exitError
}

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
  frostctl sign --keys keys.jsonl --key ID --message HEX`,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.PersistentFlags().Bool("json", false, "print JSON, one object a line, also for progress")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddGroup(&cobra.Group{ID: "use", Title: "Use a fleet:"}, &cobra.Group{ID: "run", Title: "Run a fleet:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("use", newKeygenCommand(), newSignCommand(), newVerifyCommand(), newJobsCommand(), newBenchCommand())
	add("run", newFleetCommand(), newBusCommand(), newTestDKGCommand(), newDevCommand(), newDemoCommand())
	root.AddCommand(&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesHelp})
	markUsage(root)
	return root
}

// markUsage makes errors about arguments and missing flags usage errors. Cobra
// finds missing flags after it has called Args, so they are checked there.
func markUsage(cmd *cobra.Command) {
	if check := cmd.Args; check != nil && cmd.Runnable() {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(check(cmd, args), cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()); err != nil {
				return usagef("%w; see %s --help", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		markUsage(c)
	}
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
	return "", usagef("no client.toml here: name one with --config FILE or in $FROSTCTL_CONFIG (frostctl fleet init DIR writes one)")
}

func addConfigFlag(cmd *cobra.Command) {
	cmd.Flags().StringP("config", "c", "", "client configuration (default ./client.toml, then $FROSTCTL_CONFIG)")
	_ = cmd.MarkFlagFilename("config", "toml") // fails only without such a flag
}

func loadConfig(cmd *cobra.Command) (client.Config, error) {
	path, err := configPath(cmd)
	if err != nil {
		return client.Config{}, err
	}
	return client.Load(path)
}

// dialTimeout is how long frostctl looks for the NATS server.
const dialTimeout = 10 * time.Second

// connect opens the client that the command's flags name.
func connect(cmd *cobra.Command) (*client.Client, error) {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	return dial(cmd, cfg)
}

func dial(cmd *cobra.Command, cfg client.Config) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), dialTimeout)
	defer cancel()
	var err error
	if cfg.TracerProvider, err = tracerProvider(ctx, cfg.Name); err != nil {
		return nil, err
	}
	return client.New(ctx, cfg)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + info.GoVersion
}
