package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// freezeTime bounds what freezing and listing may take once NATS answers.
const freezeTime = 30 * time.Second

// administratorFlags are those of all commands of administrators.
type administratorFlags struct{ config, key string }

func (o *administratorFlags) add(cmd *cobra.Command, signs bool) {
	f := cmd.Flags()
	f.StringVarP(&o.config, "config", "c", "",
		"administrator's configuration (default ./administrator.toml, then $FROSTCTL_ADMINISTRATOR)")
	_ = cmd.MarkFlagFilename("config", "toml") // fails only without such a flag
	if signs {
		f.StringVar(&o.key, "admin-key", "", "the administrator's key file, in place of the configuration's")
	}
}

// administrator is who runs a command, and of which fleet.
type administrator struct {
	cfg      *config.Administrator
	manifest *wire.Manifest
	access   *wire.Access
	name     string // "" without a key
	key      ed25519.PrivateKey
}

func (o *administratorFlags) path() (string, error) {
	const local = "administrator.toml"
	if o.config != "" {
		return o.config, nil
	}
	if _, err := os.Stat(local); err == nil {
		return local, nil
	}
	if path := os.Getenv("FROSTCTL_ADMINISTRATOR"); path != "" {
		return path, nil
	}
	return "", usagef("no administrator.toml here: name one with --config FILE or in $FROSTCTL_ADMINISTRATOR " +
		"(frostctl fleet init DIR writes one, in DIR/administrator0)")
}

// load reads the configuration, manifest and access list.
func (o *administratorFlags) load() (*administrator, error) {
	path, err := o.path()
	if err != nil {
		return nil, err
	}
	a := &administrator{}
	if a.cfg, err = config.ParseAdministrator(path); err != nil {
		return nil, err
	}
	var errAccess error
	a.manifest, err = config.LoadManifest(a.cfg.Administrator.Manifest)
	a.access, errAccess = launch.LoadAccess(a.cfg.Administrator.Access)
	return a, errors.Join(err, errAccess)
}

// signer is load with the key.
func (o *administratorFlags) signer() (*administrator, error) {
	a, err := o.load()
	if err != nil {
		return nil, err
	}
	path := cmp.Or(o.key, a.cfg.Administrator.KeyFile)
	if a.key, err = config.LoadKey(path); err != nil {
		return nil, err
	}
	if a.name = a.access.AdministratorOf(a.key.Public().(ed25519.PublicKey)); a.name == "" {
		return nil, fmt.Errorf("the key in %s is no administrator's: no [[administrator]] of %s has its public half, %x",
			path, a.cfg.Administrator.Access, []byte(a.key.Public().(ed25519.PublicKey)))
	}
	return a, nil
}

// onBus calls use with the fleet's bus.
func (a *administrator) onBus(cmd *cobra.Command, use func(context.Context, *bus.Bus) error) error {
	b := a.cfg.Bus
	o := bus.Options{Fleet: a.manifest.Fleet, Name: "frostctl", URL: b.URL, Files: b.Files}
	return withBus(cmd, o, dialTimeout, freezeTime, use)
}

// book is what administrators said, by this machine's access list.
func (a *administrator) book(ctx context.Context, b *bus.Bus) (*wire.FreezeBook, error) {
	said, err := b.Slots(ctx, bus.Control, wire.ControlFilter)
	if err == nil {
		var carried []bus.Message
		carried, err = b.Slots(ctx, bus.Control, wire.CarriedFilter)
		said = append(said, carried...)
	}
	if errors.Is(err, bus.ErrNoStream) {
		return nil, fmt.Errorf("%w: make the stream with frostctl bus apply", err)
	}
	if err != nil {
		return nil, err
	}
	book := wire.NewFreezeBook(a.manifest)
	for _, m := range said {
		subject, message := wire.Uncarry(m.Subject, m.Data)
		_, _ = book.Add(a.access, subject, message) // what does not count, counts nowhere
	}
	return book, nil
}

// say publishes a signed statement under an administrator's own name.
func (a *administrator) say(ctx context.Context, b *bus.Bus, name string, message []byte) error {
	_, err := b.Publish(ctx, wire.ControlSubject(name), message, nil)
	switch {
	case errors.Is(err, bus.ErrExists):
		err = fmt.Errorf("CONTROL has as much of administrator %s as it takes: have another one say it, and give %s "+
			"another name in the access list: %w", name, name, err)
	case errors.Is(err, bus.ErrDenied):
		err = fmt.Errorf("this NATS account may not speak for administrator %s: use its credentials: %w", name, err)
	}
	return err
}

// statement is a new one of now.
func statement(action wire.FreezeAction, reason string) *wire.FreezeStatement {
	s := &wire.FreezeStatement{Action: action, Reason: reason, Time: time.Now().Unix()}
	_, _ = rand.Read(s.Nonce[:]) // never fails
	return s
}

// targetFlags say what to freeze or unfreeze.
type targetFlags struct {
	client, key string
	fleet       bool
}

func (o *targetFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.client, "client", "", "a client, by its name in the access list")
	f.StringVar(&o.key, "key", "", "a key by its id, with all its children")
	f.BoolVar(&o.fleet, "fleet", false, "everything")
	cmd.MarkFlagsMutuallyExclusive("client", "key", "fleet")
}

func (o *targetFlags) target() (wire.FreezeScope, string, error) {
	scope, name := wire.FreezeScope(""), ""
	switch {
	case o.client != "":
		scope, name = wire.FreezeClient, o.client
	case o.key != "":
		scope, name = wire.FreezeKey, o.key
	case o.fleet:
		scope = wire.FreezeFleet
	default:
		return "", "", usagef("name one of --client NAME, --key ID and --fleet")
	}
	if err := wire.CheckFreezeTarget(scope, name); err != nil {
		return "", "", usagef("%v", err)
	}
	return scope, name, nil
}

func newFreezeCommand() *cobra.Command {
	var o administratorFlags
	var what targetFlags
	var reason string
	var printOnly bool
	cmd := &cobra.Command{
		Use: "freeze (--client NAME | --key ID | --fleet) --reason TEXT", Args: cobra.NoArgs,
		Short: "Have nothing signed for a client, with a key, or at all (administrator)",
		Long: `Freeze is one administrator's word, signed with its key of the access list.
Every worker that hears the bus obeys within two seconds: it ends what it does
for the client, with the key and its children, or at all, and refuses it from
then on, also after a restart. A frozen client or fleet gets no keys either. The
client is answered with the code frozen. The reason is for administrators; the
client does not see it.

It takes as many administrators to unfreeze as the access list says: frostctl
unfreeze.`,
		Example: `  frostctl freeze --config administrator0/administrator.toml --client treasury --reason "key stolen"
  frostctl freeze --fleet --reason "withdrawals that nobody asked for" --admin-key /media/usb/administrator.key`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			scope, name, err := what.target()
			if err != nil {
				return err
			}
			if err := wire.CheckFreezeReason(reason); err != nil {
				return usagef("--reason: %v", err)
			}
			a, err := o.signer()
			if err != nil {
				return err
			}
			s := statement(wire.ActionFreeze, reason)
			s.Scope, s.Name = scope, name
			if printOnly {
				return a.print(cmd, s)
			}
			return a.freeze(cmd, s)
		},
	}
	o.add(cmd, true)
	what.add(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, in a sentence, for the other administrators")
	cmd.Flags().BoolVar(&printOnly, "print", false, "print the signed message for POST /v1/freezes, and reach for no network")
	return cmd
}

// signed is a statement as CONTROL takes it, with the administrator's signature.
func (a *administrator) signed(s *wire.FreezeStatement) (raw, message []byte) {
	raw = wire.Encode(s)
	return raw, wire.FreezeMessage(raw, wire.SignFreeze(a.key, a.manifest, a.name, raw))
}

// print shows a signed statement as the HTTP API takes it.
func (a *administrator) print(cmd *cobra.Command, s *wire.FreezeStatement) error {
	_, message := a.signed(s)
	return printJSON(cmd.OutOrStdout(), map[string]string{"administrator": a.name, "message": hex.EncodeToString(message)})
}

func (a *administrator) freeze(cmd *cobra.Command, s *wire.FreezeStatement) error {
	raw, message := a.signed(s)
	id := wire.FreezeID(a.manifest, raw)
	err := a.onBus(cmd, func(ctx context.Context, b *bus.Bus) error {
		if err := a.say(ctx, b, a.name, message); err != nil {
			return err
		}
		// Said first: what follows only warns.
		book, err := a.book(ctx, b)
		if err != nil {
			note(cmd, "stored, but CONTROL can't be read: %v", err)
			return nil
		}
		for _, f := range book.InForce() {
			if f.ID == id {
				return nil
			}
		}
		return fmt.Errorf("stored, but it does not count: administrator %s has %d freezes in force, or the fleet has another "+
			"access list; freeze the client or the fleet", a.name, wire.MaxFreezesOfOne)
	})
	if err != nil {
		return err
	}
	return say(cmd, wire.LineOf(id, a.name, s), "%s is frozen: freeze %s of administrator %s\n", s.Target(),
		wire.ShortFreezeID(id), a.name)
}
