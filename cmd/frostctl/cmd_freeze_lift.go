package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// unfreezeOptions are the flags of unfreeze.
type unfreezeOptions struct {
	administratorFlags
	targetFlags
	reason, out         string
	sign, publish, show string // files
}

func newUnfreezeCommand() *cobra.Command {
	var o unfreezeOptions
	cmd := &cobra.Command{
		Use: "unfreeze (--client NAME | --key ID | --fleet) --reason TEXT", Args: cobra.NoArgs,
		Short: "Vote to lift what is frozen (administrator)",
		Long: `Unfreeze votes to lift all freezes of a client, a key or the fleet that are in
force now. It takes the votes of as many administrators as the access list's
unfreeze_quorum says, over one statement: who runs the same command after the
first votes for the first one's statement. A later freeze is not lifted by it.

Administrators whose keys never touch a network sign a file, one after the
other: --out writes it, --show prints what it lifts, --sign adds a signature,
and --publish has each administrator's NATS account publish its own signature;
the account that makes streams may publish all.`,
		Example: `  frostctl unfreeze --config administrator0/administrator.toml --client treasury --reason "key replaced"
  frostctl unfreeze --fleet --reason "all clear" --out unfreeze.json
  frostctl unfreeze --sign unfreeze.json --admin-key /media/usb/administrator.key
  frostctl unfreeze --publish unfreeze.json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.administratorFlags.add(cmd, true)
	o.targetFlags.add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.reason, "reason", "", "why, in a sentence, for the other administrators")
	f.StringVarP(&o.out, "out", "o", "", "write the signed statement to this new file, and publish nothing")
	f.StringVar(&o.sign, "sign", "", "add a signature to this file; needs no network")
	f.StringVar(&o.publish, "publish", "", "publish the signatures in this file")
	f.StringVar(&o.show, "show", "", "print what this file lifts and who signed it; needs neither key nor network")
	cmd.MarkFlagsMutuallyExclusive("sign", "publish", "show", "out")
	for _, file := range []string{"sign", "publish", "show"} {
		for _, what := range []string{"client", "key", "fleet", "reason"} {
			cmd.MarkFlagsMutuallyExclusive(file, what)
		}
	}
	return cmd
}

func (o *unfreezeOptions) run(cmd *cobra.Command) error {
	switch {
	case o.show != "":
		return o.withFile(cmd, o.show, o.load, func(*administrator, *wire.UnfreezeFile) error { return nil })
	case o.sign != "":
		return o.withFile(cmd, o.sign, o.signer, func(a *administrator, f *wire.UnfreezeFile) error {
			f.Sign(a.manifest, a.name, a.key)
			return replaceUnfreeze(o.sign, f)
		})
	case o.publish != "":
		return o.withFile(cmd, o.publish, o.load, func(a *administrator, f *wire.UnfreezeFile) error {
			return a.publishFile(cmd, f)
		})
	}
	return o.vote(cmd)
}

// withFile calls use with a file, and prints what it is.
func (o *unfreezeOptions) withFile(
	cmd *cobra.Command, path string, load func() (*administrator, error), use func(*administrator, *wire.UnfreezeFile) error,
) error {
	a, err := load()
	if err != nil {
		return err
	}
	f, err := readUnfreeze(path, a.manifest)
	if err != nil {
		return err
	}
	if err := use(a, f); err != nil {
		return err
	}
	return a.describe(cmd, f)
}

func readUnfreeze(path string, m *wire.Manifest) (*wire.UnfreezeFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, wire.MaxFreezeFile+1))
	if err != nil {
		return nil, err
	}
	f, err := wire.ParseUnfreezeFile(m, data)
	if err != nil {
		return nil, fmt.Errorf("%s is no unfreeze of this fleet: %w", path, err)
	}
	return f, nil
}

func encodeUnfreeze(f *wire.UnfreezeFile) ([]byte, error) {
	data, err := json.MarshalIndent(f, "", "  ")
	return append(data, '\n'), err
}

func replaceUnfreeze(path string, f *wire.UnfreezeFile) error {
	data, err := encodeUnfreeze(f)
	if err != nil {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// describe prints what a file lifts, and who signed it.
func (a *administrator) describe(cmd *cobra.Command, f *wire.UnfreezeFile) error {
	s, signed := f.Unfreeze(), f.Signed(a.manifest, a.access)
	line := wire.LineOf(f.ID(a.manifest), strings.Join(signed[:min(len(signed), 1)], ""), s)
	line.Votes, line.Quorum = signed, a.access.Quorum()
	return show(cmd, line, func(w io.Writer) error {
		fmt.Fprintf(w, "unfreeze %s of %s: %s\n", line.ID[:16], s.At().Format("2006-01-02 15:04:05Z"), s.Reason)
		for i, lifted := range f.Lifts() {
			fmt.Fprintf(w, "  lifts freeze %s of %s, of %s: %s\n", wire.ShortFreezeID(s.Lifts[i]), lifted.Target(),
				lifted.At().Format("2006-01-02 15:04:05Z"), lifted.Reason)
		}
		_, err := fmt.Fprintf(w, "  signed by %d of %d administrators that it takes: %s\n", len(signed), a.access.Quorum(),
			strings.Join(signed, ", "))
		return err
	})
}

// publishFile publishes every signature that this account may.
func (a *administrator) publishFile(cmd *cobra.Command, f *wire.UnfreezeFile) error {
	signed, published := f.Signed(a.manifest, a.access), 0
	err := a.onBus(cmd, func(ctx context.Context, b *bus.Bus) (errs error) {
		for _, s := range f.Signatures {
			if !slices.Contains(signed, s.Administrator) {
				note(cmd, "left out: the signature of %.64q, which does not verify", printable(s.Administrator))
				continue
			}
			if err := a.say(ctx, b, s.Administrator, f.Message(s)); err != nil {
				errs = errors.Join(errs, err)
				continue
			}
			published++
		}
		return errs
	})
	switch {
	case published == 0 && err == nil:
		return errors.New("the file has no signature of an administrator: frostctl unfreeze --sign FILE")
	case published == 0 || err != nil && !errors.Is(err, bus.ErrDenied):
		return err
	case err != nil:
		note(cmd, "not all signatures were published: %v", err)
	}
	return nil
}

// vote votes for the statement that lifts a target's freezes: one that others have voted
// for, or a new one.
func (o *unfreezeOptions) vote(cmd *cobra.Command) error {
	scope, name, err := o.target()
	if err != nil {
		return err
	}
	a, err := o.signer()
	if err != nil {
		return err
	}
	return a.onBus(cmd, func(ctx context.Context, b *bus.Bus) error {
		book, err := a.book(ctx, b)
		if err != nil {
			return err
		}
		f, joined, err := a.unfreeze(book, onTarget(book, scope, name), o.reason)
		if err != nil {
			return err
		}
		f.Sign(a.manifest, a.name, a.key)
		if o.out != "" {
			data, err := encodeUnfreeze(f)
			if err != nil {
				return err
			}
			if err := secret.Create(o.out, data); err != nil {
				return err
			}
			return a.describe(cmd, f)
		}
		if joined {
			note(cmd, "voting for the unfreeze that others have voted for")
		}
		return a.cast(ctx, cmd, b, f)
	})
}

// unfreeze is the statement to vote for.
func (a *administrator) unfreeze(
	book *wire.FreezeBook, freezes []*wire.Freeze, reason string,
) (f *wire.UnfreezeFile, joined bool, err error) {
	switch {
	case len(freezes) == 0:
		return nil, false, errors.New("CONTROL has no such freeze in force: frostctl freezes lists them. One that only nodes " +
			"have is published again first: frost-worker freezes --json, frostctl freezes --restore FILE")
	case len(freezes) > wire.MaxLifts:
		freezes = freezes[:wire.MaxLifts]
	}
	for _, p := range book.Pending() {
		if !slices.ContainsFunc(freezes, func(f *wire.Freeze) bool { return !slices.Contains(p.Lifts, f.ID) }) {
			byID := map[[32]byte]*wire.Freeze{}
			for _, one := range book.InForce() {
				byID[one.ID] = one
			}
			lifted := make([]*wire.Freeze, 0, len(p.Lifts))
			for _, id := range p.Lifts {
				if byID[id] != nil {
					lifted = append(lifted, byID[id])
				}
			}
			if len(lifted) == len(p.Lifts) { // else nobody can read what it lifts
				f, err = wire.NewUnfreezeFile(a.manifest, &p.FreezeStatement, lifted)
				return f, true, err
			}
		}
	}
	if err := wire.CheckFreezeReason(reason); err != nil {
		return nil, false, usagef("--reason: %v", err)
	}
	s := statement(wire.ActionUnfreeze, reason)
	for _, one := range freezes {
		s.Lifts = append(s.Lifts, one.ID)
	}
	f, err = wire.NewUnfreezeFile(a.manifest, s, freezes)
	return f, false, err
}

// cast publishes this administrator's vote, and tells how many there are now.
func (a *administrator) cast(ctx context.Context, cmd *cobra.Command, b *bus.Bus, f *wire.UnfreezeFile) error {
	for _, s := range f.Signatures {
		if err := a.say(ctx, b, s.Administrator, f.Message(s)); err != nil {
			return err
		}
	}
	book, err := a.book(ctx, b)
	if err != nil {
		return err
	}
	id := f.ID(a.manifest)
	line := wire.LineOf(id, a.name, f.Unfreeze())
	line.Quorum = a.access.Quorum()
	for _, p := range book.Pending() {
		if p.ID == id {
			line.Votes = p.Votes
			return say(cmd, line, "%d of %d votes: %s. The others run the same command, or frostctl unfreeze --sign\n",
				len(p.Votes), line.Quorum, strings.Join(p.Votes, ", "))
		}
	}
	return say(cmd, line, "unfrozen: %d of %d votes\n", line.Quorum, line.Quorum)
}
