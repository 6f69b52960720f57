package client

import (
	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/descriptor"
)

// Descriptor is an output descriptor that came from somewhere else, such as a wallet.
type Descriptor struct{ of descriptor.Descriptor }

// ParseDescriptor reads a descriptor of the form that [Account.Descriptors] gives as Both,
// for the manifest's network. It proves nothing: ask [Descriptor.Account] whose it is.
func ParseDescriptor(m *Manifest, text string) (*Descriptor, error) {
	version, err := chain.ExtendedKeyVersion(m.Network)
	if err != nil {
		return nil, accountError(err)
	}
	d, err := descriptor.Parse(version, text)
	if err != nil {
		return nil, accountError(err)
	}
	return &Descriptor{d}, nil
}

// Account returns the account that the descriptor is of, if that is one of k's: all of
// it is compared, as fingerprints can be made to collide. Otherwise it returns nil.
func (d *Descriptor) Account(k Key) (*Account, error) {
	if descriptor.FingerprintOf(k.PublicKey) != d.of.Root {
		return nil, nil
	}
	a, err := k.Account()
	if err == nil && a.extendable() != nil {
		return nil, nil
	}
	if err == nil && len(d.of.Path) > 0 {
		a, err = a.At(d.of.Path.String())
	}
	if err != nil {
		return nil, err
	}
	mine, err := descriptor.New(a.version, a.root, a.path)
	if err != nil {
		return nil, accountError(err)
	}
	if mine.Key != d.of.Key {
		return nil, nil
	}
	return a, nil
}
