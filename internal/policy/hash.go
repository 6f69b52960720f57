package policy

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// canonical is what a policy says, in one form: lists in order, amounts in smallest
// units, defaults written out. The order of the rules counts, and stays.
type canonical struct {
	Network   string            `json:"network"`
	Rules     []canonicalRule   `json:"rules"`
	Approvers map[string]string `json:"approvers"`
}

type canonicalRule struct {
	Name         string              `json:"name"`
	Clients      []string            `json:"clients"` // null: all
	Keys         []string            `json:"keys"`
	Kinds        []string            `json:"kinds"`
	Sighash      []string            `json:"sighash"`
	Destinations []string            `json:"destinations"`
	Anywhere     bool                `json:"anywhere"`
	Self         bool                `json:"self"`
	Range        int                 `json:"range"`
	Assets       []string            `json:"assets"`
	Programs     []string            `json:"programs"`
	Nonces       []string            `json:"nonces"`
	MaxFee       map[string]uint64   `json:"max_fee"`
	MaxFeeRate   uint64              `json:"max_fee_rate"`
	Gap          uint32              `json:"gap"`
	Limits       map[string]uint64   `json:"limits"`
	Approvals    *canonicalApprovals `json:"approvals"`
}

type canonicalApprovals struct {
	Require int               `json:"require"`
	From    []string          `json:"from"`
	Above   map[string]uint64 `json:"above"`
	Outside bool              `json:"outside"`
	Always  bool              `json:"always"`
}

func (p *Policy) digest() [32]byte {
	c := canonical{Network: p.network, Approvers: map[string]string{}}
	for name, key := range p.approvers {
		c.Approvers[name] = hex.EncodeToString(key)
	}
	for _, r := range p.rules {
		c.Rules = append(c.Rules, r.canonical())
	}
	text, err := json.Marshal(c) // which has the keys of maps in order
	if err != nil {
		panic(err) // strings and numbers only
	}
	return frost.Hash("frostfleet/policy/v1", text)
}

func (r *rule) canonical() canonicalRule {
	c := canonicalRule{
		Name: r.name, Sighash: r.sighash.sorted(), Assets: r.assets.sorted(), Programs: r.programs.sorted(),
		Nonces: r.nonces.sorted(), MaxFee: r.maxFee, MaxFeeRate: r.maxFeeRate, Gap: r.gap, Limits: map[string]uint64{},
		Anywhere: r.destinations == nil,
	}
	if r.clients != nil {
		c.Clients = r.clients.sorted()
	}
	if r.keys != nil {
		c.Keys = r.keys.sorted()
	}
	for kind := range maps.Keys(r.kinds) {
		c.Kinds = append(c.Kinds, string(kind))
	}
	slices.Sort(c.Kinds)
	if d := r.destinations; d != nil {
		c.Destinations, c.Self, c.Range = d.listed.sorted(), d.self, d.each
	}
	for _, l := range r.limits {
		c.Limits[l.id] = l.max
	}
	if a := r.approvals; a != nil {
		c.Approvals = &canonicalApprovals{a.require, a.from, a.above, a.outside, a.always}
	}
	return c
}
