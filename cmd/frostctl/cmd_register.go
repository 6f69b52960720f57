package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// registerOptions are the flags of the register's commands.
type registerOptions struct {
	manifest, storage string
	before            []string
	bus               bus.Options
}

func newRegisterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "register", Short: "Save, check and put back the register: the entries of KEYS",
		Long: `The register proves every key of a fleet. Its entries prove themselves against
the manifest, so a copy from anywhere is as good as the first: from KEYS, from a
mirror of it, or from one node's storage. Of a fleet that has changed, any of
its manifests will do: KEYS and the files have the others, and what proves them.`,
		Example: `  frostctl register verify backup.register --manifest manifest.json`,
	}
	cmd.AddCommand(newRegisterExport(), newRegisterImport(), newRegisterVerify(), newRegisterRefill(), newRegisterCompact())
	return cmd
}

func (o *registerOptions) flags(cmd *cobra.Command, onBus bool) {
	f := cmd.Flags()
	f.StringVar(&o.manifest, "manifest", "", "the fleet's manifest.json")
	_ = cmd.MarkFlagRequired("manifest")
	if !onBus {
		return
	}
	f.StringVar(&o.bus.URL, "url", natsconn.DefaultURL, "NATS server")
	f.StringVar(&o.bus.Credentials, "credentials", "", "credentials file (.creds or nkey seed): a gateway's, or the administrator's")
	f.StringVar(&o.bus.TLSCA, "tls-ca", "", "PEM file of the server's CA")
	f.StringVar(&o.bus.TLSCert, "tls-cert", "", "PEM file of the client certificate")
	f.StringVar(&o.bus.TLSKey, "tls-key", "", "PEM file of its key")
}

// connected calls f with the fleet's manifests, as far as KEYS tells, and bus.
func (o *registerOptions) connected(cmd *cobra.Command, f func(*wire.Lineage, *bus.Bus) error) error {
	m, err := config.LoadManifest(o.manifest)
	if err != nil {
		return err
	}
	o.bus.Fleet, o.bus.Nodes, o.bus.Name = m.Fleet, m.N, "frostctl"
	dialling, cancel := context.WithTimeout(cmd.Context(), busTimeout) // servers may have been started a moment ago
	defer cancel()
	stop := waiting(cmd, busTimeout)
	b, err := bus.Connect(dialling, o.bus)
	stop()
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), dialTimeout)
		defer cancel()
		_ = b.Close(ctx)
	}()
	l := wire.NewLineage(m)
	there, err := b.Exists(cmd.Context(), bus.Keys)
	if err == nil && there {
		l, err = register.Lineage(cmd.Context(), b, m)
	}
	if err != nil {
		return err
	}
	tellFork(cmd, l)
	return f(l, b)
}

// tellFork says if the fleet's manifests have two ends.
func tellFork(cmd *cobra.Command, l *wire.Lineage) {
	if fork := l.Fork(); fork != nil {
		note(cmd, "%v: what follows goes by the first of them", fork)
	}
}

// stored is what proves a storage: the manifest that its node is of, and what the node kept
// of others, or those before it that are given.
func (o *registerOptions) stored() (*wire.Lineage, error) {
	m, err := config.LoadManifest(o.manifest)
	if err != nil {
		return nil, err
	}
	l, err := register.KeptLineage(o.storage, m)
	if err != nil {
		return nil, err
	}
	left := map[[32]byte]*wire.Manifest{}
	for _, path := range o.before {
		before, err := config.LoadManifest(path)
		if err != nil {
			return nil, err
		}
		left[before.Hash()] = before
	}
	for {
		want, ok := l.Wanted()
		if before := left[want]; !ok || before == nil {
			return l, nil
		} else if l, err = l.WithParent(before); err != nil {
			return nil, err
		}
	}
}

// registerProgress says every few seconds how far a command is.
type registerProgress struct {
	cmd  *cobra.Command
	verb string
	n    int
	keys int
	last time.Time
}

func (p *registerProgress) step(e *register.Entry) {
	p.n, p.keys = p.n+1, p.keys+len(e.Keys)
	if now := time.Now(); now.Sub(p.last) > 2*time.Second {
		if !p.last.IsZero() {
			note(p.cmd, "%s %d batches, %d keys so far", p.verb, p.n, p.keys)
		}
		p.last = now
	}
}

// then is f with a step before.
func (p *registerProgress) then(f func(*register.Entry) error) func(*register.Entry) error {
	return func(e *register.Entry) error { p.step(e); return f(e) }
}

func newRegisterExport() *cobra.Command {
	var o registerOptions
	cmd := &cobra.Command{
		Use: "export FILE --manifest FILE [--storage DIR]", Short: "Save the register to a file", Args: cobra.ExactArgs(1),
		Long: `Export saves every whole entry of KEYS to a file that does not exist yet. With
--storage it reads the storage_path of one node instead, whose worker must not
run: this is the way back when all data of NATS is lost. --manifest is then the
one that the node is of; should the node not have kept those before it, --before
gives them. What does not verify is left out and counted. The exit code is 4 if
KEYS is damaged: no copy of it had some messages, or entries lack deals. Then
the file has every entry that is whole, and may lack others.`,
		Example: `  frostctl register export keys.register --manifest manifest.json --url nats://127.0.0.1:4222
  frostctl register export keys.register --manifest manifest.json --storage data0`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.export(cmd, args[0]) },
	}
	o.flags(cmd, true)
	cmd.Flags().StringVar(&o.storage, "storage", "", "storage_path of a stopped node, instead of the bus")
	cmd.Flags().StringArrayVar(&o.before, "before", nil, "with --storage: an earlier manifest of the fleet; may be repeated")
	return cmd
}

func (o *registerOptions) export(cmd *cobra.Command, path string) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		damaged := errors.Is(err, errDamaged) // all that was whole is in the file
		if err = errors.Join(err, file.Close()); err != nil && !damaged {
			_ = os.Remove(path) // a file that looks like a backup and is none
		}
	}()
	p := &registerProgress{cmd: cmd, verb: "saved"}
	var sum register.Summary
	var mend string
	if o.storage != "" {
		l, errManifest := o.stored()
		if errManifest != nil {
			return errManifest
		}
		err = written(file, l, func(w *register.Writer) (err error) {
			sum, err = register.ReadStorage(o.storage, l.Pinned(), l, p.then(w.Write),
				func(err error) { note(cmd, "left out: %v", err) })
			return err
		})
	} else {
		err = o.connected(cmd, func(l *wire.Lineage, b *bus.Bus) error {
			err := written(file, l, func(w *register.Writer) (err error) {
				sum, err = register.Read(cmd.Context(), b, l, p.then(w.Write))
				return err
			})
			if err != nil || sum.Damage == (register.Damage{}) {
				return err
			}
			state, err := b.KeysState(cmd.Context())
			mend = state.Mend
			return err
		})
	}
	if err != nil {
		return err
	}
	return errors.Join(told(cmd, "saved", sum), whole(cmd, sum, mend))
}

// written writes a file of the register: f writes its entries.
func written(file *os.File, l *wire.Lineage, f func(*register.Writer) error) error {
	w, err := register.NewWriter(file, l)
	if err != nil {
		return err
	}
	return errors.Join(f(w), w.Close(), file.Sync())
}

// errDamaged says that KEYS has lost messages.
var errDamaged = errors.New("KEYS is damaged")

// whole is an error if no copy of KEYS had some of its messages.
func whole(cmd *cobra.Command, sum register.Summary, mend string) error {
	d := sum.Damage
	if d.Unread > 0 {
		return fmt.Errorf("%w: %d messages were at no copy that answered, of sequences %s: what the file has is proven, "+
			"and entries may be missing. frostctl register refill brings back what nodes hold. %s",
			errDamaged, d.Unread, d.Sequences, mend)
	}
	if d.Partial > 0 {
		return fmt.Errorf("%w: %d entries lack deals, and nobody writes them. frostctl register refill brings back what "+
			"nodes hold", errDamaged, d.Partial)
	}
	if d.Sequences != "" {
		note(cmd, "a copy of KEYS is damaged: it lacks sequences %s, which others had. %s", d.Sequences, mend)
	}
	return nil
}

func newRegisterImport() *cobra.Command {
	var o registerOptions
	cmd := &cobra.Command{
		Use: "import FILE --manifest FILE", Short: "Put entries of a file into KEYS", Args: cobra.ExactArgs(1),
		Long: `Import writes what KEYS lacks. It may be repeated, and stopped and begun again:
an entry that is there is left as it is. It needs the streams (frostctl bus
apply). What does not verify is left out, and makes the exit code 4: the file is
damaged, or of another manifest.`,
		Example: `  frostctl register import keys.register --manifest manifest.json --url nats://127.0.0.1:4222`,
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = file.Close() }()
			return o.connected(cmd, func(l *wire.Lineage, b *bus.Bus) error { return o.put(cmd, file, l, b) })
		},
	}
	o.flags(cmd, true)
	return cmd
}

// put writes what a file has and KEYS lacks: its manifests first, without which nobody can
// judge its entries.
func (o *registerOptions) put(cmd *cobra.Command, file *os.File, l *wire.Lineage, b *bus.Bus) error {
	p := &registerProgress{cmd: cmd, verb: "stored"}
	var refused error
	sum, err := register.ReadFile(file, l, register.Reading{
		Lineage: func(more *wire.Lineage) error {
			l = more
			tellFork(cmd, l)
			return register.StoreLineage(cmd.Context(), b, l)
		},
		Entry: p.then(func(e *register.Entry) error {
			err := register.Store(cmd.Context(), b, l, e, nil)
			if errors.Is(err, register.ErrConflict) { // of this batch alone
				note(cmd, "left out: batch %s: %v", e.ID, err)
				refused, err = fmt.Errorf("%w: %w", errUnproven, err), nil
			}
			return err
		}),
		Dropped: func(err error) { note(cmd, "left out: %v", err) },
	})
	if err != nil {
		return err
	}
	return errors.Join(told(cmd, "in KEYS", sum), proven(sum), refused)
}

func newRegisterVerify() *cobra.Command {
	var o registerOptions
	cmd := &cobra.Command{
		Use: "verify FILE --manifest FILE", Short: "Check a file of the register, offline", Args: cobra.ExactArgs(1),
		Long: `Verify checks that all nodes of an entry's manifest certified it, of every entry
of the file, and that all deals are there. The manifest given is believed;
others in the file are if it names them, or if enough nodes approved that they
follow it. It needs no fleet and no network. The exit code is 4 if something
does not verify.`,
		Example: `  frostctl register verify keys.register --manifest manifest.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := config.LoadManifest(o.manifest)
			if err != nil {
				return err
			}
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer func() { _ = file.Close() }()
			p := &registerProgress{cmd: cmd, verb: "verified"}
			sum, err := register.ReadFile(file, wire.NewLineage(m), register.Reading{
				Lineage: func(l *wire.Lineage) error { tellFork(cmd, l); return nil },
				Entry:   p.then(func(*register.Entry) error { return nil }),
				Dropped: func(err error) { note(cmd, "does not verify: %v", err) },
			})
			if err != nil {
				return fmt.Errorf("%w: %w", errUnproven, err)
			}
			if err := proven(sum); err != nil {
				return err
			}
			return told(cmd, "verified", sum)
		},
	}
	o.flags(cmd, false)
	return cmd
}

// proven is an error if a file has what is no whole entry of the manifest's: an export
// writes none.
func proven(sum register.Summary) error {
	if sum.Dropped+sum.Partial == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d messages do not verify, and %d entries lack deals", errUnproven, sum.Dropped, sum.Partial)
}

// told prints what a command did.
func told(cmd *cobra.Command, verb string, sum register.Summary) error {
	if wantJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), sum)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d batches with %d keys\n", verb, sum.Batches(), sum.Keys)
	if sum.Later > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "further generations of these: %d\n", sum.Later)
	}
	if sum.Compact > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "compact entries (format %d), which earlier releases can't read: %d\n", wire.CompactVersion, sum.Compact)
	}
	if sum.Dropped > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "left out, as it proves nothing: %d\n", sum.Dropped)
	}
	if sum.Partial > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "not whole: %d\n", sum.Partial)
	}
	return nil
}
