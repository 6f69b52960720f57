package policy

import (
	"fmt"
	"maps"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

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
