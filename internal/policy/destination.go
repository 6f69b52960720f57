package policy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/tx/solana"
	"github.com/frostfleet/frostfleet/internal/wire"
)

const (
	// defaultRange is how many addresses of each chain of a descriptor or key count.
	defaultRange = 1000
	// maxAddresses is how many addresses all destinations of a file may come to.
	maxAddresses = 100_000
)

// What destinations may be besides addresses and descriptors.
const (
	toSelf   = "self"
	toFleet  = "fleet:"  // and a key id: the key's own address, and its children 0/i and 1/i
	toScript = "script:" // and hexadecimal: an output that has no address
)

// toAccount begins a payment to a token account whose owner is not known.
const toAccount = "account:"

// destinations are whom a rule lets its clients pay.
type destinations struct {
	self   bool // children 0/i and 1/i of the job's own keys, i bounded as for change
	each   int  // how many children of a chain count
	listed set  // as the file has them, in their one form
	// addresses are all that listed comes to, in the form that internal/tx gives.
	addresses set
	tokens    []string        // mints that the rule lets move: payments of them may name a token account
	fleet     map[string]bool // keys whose addresses are not known yet
}

type params struct {
	*chaincfg.Params
	keys descriptor.Version
}

var networks = map[string]*params{
	"mainnet": {&chaincfg.MainNetParams, descriptor.Mainnet},
	"testnet": {&chaincfg.TestNet3Params, descriptor.Testnet},
	"signet":  {&chaincfg.SigNetParams, descriptor.Testnet},
	"regtest": {&chaincfg.RegressionNetParams, descriptor.Testnet},
}

func (p *parser) destinations(at string, f *fileRule, r *rule) *destinations {
	at += ".destinations"
	each := defaultRange
	if f.Range != nil {
		if each = *f.Range; each < 1 || each > maxAddresses/2 {
			p.fail(at[:len(at)-1]+"_range", "is %d: use 1 to %d", each, maxAddresses/2)
			return nil
		}
	}
	if f.Destinations == nil {
		if f.Range != nil {
			p.fail(at[:len(at)-1]+"_range", "can never apply: the rule has no destinations")
		}
		return nil
	}
	d := &destinations{each: each, listed: set{}, addresses: set{}, fleet: map[string]bool{}}
	for _, asset := range r.assets.sorted() {
		if mint, ok := strings.CutPrefix(asset, token); ok {
			d.tokens = append(d.tokens, mint)
		}
	}
	if !p.list(at, f.Destinations) {
		return d
	}
	if !r.kinds[intent.PSBT] && !r.kinds[intent.SolanaTransaction] {
		p.fail(at, never, "psbt and solana_transaction")
		return d
	}
	ranged := false
	for _, one := range f.Destinations {
		of, err := p.destination(d, one)
		ranged = ranged || of == ofRange
		switch {
		case err != nil:
			p.fail(at, "%.200q %v", one, err)
		case of == intent.Bitcoin && !r.kinds[intent.PSBT]:
			p.fail(at, "%.200q "+never, one, intent.PSBT)
		case of == intent.Solana && !r.kinds[intent.SolanaTransaction]:
			p.fail(at, "%.200q "+never, one, intent.SolanaTransaction)
		}
		if p.left < 0 {
			p.fail(at, "come to more than %d addresses in this file: lower destination_range", maxAddresses)
			return d
		}
	}
	if f.Range != nil && !ranged {
		p.fail(at[:len(at)-1]+"_range", "can never apply: no destination is a descriptor or a fleet: key")
	}
	return d
}

// ofRange is what destination says of one that has addresses without end.
const ofRange = "range"

// destination adds one, and says which chain it is of, if it is of one.
func (p *parser) destination(d *destinations, one string) (of string, err error) {
	if one == toSelf {
		d.self = true
		return "", nil
	}
	if id, ok := strings.CutPrefix(one, toFleet); ok {
		if _, err := wire.ParseKeyID(id); err != nil {
			return "", fmt.Errorf("names no key: %w", err)
		}
		p.left -= (2*d.each + 1) * d.cost()
		d.fleet[id] = true
		d.listed[one] = true
		return ofRange, nil
	}
	if strings.HasPrefix(one, "tr(") {
		if p.left -= 2 * d.each; p.left < 0 {
			return "", nil // reported by the caller: what it would come to is not computed
		}
		d.listed[one] = true
		return ofRange, d.descriptor(p.params, one)
	}
	if p.left -= d.cost(); p.left < 0 {
		return "", nil
	}
	of, one, err = p.params.address(one)
	if err != nil {
		return "", err
	}
	d.listed[one] = true
	return of, d.add(of, one)
}

// cost is how many addresses one of Solana's may come to.
func (d *destinations) cost() int { return 1 + len(tokenPrograms)*len(d.tokens) }

// add adds an address, and of Solana the token accounts that follow from it.
func (d *destinations) add(of, address string) error {
	d.addresses[address] = true
	if of != intent.Solana {
		return nil
	}
	for _, mint := range d.tokens {
		accounts, err := tokenAccounts(address, mint)
		if err != nil {
			return err
		}
		for _, account := range accounts {
			d.addresses[account] = true
		}
	}
	return nil
}

// tokenPrograms are the programs that a mint may be of.
var tokenPrograms = []string{solana.TokenProgram, solana.Token2022Program}

// tokenAccounts are an owner's associated accounts of a mint, as payments name them where
// the transaction doesn't say whose they are.
func tokenAccounts(owner, mint string) (accounts []string, err error) {
	for _, program := range tokenPrograms {
		account, err := solana.AssociatedAccount(owner, program, mint)
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, toAccount+account)
	}
	return accounts, nil
}

// address reads an address of the network, or a script, and returns the form that
// internal/tx gives it.
func (n *params) address(text string) (of, canonical string, err error) {
	if script, ok := strings.CutPrefix(text, toScript); ok {
		b, err := hex.DecodeString(script)
		if err != nil || len(b) == 0 || len(b) > 10_000 {
			return "", "", errors.New("is no script: write script: and its bytes in hexadecimal")
		}
		return intent.Bitcoin, toScript + hex.EncodeToString(b), nil
	}
	if isSolana(text) {
		return intent.Solana, text, nil
	}
	if canonical := n.bitcoin(text); canonical != "" {
		return intent.Bitcoin, canonical, nil
	}
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		if networks[name].bitcoin(text) != "" {
			return "", "", fmt.Errorf("is of another network: it is of %s", name)
		}
	}
	return "", "", errors.New("is no address of Bitcoin or Solana, no tr(...) descriptor, no script:, no fleet: key, and " +
		"not self")
}

// bitcoin is the one form of an address of the network, or empty.
func (n *params) bitcoin(text string) string {
	address, err := btcutil.DecodeAddress(text, n.Params)
	if _, key := address.(*btcutil.AddressPubKey); err != nil || key || !address.IsForNet(n.Params) {
		return ""
	}
	return address.EncodeAddress()
}

// origin is where a key of a descriptor comes from: others may have hardened steps.
var origin = regexp.MustCompile(`^\[[0-9a-fA-F]{8}(/[0-9]{1,10}['hH]?){0,10}\]`)

var errDescriptor = errors.New("is no descriptor of taproot addresses without scripts: want " +
	"tr([origin]xpub/<0;1>/*)#checksum, or /0/* or /1/* for one chain")

// descriptor adds the addresses of a descriptor (BIPs 380, 386, 389), of this fleet's or
// another wallet's key.
func (d *destinations) descriptor(n *params, text string) error {
	script, sum, ok := strings.Cut(text, "#")
	if !ok {
		return errors.New("has no checksum: copy the descriptor with what follows its #")
	}
	if want, err := descriptor.Checksum(script); err != nil || want != sum {
		return errors.New("has a wrong checksum: it was not copied whole, or was changed")
	}
	inner, ok := strings.CutSuffix(strings.TrimPrefix(script, "tr("), "/*)")
	if !ok {
		return errDescriptor
	}
	inner = inner[len(origin.FindString(inner)):]
	key, path, _ := strings.Cut(inner, "/")
	chains, ok := map[string][]uint32{"<0;1>": {0, 1}, "0": {0}, "1": {1}}[path]
	if !ok {
		return errDescriptor
	}
	x, err := descriptor.ParseExtendedKey(key)
	if err != nil {
		return err
	}
	if x.Version != n.keys {
		return errors.New("is of another network: xpub is of mainnet, tpub of the test networks")
	}
	for _, chain := range chains {
		if err := d.children(n, x.Key(), chain); err != nil {
			return err
		}
	}
	return nil
}

// children adds the addresses of one chain of a key.
func (d *destinations) children(n *params, root derive.Key, chain uint32) error {
	b, err := derive.NewBranch(root, derive.Path{chain})
	if err != nil {
		return err
	}
	if root.Suite == frost.Ed25519 {
		keys, err := b.PublicKeys(0, d.each)
		for _, key := range keys {
			if err := d.add(intent.Solana, base58.Encode(key)); err != nil {
				return err
			}
		}
		return err
	}
	keys, err := b.OutputKeys(0, d.each)
	for _, key := range keys {
		address, err := taproot(n, key)
		if err != nil {
			return err
		}
		d.addresses[address] = true
	}
	return err
}

func taproot(n *params, key [32]byte) (string, error) {
	address, err := btcutil.NewAddressTaproot(key[:], n.Params)
	if err != nil {
		return "", err
	}
	return address.EncodeAddress(), nil
}

// WithKeys returns the policy with the addresses of the keys that FleetKeys names, as far
// as they are given: of each its own, and those of its children 0/i and 1/i. It computes
// them, which takes some 10 µs each. The hash stays: it is of the file.
func (p *Policy) WithKeys(keys map[string]derive.Key) (*Policy, error) {
	if p == nil {
		return nil, nil
	}
	out := *p
	out.rules = make([]*rule, len(p.rules))
	for i, r := range p.rules {
		copied := *r
		out.rules[i] = &copied
		if r.destinations == nil || len(r.destinations.fleet) == 0 {
			continue
		}
		d := *r.destinations
		d.addresses, d.fleet = maps.Clone(d.addresses), maps.Clone(d.fleet)
		copied.destinations = &d
		for id := range d.fleet {
			key, ok := keys[id]
			if !ok {
				continue
			}
			if err := d.key(networks[p.network], key); err != nil {
				return nil, fmt.Errorf("addresses of key %s: %w", id, err)
			}
			delete(d.fleet, id)
		}
	}
	return &out, nil
}

// key adds a key of the fleet.
func (d *destinations) key(n *params, key derive.Key) error {
	if key.Suite == frost.Ed25519 {
		if err := d.add(intent.Solana, base58.Encode(key.PublicKey)); err != nil {
			return err
		}
	} else {
		output, err := frost.OutputKey(key.Suite, key.PublicKey, frost.Tweak{Mode: frost.TweakBIP86})
		if err != nil {
			return err
		}
		address, err := taproot(n, [32]byte(output))
		if err != nil {
			return err
		}
		d.addresses[address] = true
	}
	for chain := range uint32(2) {
		if err := d.children(n, key, chain); err != nil {
			return err
		}
	}
	return nil
}
