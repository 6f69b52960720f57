package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/pin"
	"github.com/frostfleet/frostfleet/internal/secret"
)

func newUnlockCommand() *cobra.Command {
	var fromStdin, ask, asJSON bool
	cmd := &cobra.Command{
		Use: "unlock --config FILE", Short: "Give the token's PIN to the running worker", Args: cobra.NoArgs,
		Long: `Unlock gives the PIN of the node's PKCS#11 token to the worker that runs with
this configuration, for those who keep the PIN out of files. It says whether
the token took it. The worker keeps the PIN in memory, to log in again after
the token was pulled.

The PIN is the configuration's, if it names one; otherwise it is asked for on
the terminal. The worker must run as the same user, or this command as root.

When no worker runs, unlock logs in to the token once itself. That makes a
token forget that it was given a wrong PIN, without which a worker does not
log in any more.`,
		Example: "  frost-worker unlock --config node.toml\n" +
			"  systemd-creds cat pin | frost-worker unlock --config node.toml --pin-stdin",
	}
	path := addConfigFlag(cmd)
	cmd.Flags().BoolVar(&fromStdin, "pin-stdin", false, "read the PIN from standard input")
	cmd.Flags().BoolVar(&ask, "ask", false, "ask for the PIN even if the configuration names one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	cmd.MarkFlagsMutuallyExclusive("pin-stdin", "ask")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := interruptible(cmd)
		defer stop()
		n, err := config.ParseNode(*path)
		if err != nil {
			return err
		}
		if kind := n.Node.KeyProvider.Type; kind != config.PKCS11 {
			return fmt.Errorf("%s: [node.key_provider] type = %q has no PIN: unlock is for pkcs11", *path, kind)
		}
		source, err := pinSource(cmd, n, fromStdin, ask)
		if err != nil {
			return err
		}
		answer, err := unlock(ctx, cmd.ErrOrStderr(), n, source)
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd, answer)
		} else if answer.OK {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), answer.Message)
		}
		if err == nil && !answer.OK {
			err = errors.New(answer.Error)
		}
		return err
	}
	return cmd
}

// pinSource says where this command has the PIN from.
func pinSource(cmd *cobra.Command, n *config.Node, fromStdin, ask bool) (pin.Source, error) {
	p := &n.Node.KeyProvider
	switch {
	case fromStdin:
		return func(context.Context) (*secret.Bytes, error) { return pin.Read(cmd.InOrStdin()) }, nil
	case p.Pin.Bytes != nil && !ask:
		return pin.Literal(p.Pin.Bytes), nil
	case p.PinFile != "" && !ask:
		return pin.File(p.PinFile), nil
	}
	if source := person(cmd.InOrStdin()); source != nil {
		return source, nil
	}
	return nil, errors.New("standard input is no terminal: give the PIN with --pin-stdin, or name it in the configuration")
}

// unlock gives the PIN to the worker, or, without one, to the token.
func unlock(ctx context.Context, errs io.Writer, n *config.Node, source pin.Source) (pin.Answer, error) {
	dir := n.Node.StoragePath
	running := pin.Waiting(dir)
	if running != nil && !errors.Is(running, pin.ErrNoWorker) {
		return pin.Answer{}, running
	}
	given, err := source(ctx)
	if err != nil {
		return pin.Answer{}, err
	}
	defer given.Wipe()
	if running == nil {
		return pin.Send(ctx, dir, given)
	}
	fmt.Fprintln(errs, "no worker is running; logging in to the token once")
	return logIn(ctx, n, given), nil
}

// loginTime is how long the token may take.
const loginTime = 30 * time.Second

// logIn opens the provider once with a PIN, whatever the configuration says.
func logIn(ctx context.Context, n *config.Node, given *secret.Bytes) pin.Answer {
	n.Node.KeyProvider.Pin, n.Node.KeyProvider.PinFile = config.Secret{}, ""
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	taken := false
	p, err := launch.OpenProvider(ctx, n, launch.ProviderOptions{
		PIN: pin.Literal(given), AfterWrongPIN: true,
		Observe: func(c keyprovider.Call) {
			if c.Operation == keyprovider.OpLogin && c.Err == nil {
				taken = true
			}
		},
	})
	if err == nil {
		err = p.Close()
	}
	switch {
	case err != nil && taken:
		return pin.Refusal(fmt.Errorf("the token took the PIN, but it does not serve this node: %w", err))
	case err != nil:
		return pin.Refusal(err)
	case !taken:
		return pin.Answer{OK: true, Message: "the token asked for no PIN"}
	}
	return pin.Answer{OK: true, Message: "the token took the PIN, and forgets wrong ones before; start the worker"}
}
