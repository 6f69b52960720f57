package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/worker"
)

func newPolicyExplainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain JOB --config FILE --keys FILE", Short: "Say what this node's policy decides about a job, and why",
		Args: cobra.ExactArgs(1),
		Long: `Explain reads a sign job that frostctl saved (sign psbt FILE --job JOB), as
every node reads it, and prints what this node's policy decides: allowed,
denied, or whose approvals are missing; by which rule; what is a payment and
what is change; and what the job takes of each limit. Approvals that are in the
file count if they verify.

It signs nothing, counts nothing, and can run beside the worker. What was used
of limits is what the worker has stored: it may be a little ahead of that. The
public keys come from the file that frostctl keygen wrote.`,
		Example: "  frost-worker policy explain payment.job --config node.toml --keys keys.jsonl",
	}
	path := command.ConfigFlag(cmd)
	keys := cmd.Flags().String("keys", "", "the file of frostctl keygen that has the job's keys")
	_ = cmd.MarkFlagRequired("keys") // fails only without such a flag
	cmd.Flags().Bool("json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := launch.ParseNode(*path)
		if err != nil {
			return err
		}
		e, err := explain(n, args[0], *keys)
		if err != nil {
			return err
		}
		if command.WantJSON(cmd) {
			return command.PrintDocument(cmd.OutOrStdout(), e)
		}
		_, err = e.WriteTo(cmd.OutOrStdout())
		return err
	}
	return cmd
}

// explain has a node's policy judge a saved job.
func explain(n *config.Node, path, keysPath string) (*policy.Explanation, error) {
	m, err := n.LoadManifest()
	if err != nil {
		return nil, err
	}
	job, err := readSavedJob(path, m)
	if err != nil {
		return nil, err
	}
	listed, err := config.LoadAccess(n.Node.Access)
	if err != nil {
		return nil, err
	}
	access, err := listed.Wire()
	if err != nil {
		return nil, err
	}
	var p *policy.Policy
	if n.Node.Policy != "" {
		if p, err = config.LoadPolicy(n.Node.Policy, m.Network); err != nil {
			return nil, err
		}
	}
	keys, err := provenKeys(keysPath, n.Node.Manifest, append(job.job.KeyNames(), p.FleetKeys()...))
	if err != nil {
		return nil, err
	}
	known := map[string]derive.Key{}
	for id, k := range keys {
		known[id] = k.Key
	}
	if p, err = p.WithKeys(known); err != nil {
		return nil, err
	}
	ask, err := job.ask(m, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	ask.Now = clock.Now()
	ask.Approved = job.approvers(m, access, p, ask)
	l, err := storedLedger(n, p, ask)
	if err != nil {
		return nil, err
	}
	d := p.Decide(ask, l)
	e := p.Explain(ask, &d, l)
	return &e, nil
}

// storedLedger is the worker's ledger as it stored it last; nil if it has none yet.
func storedLedger(n *config.Node, p *policy.Policy, ask *policy.Ask) (*policy.Ledger, error) {
	path := filepath.Join(n.Node.StoragePath, worker.LedgerFile)
	state, err := secret.File{What: "ledger", Path: path, Max: policy.MaxState}.Bytes()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := policy.ReadLedger(p, state.Expose(), ask.Now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}
