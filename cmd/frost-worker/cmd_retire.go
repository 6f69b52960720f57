package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

const retireLong = `Retire wipes what this node keeps of a manifest that the fleet has left: its
shares of all keys. The worker must be stopped. It reads KEYS and the heartbeats
of the nodes, and refuses while any key has not moved to a later manifest, while
fewer nodes of that one hold all keys than it takes to sign, and if the fleet's
manifests fork. --dry-run only says so.

It names the device's keys that are to be destroyed, with the commands for it,
and runs none of them. A node that is part of the next manifest with the same
device goes on using them: what retiring ends then is the worth of shares that
were copied from the disk, not that of the device to whoever can use it.

The ledger of the policy and the audit log stay where they are.`

// retireOptions are the flags of retire.
type retireOptions struct {
	hash        string
	yes, dryRun bool
}

// connectTime bounds what reaching NATS takes.
const connectTime = 30 * time.Second

func newRetireCommand() *cobra.Command {
	var o retireOptions
	cmd := &cobra.Command{
		Use: "retire --config FILE", Short: "Wipe this node's shares of a manifest that the fleet has left",
		Args: cobra.NoArgs, Long: retireLong,
		Example: "  frost-worker retire --config node.toml --dry-run\n  frost-worker retire --config node.toml",
	}
	path := command.ConfigFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&o.hash, "manifest-hash", "", "of the manifest, or at least 8 digits of it (default: the configured one)")
	f.BoolVar(&o.yes, "yes", false, "ask nothing")
	f.BoolVar(&o.dryRun, "dry-run", false, "wipe nothing")
	f.Bool("json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := hex.DecodeString(o.hash + strings.Repeat("0", len(o.hash)%2)); err != nil || o.hash != "" && len(o.hash) < 8 {
			return command.Usagef("--manifest-hash %.70q: give 8 to 64 hexadecimal digits", o.hash)
		}
		n, err := launch.LoadNode(*path)
		if err != nil {
			return err
		}
		return o.retire(cmd, n)
	}
	return cmd
}

func (o *retireOptions) retire(cmd *cobra.Command, n *config.Node) error {
	ctx := cmd.Context()
	pinned, err := n.LoadManifest()
	if err != nil {
		return err
	}
	access, err := launch.LoadAccess(n.Node.Access)
	if err != nil {
		return err
	}
	dialling, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	b, err := launch.ConnectNode(dialling, n, pinned)
	if err != nil {
		return err
	}
	defer func() { _ = b.Close(ctx) }()
	l, err := register.Lineage(ctx, b, pinned)
	if err != nil {
		return err
	}
	m, err := o.manifest(l)
	if err != nil {
		return err
	}
	identity := pinned.Nodes[n.Node.Index].Identity
	storage := worker.StorageOf(n.Node.StoragePath, m)
	before, err := keystore.Retired(storage)
	if err != nil {
		return err
	}
	r := &worker.Retirement{Manifest: m, Next: l.Newest(), Storage: storage}
	if before == nil { // what was begun is ended without another look
		if r, err = worker.Survey(ctx, b, l, access, n.Node.StoragePath, identity, m); err != nil {
			return err
		}
	}
	d := describeRetirement(n, r, identity)
	if err := d.place(cmd, n); err != nil { // it may be gone already
		fmt.Fprintf(cmd.ErrOrStderr(), "the device does not say whether the next manifest has its derivation key: %v\n", err)
	}
	refused := r.Refused()
	if refused == nil && !o.dryRun {
		if err := o.confirm(cmd, &d); err != nil {
			return err
		}
		if err := wipe(r); err != nil {
			return err
		}
		d.Retired = true
	}
	if command.WantJSON(cmd) {
		return errors.Join(refused, command.PrintDocument(cmd.OutOrStdout(), &d))
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(d.lines(refused == nil, n.Path()), "\n"))
	return errors.Join(refused, err)
}

// manifest is the one that is meant.
func (o *retireOptions) manifest(l *wire.Lineage) (*wire.Manifest, error) {
	if o.hash == "" {
		return l.Pinned(), nil
	}
	for _, m := range l.Chain() {
		if hash := m.Hash(); strings.HasPrefix(hex.EncodeToString(hash[:]), strings.ToLower(o.hash)) {
			return m, nil
		}
	}
	return nil, fmt.Errorf("--manifest-hash %s: KEYS knows no such manifest of this fleet", o.hash)
}

func wipe(r *worker.Retirement) error {
	return keystore.Retire(r.Storage, keystore.Retirement{
		Manifest: fmt.Sprintf("%x", r.Manifest.Hash()), Successor: fmt.Sprintf("%x", r.Next.Hash()), Time: clock.Now().UTC(),
	})
}

func (o *retireOptions) confirm(cmd *cobra.Command, d *retirement) error {
	if o.yes {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s\nwipe them? There is no way back. Type yes: ", d.what())
	if !answeredYes(cmd.InOrStdin()) {
		return errors.New("nothing was wiped: the answer was not yes (--yes asks nothing)")
	}
	return nil
}

// retirement is the output of retire.
type retirement struct {
	Manifest string      `json:"manifest"`
	Next     string      `json:"next"` // the fleet's newest
	Storage  string      `json:"storage"`
	Stored   int         `json:"batches"`              // in the storage, each generation
	Lost     int         `json:"unfinished,omitempty"` // batches that never had keys
	Left     []string    `json:"left,omitempty"`       // batches that have not moved
	Holders  []holders   `json:"holders,omitempty"`
	Retired  bool        `json:"retired"`
	As       *int        `json:"as_node,omitempty"` // this device's in the next manifest; none: it has none
	Keys     []deviceKey `json:"device_keys"`
	next     *wire.Manifest
}

type holders struct {
	Manifest string `json:"manifest"`
	Batches  int    `json:"batches"`
	Nodes    []int  `json:"nodes"`
	Needed   int    `json:"needed"`
}

type deviceKey struct {
	keyprovider.DeviceKey
	Needed bool `json:"needed"` // by the next manifest: it must stay
}

func describeRetirement(n *config.Node, r *worker.Retirement, identity []byte) retirement {
	d := retirement{
		Manifest: fmt.Sprintf("%x", r.Manifest.Hash()), Next: fmt.Sprintf("%x", r.Next.Hash()), Storage: r.Storage,
		Stored: r.Stored, Lost: r.Lost, Left: r.Left, next: r.Next,
	}
	for _, h := range r.Holders {
		d.Holders = append(d.Holders, holders{fmt.Sprintf("%x", h.Manifest.Hash()), h.Batches, h.Nodes, h.Manifest.T})
	}
	if as := slices.IndexFunc(r.Next.Nodes, func(c wire.NodeCard) bool { return bytes.Equal(c.Identity, identity) }); as >= 0 {
		d.As = &as
	}
	for _, key := range n.Node.KeyProvider.Section.DeviceKeys(n.Provider()) {
		d.Keys = append(d.Keys, deviceKey{key, d.As != nil})
	}
	return d
}

// place asks a device whose identity key the next manifest has whether that has its
// derivation key, too: after a refresh it has another one.
func (d *retirement) place(cmd *cobra.Command, n *config.Node) error {
	last := len(d.Keys) - 1
	if d.As == nil || last < 0 || d.Keys[last].Use != keyprovider.UseDerivation {
		return nil
	}
	device, err := openDevice(cmd.Context(), cmd, n)
	if err != nil {
		return err
	}
	defer device.Close()
	place, err := worker.Place(cmd.Context(), device, d.next)
	d.Keys[last].Needed = place >= 0
	return err
}

func (d *retirement) what() string {
	return fmt.Sprintf("shares under manifest %.16s in %s: %d batches", d.Manifest, d.Storage, d.Stored)
}

// lines are what people read.
func (d *retirement) lines(may bool, config string) []string {
	lines := []string{d.what()}
	if d.Lost > 0 {
		lines = append(lines, fmt.Sprintf("%d batches never came to be finished: no key is lost with them", d.Lost))
	}
	for _, h := range d.Holders {
		lines = append(lines, fmt.Sprintf("manifest %.16s: nodes %v hold all %d batches, and it takes %d to sign", h.Manifest, h.Nodes,
			h.Batches, h.Needed))
	}
	switch {
	case !may:
		return append(lines, "nothing was wiped")
	case !d.Retired:
		lines = append(lines, "nothing was wiped: --dry-run. It may be")
	default:
		lines = append(lines, "wiped")
	}
	if d.As == nil {
		lines = append(lines, "this device has no node in the fleet's newest manifest. Destroy its keys, and the backups of them:")
		for _, key := range d.Keys {
			lines = append(lines, fmt.Sprintf("  %s key, %s:\n    %s", key.Use, key.Name, key.Destroy))
		}
		return append(lines, "until then, whoever can use the device and has read KEYS can rebuild the shares that were here")
	}
	if last := d.Keys[len(d.Keys)-1]; !last.Needed {
		return append(lines, "the next manifest has this device's identity key, which stays, and another derivation key. Destroy the",
			"one that nothing needs any more, and the backups of it:", fmt.Sprintf("  %s key, %s:\n    %s", last.Use, last.Name, last.Destroy),
			"until then, whoever can use the device and has read KEYS can rebuild the shares that were here")
	}
	lines = append(lines, fmt.Sprintf("in %s set [node] manifest to the next manifest's file, index = %d, max_signers = %d, "+
		"min_signers = %d", config, *d.As, d.next.N, d.next.T),
		"the next manifest needs this device's keys, so they stay:")
	for _, key := range d.Keys {
		lines = append(lines, fmt.Sprintf("  %s key, %s", key.Use, key.Name))
	}
	return append(lines,
		"shares that somebody copied from this disk count only with those of t-1 other nodes: let all of them retire.",
		"whoever can use the device itself rebuilds from KEYS what was here: another device, or another derivation key,",
		"ends that (docs/operations.md)")
}

// answeredYes reports whether whoever sits there typed yes.
func answeredYes(in io.Reader) bool {
	answer, err := bufio.NewReader(io.LimitReader(in, 64)).ReadString('\n')
	return (err == nil || errors.Is(err, io.EOF)) && strings.TrimSpace(answer) == "yes"
}
