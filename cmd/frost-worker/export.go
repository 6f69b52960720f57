package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/exit"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

const exportLong = `Export-share is a node's part in leaving Frostfleet (docs/operations.md): it
encrypts this node's shares of chosen keys to the key of a ceremony, made on a
machine without a network. There, frostctl reconstruct makes whole keys of the
files of t nodes. This is the one command by which a share leaves a node, and a
key that went through it is a fleet's key no more: whoever has it spends alone.

A node refuses, unless its own file says, with the ceremony's recipient,

  [exit]
  allow = true
  recipient = "age1..."

unless its audit log takes a record of it first, and while an administrator's
freeze of the key, its client or the fleet is in force here. The worker must be
stopped; t other nodes sign meanwhile. Name the same keys on each node.`

// exportOptions are what the command line says.
type exportOptions struct {
	recipient, out string
	manifest       string // "": the configured one
	keys           []string
	yes            bool
	pin            keyprovider.Options
	in             io.Reader
	errs           io.Writer
}

func newExportCommand() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use: "export-share --config FILE --recipient age1... --keys FILE|KEY -o FILE", Args: cobra.NoArgs,
		Short: "Encrypt this node's shares of keys to a ceremony that leaves the fleet", Long: exportLong,
		Example: `  frost-worker export-share --config node.toml --recipient age1... --keys keys.jsonl -o share-0.exit
  frost-worker export-share --config node.toml --recipient age1... --keys 6d0b…1f.0 --keys 6d0b…1f.1 -o share-0.exit`,
	}
	cmd.Flags().StringVar(&o.recipient, "recipient", "", "the ceremony's, from frostctl reconstruct keygen")
	cmd.Flags().StringArrayVar(&o.keys, "keys", nil, "a key's id, or a file of them: one a line, or as keygen wrote it")
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "file to write; it must not be there")
	cmd.Flags().StringVar(&o.manifest, "manifest", "", "a later manifest of the fleet, which has the keys' shares by now")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	for _, flag := range []string{"recipient", "keys", "out"} {
		_ = cmd.MarkFlagRequired(flag) // fails only without such a flag
	}
	return onNode(cmd, func(ctx context.Context, n *config.Node) error {
		o.in, o.errs = cmd.InOrStdin(), cmd.ErrOrStderr()
		o.pin = keyprovider.Options{AskPIN: person(o.in)}
		done, err := o.export(ctx, n)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), done)
		return err
	})
}

// export does all of it, and returns what to tell.
func (o *exportOptions) export(ctx context.Context, n *config.Node) (string, error) {
	recipient, err := exit.ParseRecipient(o.recipient)
	if err != nil {
		return "", command.Usagef("--recipient: %v", err)
	}
	if err := n.AllowsExit(recipient); err != nil {
		return "", err
	}
	ids, err := readKeyIDs(o.keys)
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(o.out); err == nil {
		return "", fmt.Errorf("-o %s: it is there already, and is not replaced", o.out)
	}
	m, err := n.LoadManifest()
	if err != nil {
		return "", err
	}
	file, err := o.load(ctx, n, m, ids)
	if err != nil {
		return "", err
	}
	defer file.Wipe()
	if err := o.confirm(file, recipient); err != nil {
		return "", err
	}
	sealed, err := file.Seal(recipient)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(sealed)
	head, err := o.audit(n, m, file, recipient, sum)
	if err != nil {
		return "", fmt.Errorf("nothing was exported: %w", err)
	}
	if err := secret.Create(o.out, sealed); err != nil {
		return "", fmt.Errorf("-o: %w (the audit log has the export, and nothing left this node)", err)
	}
	return fmt.Sprintf("%s: shares of %d keys of node %d, for %s\nsha256: %x\naudit log: up to record %d\n",
		o.out, len(file.Keys), file.Node, recipient, sum, head.Seq), nil
}

// load reads the shares, unless something of them is frozen.
func (o *exportOptions) load(ctx context.Context, n *config.Node, m *wire.Manifest, ids []wire.KeyID) (
	f *exit.File, err error) {
	o.pin.Pinned = m.Identity(n.Node.Index)
	back, err := launch.OpenProvider(ctx, n, launch.ProviderOptions{Options: o.pin})
	if err != nil {
		return nil, err
	}
	provider := keyprovider.Supervise(back, launch.Policy(n), nil)
	defer provider.Close()
	of, err := memberOf(ctx, n, provider, m, o.manifest)
	if err != nil {
		return nil, err
	}
	store, err := worker.OpenStore(ctx, provider, of.manifest, of.index, of.storage)
	if errors.Is(err, keystore.ErrLocked) {
		return nil, fmt.Errorf("the worker of this node runs: stop it, export, and start it again: %w", err)
	} else if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	book, err := worker.OpenAllFreezes(n.Node.StoragePath, of.manifest)
	if err != nil {
		return nil, err
	}
	return loadShares(store, of, ids, book.Frozen())
}

// confirm asks the person who exports.
func (o *exportOptions) confirm(f *exit.File, r exit.Recipient) error {
	fmt.Fprintf(o.errs, "Fleet %s on %s: the shares of node %d leave it, for good. Files of %d nodes and the\n"+
		"ceremony's key are whole keys: whoever has them spends alone.\n", f.Fleet, f.Network, f.Node, f.T)
	for _, b := range batchesOf(f) {
		fmt.Fprintf(o.errs, "  client %s, %s, batch %s: %d keys: %s\n", b.owner, b.suite, b.id, len(b.indexes),
			strings.Join(ranges(b.indexes, len(b.indexes)*len("999, ")), ", "))
	}
	fmt.Fprintf(o.errs, "  %d keys in all\n  to         %s\n  fingerprint %s\n", len(f.Keys), r, r.Fingerprint())
	if o.yes {
		return nil
	}
	fmt.Fprint(o.errs, "Is that the fingerprint that was read out at the offline machine? Type yes to export: ")
	answer, err := bufio.NewReader(io.LimitReader(o.in, 100)).ReadString('\n')
	fmt.Fprintln(o.errs)
	if strings.TrimSpace(answer) == "yes" {
		return nil
	}
	if err != nil {
		return errors.New("nothing was exported: nobody answered; in a script, --yes does")
	}
	return errors.New("nothing was exported: the answer was not yes")
}

// audit writes down what is about to leave. It is on the disk when this returns.
func (o *exportOptions) audit(n *config.Node, m *wire.Manifest, f *exit.File, r exit.Recipient, sum [32]byte) (
	audit.Head, error) {
	log, err := worker.OpenAudit(launch.AuditPath(n), n.Node.Index, m, slog.New(slog.NewTextHandler(o.errs, nil)))
	if err != nil {
		return audit.Head{}, err
	}
	for _, b := range batchesOf(f) {
		record := audit.Record{
			Event: audit.EventExport, Client: b.owner, Session: b.id, Suite: b.suite, Count: len(b.indexes),
			Digest: hex.EncodeToString(sum[:]),
		}
		if f.Manifest != m.Hash() { // the log's own is not repeated
			record.Manifest = hex.EncodeToString(f.Manifest[:])
		}
		for _, some := range ranges(b.indexes, maxReason) {
			record.Reason = fmt.Sprintf("keys %s, encrypted to %s", some, r)
			log.Append(record)
			record.Count = 0 // of a batch whose keys take several records, the first has it
		}
	}
	if err := log.Close(); err != nil {
		return audit.Head{}, err
	}
	return log.Head(), nil
}
