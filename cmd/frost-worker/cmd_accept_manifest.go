package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

const acceptLong = `Accept-manifest approves the manifest that is to follow this node's own, and by
that, that the fleet's keys move to its nodes. It reads NEXT.json, prints what
it changes, and asks. The node's device signs the approval, which stands in the
node's storage until it is taken back; the running worker sees it within
seconds, and tells the fleet.

Compare the manifest's hash with the other operators over another channel than
the one that the file came by. Who can have enough nodes approve a manifest has
the fleet's keys.

A manifest takes the place of this one once more than (n+t-1)/2 of n nodes
approved it: 3 of 3 in a 2-of-3 fleet, 4 of 5 in a 3-of-5. Where too many nodes
are lost for that, at least t operators approve with --forced. Forced approvals
of two manifests can both be enough: then everything stands still. So use it
only when every operator that is left has agreed on one hash.

A node approves one manifest at a time, and another one after --revoke. Once the
node has dealt shares to it, the approval can't be taken back. What was said
before --revoke may have been kept, and then counts with the approvals of other
nodes: look first. --show prints what is approved.`

// acceptOptions are the flags of accept-manifest.
type acceptOptions struct {
	forced, yes, revoke, show bool
}

func newAcceptManifestCommand() *cobra.Command {
	var o acceptOptions
	cmd := &cobra.Command{
		Use: "accept-manifest [NEXT.json] --config FILE", Short: "Approve the manifest that is to follow this node's",
		Args: cobra.MaximumNArgs(1), Long: acceptLong,
		Example: `  frost-worker accept-manifest next.json --config node.toml
  frost-worker accept-manifest --show --config node.toml
  frost-worker accept-manifest --revoke --config node.toml`,
	}
	path := command.ConfigFlag(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.forced, "forced", false, "so many nodes are lost that their approvals can't be had")
	f.BoolVar(&o.yes, "yes", false, "ask nothing")
	f.BoolVar(&o.revoke, "revoke", false, "take back what was approved last")
	f.BoolVar(&o.show, "show", false, "print what is approved")
	f.Bool("json", false, "print one JSON document")
	cmd.MarkFlagsMutuallyExclusive("revoke", "show")
	cmd.MarkFlagsMutuallyExclusive("revoke", "forced")
	cmd.MarkFlagsMutuallyExclusive("show", "forced")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 != (o.revoke || o.show) {
			return command.Usagef("name the manifest to approve, or give --show or --revoke")
		}
		n, err := launch.ParseNode(*path)
		if err != nil {
			return err
		}
		m, err := n.LoadManifest()
		if err != nil {
			return err
		}
		approved, err := worker.Acceptances(n.Node.StoragePath, m, n.Node.Index)
		switch {
		case o.revoke: // also what can't be read
			return takeBack(cmd, approved, err != nil)
		case err != nil:
			return err
		case o.show:
			return showAccepted(cmd, approved)
		}
		next, err := config.LoadManifest(args[0])
		if err != nil {
			return err
		}
		return o.accept(cmd, n, approved, next)
	}
	return cmd
}

// accept approves a manifest.
func (o *acceptOptions) accept(cmd *cobra.Command, n *config.Node, approved []worker.Acceptance, next *wire.Manifest) error {
	ctx := cmd.Context()
	at, err := precedes(approved, next)
	if err != nil {
		return err
	}
	if at.Next != nil && at.Next.Hash() != next.Hash() {
		return fmt.Errorf("%w: %x; frost-worker accept-manifest --revoke --config %s takes it back", keystore.ErrOtherSuccessor,
			at.Next.Hash(), n.Path())
	}
	if retired, err := keystore.Retired(at.Storage); err != nil {
		return err
	} else if retired != nil {
		return fmt.Errorf("%w: %s: its shares went to manifest %s", keystore.ErrRetired, at.Storage, retired.Successor)
	}
	device, err := openDevice(ctx, cmd, n)
	if err != nil {
		return err
	}
	defer device.Close()
	if at.Index < 0 {
		if at.Index, err = worker.Place(ctx, device, at.Manifest); err != nil {
			return err
		}
		if at.Index < 0 {
			return fmt.Errorf("manifest %x has no node with this device's keys: nothing is to be approved here", at.Manifest.Hash())
		}
	}
	place, err := worker.Place(ctx, device, next)
	if err != nil {
		return err
	}
	a := newAcceptance(at, next, place, o.forced)
	if !command.WantJSON(cmd) {
		_, _ = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(a.lines(), "\n"))
	} else if !o.yes { // the document comes at the end
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), strings.Join(a.lines(), "\n"))
	}
	if err := o.confirm(cmd, at.Index, next); err != nil {
		return err
	}
	kept, err := worker.Accept(ctx, device, at.Manifest, at.Index, next, o.forced)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(at.Storage, 0o700); err != nil {
		return err
	}
	if err := keystore.SaveSuccessor(at.Storage, kept); err != nil {
		return err
	}
	if command.WantJSON(cmd) {
		return command.PrintDocument(cmd.OutOrStdout(), a)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "approved by node %d. A running worker tells the fleet within seconds; one that is "+
		"stopped does when it starts\n", at.Index)
	return err
}

// confirm asks whoever sits there.
func (o *acceptOptions) confirm(cmd *cobra.Command, index int, next *wire.Manifest) error {
	if o.yes {
		return nil
	}
	hash := next.Hash()
	fmt.Fprintf(cmd.ErrOrStderr(), "compare the hash with the other operators, by telephone:\n  %s\n"+
		"approve this manifest as node %d? Type yes: ", spaced(hash), index)
	if !answeredYes(cmd.InOrStdin()) {
		return errors.New("not approved: the answer was not yes (--yes asks nothing)")
	}
	return nil
}

// precedes is the node's manifest that one names as the one before it.
func precedes(approved []worker.Acceptance, next *wire.Manifest) (worker.Acceptance, error) {
	previous, _ := next.ParentHash()
	var errs error
	for _, a := range approved {
		if a.Manifest.Hash() == previous {
			return a, a.Manifest.CheckSuccessor(next)
		}
		errs = cmp.Or(errs, a.Manifest.CheckSuccessor(next))
	}
	return worker.Acceptance{}, errs
}

// takeBack revokes what was approved last.
func takeBack(cmd *cobra.Command, approved []worker.Acceptance, unreadable bool) error {
	last := approved[len(approved)-1]
	for _, a := range approved {
		if a.Next != nil && !unreadable {
			last = a
		}
	}
	if err := keystore.RevokeSuccessor(last.Storage); err != nil {
		return err
	}
	hash := "that could not be read"
	if last.Next != nil {
		hash = fmt.Sprintf("%x", last.Next.Hash())
	}
	if command.WantJSON(cmd) {
		return command.PrintDocument(cmd.OutOrStdout(), revoked{hash})
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "the approval of manifest %s is taken back\n", hash)
	return err
}

// revoked is the output with --json of what was taken back.
type revoked struct {
	Revoked string `json:"revoked"` // hash of the manifest
}

func showAccepted(cmd *cobra.Command, approved []worker.Acceptance) error {
	all := []acceptance{}
	for _, a := range approved {
		if a.Next != nil {
			all = append(all, newAcceptance(a, a.Next, unknownPlace, a.Forced))
		}
	}
	if command.WantJSON(cmd) {
		return command.PrintDocument(cmd.OutOrStdout(), all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no manifest is approved to follow this node's")
		return err
	}
	for _, a := range all {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(a.lines(), "\n")); err != nil {
			return err
		}
	}
	return nil
}

// openDevice opens the node's device, beside a worker that may run.
func openDevice(ctx context.Context, cmd *cobra.Command, n *config.Node) (*keyprovider.Supervised, error) {
	back, err := launch.OpenProvider(ctx, n, launch.ProviderOptions{Options: keyprovider.Options{
		Pinned: launch.PinnedIdentity(n), AskPIN: person(cmd.InOrStdin()),
	}})
	if err != nil {
		return nil, err
	}
	device := keyprovider.Supervise(back, launch.Policy(n), nil)
	if err := keyprovider.Check(ctx, device); err != nil {
		return nil, errors.Join(err, device.Close())
	}
	return device, nil
}
