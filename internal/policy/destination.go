package policy

import (
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
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
