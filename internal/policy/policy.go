// Package policy decides what a node signs. A policy is a file of one node's operator:
// rules that say what clients may ask of which keys, to whom, how much of it in which
// time, and when people have to agree. docs/policy.md describes it to the operator.
//
// A Policy does not change. What was allowed before is in a Ledger, which counts by the
// digest of a job, and whose state the caller keeps. The package is pure: no I/O, no
// clock, no goroutine.
package policy

import (
	"crypto/ed25519"
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Policy is a policy file that was read and found consistent. A nil Policy allows
// everything.
type Policy struct {
	network   string
	rules     []*rule
	approvers map[string]ed25519.PublicKey
	limits    []*limit // of all rules, each that counts over time
	hash      [32]byte
}

// rule is what holds for some clients and keys.
type rule struct {
	name         string
	clients      set // nil: all
	keys         set // nil: all
	kinds        map[intent.Kind]bool
	sighash      set
	destinations *destinations // nil: anywhere
	assets       set           // nil: any
	programs     set
	nonces       set
	maxFee       map[string]uint64 // by asset
	maxFeeRate   uint64            // satoshis for a virtual byte; 0: any
	gap          uint32
	limits       []*limit
	approvals    *approvals // nil: none are asked for
}

// set is a set of strings.
type set map[string]bool

func setOf(list []string) set {
	s := make(set, len(list))
	for _, one := range list {
		s[one] = true
	}
	return s
}

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// approvals says when people have to agree, how many, and who may.
type approvals struct {
	require int
	from    []string
	above   map[string]uint64 // by asset
	outside bool              // a payment that the destinations don't list
	always  bool
}

// Network is the network that the policy's addresses are of.
func (p *Policy) Network() string { return p.network }

// Hash names the policy: SHA-256 of what it says, however the file is written. The zero
// hash is that of no policy.
func (p *Policy) Hash() [32]byte {
	if p == nil {
		return [32]byte{}
	}
	return p.hash
}

// Approvers are the keys that may approve, by name. None of them may be a client's: the
// caller compares.
func (p *Policy) Approvers() map[string]ed25519.PublicKey {
	if p == nil {
		return nil
	}
	return maps.Clone(p.approvers)
}

// ApproversOf are those whom the rule names that a client's job with these roots falls under:
// what others agree to changes nothing about it, as they are asked about other things.
func (p *Policy) ApproversOf(client string, roots []intent.Root) map[string]ed25519.PublicKey {
	if p == nil {
		return nil
	}
	r, _ := p.rule(&Ask{Client: client, Roots: roots})
	if r == nil || r.approvals == nil {
		return nil
	}
	keys := map[string]ed25519.PublicKey{}
	for _, name := range r.approvals.from {
		keys[name] = p.approvers[name]
	}
	return keys
}

// Counts reports whether the policy has limits over time, which need a Ledger.
func (p *Policy) Counts() bool { return p != nil && len(p.limits) > 0 }

// Rules are the names of the rules, in the order in which they are tried.
func (p *Policy) Rules() []string {
	if p == nil {
		return nil
	}
	names := make([]string, len(p.rules))
	for i, r := range p.rules {
		names[i] = r.name
	}
	return names
}

// FleetKeys are the ids of the keys that the policy's destinations name. What pays to
// them is denied until WithKeys was told their public keys.
func (p *Policy) FleetKeys() []string {
	if p == nil {
		return nil
	}
	all := set{}
	for _, r := range p.rules {
		if r.destinations != nil {
			for id := range r.destinations.fleet {
				all[id] = true
			}
		}
	}
	return all.sorted()
}
