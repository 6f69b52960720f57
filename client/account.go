package client

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Account is a key whose children have addresses. It computes them from public data,
// without the fleet and without a network, and the fleet signs for each of them: nobody
// is asked for a new address. The key was proven when the account was made of it, so
// the addresses are as good as its own.
//
// Children 0/i receive payments, children 1/i are for change, as in other wallets
// ([Receive], [Change]). docs/protocol.md, section 10, has the arithmetic. An Account
// does not change and may be used concurrently.
type Account struct {
	key     Key
	root    derive.Key
	path    derive.Path // from the key to the account; empty: the key is the account
	version descriptor.Version
}

// Branch is one of the two rows of an account's addresses.
type Branch uint32

// The branches.
const (
	Receive Branch = 0 // what others are told, to pay to
	Change  Branch = 1 // what is left over of a payment comes back to
)

// MaxIndex is the highest index of an address.
const MaxIndex = derive.MaxIndex

// Account returns the key as an account. The key is one that [Client.Keygen] or
// [Proof.Verify] returned; others are refused, since nothing shows whose they are.
func (k Key) Account() (*Account, error) {
	if k.network == "" {
		return nil, refuseAccount(CodeUnprovenKey,
			"nothing shows that key %.80s is the fleet's: take keys from Keygen or Proof.Verify", k.ID)
	}
	suite, ok := wire.ChainSuite(k.Chain)
	if !ok || len(k.ChainCode) != 32 {
		return nil, refuseAccount(CodeUnprovenKey, "key %.80s was changed after it was proven", k.ID)
	}
	k = k.clone() // what the caller does with its own changes no address
	a := &Account{key: k, root: derive.Key{Suite: suite, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}}
	if suite == frost.Secp256k1TR {
		var err error
		if a.version, err = chain.ExtendedKeyVersion(k.network); err != nil {
			return nil, fmt.Errorf("client: key %s: %w", k.ID, err)
		}
	}
	return a, nil
}

// Key is the key that the account is of.
func (a *Account) Key() Key { return a.key.clone() }

func (k Key) clone() Key {
	k.PublicKey, k.ChainCode = bytes.Clone(k.PublicKey), bytes.Clone(k.ChainCode)
	return k
}

// Path leads from the key to the account; it is empty if that is the key itself.
func (a *Account) Path() string { return a.path.String() }

// At returns the account that a path such as "5" or "7/2" leads to from this one, for
// whoever keeps several apart under one key. A path has no hardened steps, and two of
// its 8 steps are kept for branch and index.
func (a *Account) At(path string) (*Account, error) {
	steps, err := derive.ParsePath(path)
	if err != nil {
		return nil, accountError(err)
	}
	all := append(append(derive.Path{}, a.path...), steps...)
	if len(all) > derive.MaxDepth-2 {
		return nil, refuseAccount(CodeBadPath,
			"a path of %d steps to an account: want at most %d, as branch and index follow", len(all), derive.MaxDepth-2)
	}
	below := *a
	below.path = all
	return &below, nil
}

// ExtendedKey returns the account's extended public key (BIP 32): xpub, or tpub on the
// test networks.
func (a *Account) ExtendedKey() (string, error) {
	if err := a.extendable(); err != nil {
		return "", err
	}
	k, err := descriptor.Extend(a.version, a.root, a.path)
	if err != nil {
		return "", accountError(err)
	}
	return k.String(), nil
}

// Descriptors are what watch-only wallets import, each with its checksum.
type Descriptors struct {
	Both            string // tr([fingerprint]xpub/<0;1>/*)#checksum (BIP 389), which stands for the two others
	Receive, Change string // for wallets that want one at a time
}

// Descriptors returns the account's output descriptors (BIPs 380 and 386).
func (a *Account) Descriptors() (Descriptors, error) {
	if err := a.extendable(); err != nil {
		return Descriptors{}, err
	}
	d, err := descriptor.New(a.version, a.root, a.path)
	if err != nil {
		return Descriptors{}, accountError(err)
	}
	return Descriptors{d.String(), d.Chain(uint32(Receive)), d.Chain(uint32(Change))}, nil
}

func (a *Account) extendable() error {
	if a.root.Suite == frost.Secp256k1TR {
		return nil
	}
	return refuseAccount(CodeNoExtendedKey, "key %s is of %s, suite %s: BIP 32 and output descriptors have keys of "+
		"secp256k1; list its addresses instead", a.key.ID, a.key.Chain, a.root.Suite)
}

func refuseAccount(code Code, format string, args ...any) *AccountError {
	return &AccountError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// accountError gives an error of what is underneath its code.
func accountError(err error) error {
	for _, row := range []struct {
		code   Code
		causes []error
	}{
		{CodeBadPath, []error{derive.ErrMalformed, derive.ErrHardened, derive.ErrTooDeep, derive.ErrIndex}},
		{CodeInvalidChild, []error{derive.ErrInvalidChild}},
		{CodeOtherNetwork, []error{descriptor.ErrNetwork}},
		{CodeBadDescriptor, []error{descriptor.ErrDescriptor, descriptor.ErrChecksum, descriptor.ErrExtendedKey}},
	} {
		for _, cause := range row.causes {
			if errors.Is(err, cause) {
				return &AccountError{row.code, err.Error()}
			}
		}
	}
	return fmt.Errorf("client: %w", err)
}
