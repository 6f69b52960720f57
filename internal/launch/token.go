package launch

import (
	"context"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
	"github.com/frostfleet/frostfleet/internal/pin"
)

// backEnd is what a PKCS#11 provider is.
type backEnd interface {
	keyprovider.Provider
	keyprovider.Prober
	keyprovider.Describer
}

// token is a PKCS#11 provider that lets go of its PIN in the end.
type token struct {
	backEnd
	release func()
}

// Close implements keyprovider.Provider.
func (t *token) Close() error {
	defer t.release()
	return t.backEnd.Close()
}

func openPKCS11(ctx context.Context, n *config.Node, o ProviderOptions) (keyprovider.Provider, error) {
	options, keeper, err := TokenOptions(n, o)
	if err != nil {
		return nil, err
	}
	open := func(ctx context.Context, afterWrongPIN bool) (backEnd, error) {
		options := options
		options.AfterWrongPIN = afterWrongPIN
		timeout := openTime
		if asksPerson(n, o) {
			timeout = askTime
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return pkcs11.Open(ctx, options)
	}
	if o.Unlock {
		p, stop, err := newUnlocker(n, keeper, open, o).run(ctx)
		if err != nil {
			return nil, err
		}
		return &token{p, stop}, nil
	}
	p, err := open(ctx, o.AfterWrongPIN)
	if err != nil {
		keeper.Wipe()
		return nil, err
	}
	return &token{p, keeper.Wipe}, nil
}

// askTime bounds the opening of a token of which a person types the PIN.
const askTime = 5 * time.Minute

// asksPerson tells whether a login asks somebody for the PIN, and waits.
func asksPerson(n *config.Node, o ProviderOptions) bool {
	p := &n.Node.KeyProvider
	return p.Pin.Bytes == nil && p.PinFile == "" && !o.Unlock && o.PIN != nil
}

// TokenOptions are those of a node's file for its token. The keeper has the PIN
// and is wiped by the caller in the end.
func TokenOptions(n *config.Node, o ProviderOptions) (pkcs11.Options, *pin.Keeper, error) {
	p := &n.Node.KeyProvider
	source, remedy := pinSource(n, o)
	keeper := pin.NewKeeper(source, remedy, pin.TriedIn(n.Node.StoragePath, "make sure of the PIN, then "+unlockCommand(n)))
	options := pkcs11.Options{
		Library: p.PKCS11Library, Slot: p.Slot, TokenLabel: p.TokenLabel,
		KeyLabel: p.KeyLabel, DerivationKeyLabel: p.DerivationKeyLabel, Derivation: p.Derivation,
		PIN: keeper.PIN, Guard: keeper, AfterWrongPIN: o.AfterWrongPIN,
		Sessions: p.Sessions, Observe: o.Observe, Log: o.Log,
	}
	if p.URI != "" {
		if err := options.MergeURI(p.URI); err != nil {
			return options, nil, fmt.Errorf("%s: node.key_provider.uri: %w", n.Path(), err)
		}
	}
	return options, keeper, nil
}

func unlockCommand(n *config.Node) string { return "frost-worker unlock --config " + n.Path() }

// pinSource says where the PIN comes from, and what to do when it is missing
// or wrong.
func pinSource(n *config.Node, o ProviderOptions) (source pin.Source, remedy string) {
	p := &n.Node.KeyProvider
	unlock := unlockCommand(n)
	switch {
	case p.Pin.Bytes != nil:
		return pin.Literal(p.Pin.Bytes), "mend pin in " + n.Path() + ", then " + unlock
	case p.PinFile != "":
		return pin.File(p.PinFile), "mend " + p.PinFile + ", then " + unlock
	case o.Unlock:
		return nil, "give it with " + unlock
	case asksPerson(n, o):
		return pin.Once(o.PIN), "start again and type it"
	}
	return nil, "run this on a terminal, or name a file with pin_file"
}
