package policy

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Description is a policy as people and programs read it.
type Description struct {
	Hash    string            `json:"hash"`
	Network string            `json:"network"`
	Rules   []RuleDescription `json:"rules"`
}

// RuleDescription is a rule in sentences, and what its author may not have meant.
type RuleDescription struct {
	Name  string   `json:"name"`
	Says  []string `json:"says"`
	Notes []string `json:"notes,omitempty"`
}

// Describe puts a policy into words.
func (p *Policy) Describe() Description {
	hash := p.Hash()
	d := Description{Hash: hex.EncodeToString(hash[:]), Network: p.network}
	for _, r := range p.rules {
		d.Rules = append(d.Rules, RuleDescription{r.name, r.says(), r.notes()})
	}
	return d
}

// Lines are the description for people.
func (d *Description) Lines() (lines []string) {
	lines = append(lines, fmt.Sprintf("policy %s of %d rules, for %s", d.Hash[:16], len(d.Rules), d.Network))
	for i, r := range d.Rules {
		lines = append(lines, "", fmt.Sprintf("%d. %s", i+1, r.Name))
		for _, one := range r.Says {
			lines = append(lines, "   "+one)
		}
		for _, one := range r.Notes {
			lines = append(lines, "   note: "+one)
		}
	}
	return lines
}

func (r *rule) says() []string {
	kinds := make([]string, 0, len(r.kinds))
	for kind := range r.kinds {
		kinds = append(kinds, string(kind))
	}
	slices.Sort(kinds)
	says := []string{
		"clients:   " + orAll(r.clients), "keys:      " + orAll(r.keys), "kinds:     " + strings.Join(kinds, ", "),
	}
	say := func(what, text string) { says = append(says, fmt.Sprintf("%-10s %s", what+":", text)) }
	if r.moves() {
		say("moves", orNothing(r.assets.sorted()))
		say("pays", r.destinations.describe())
	}
	if r.kinds[intent.PSBT] {
		say("sighash", strings.Join(r.sighash.sorted(), ", "))
		say("change", fmt.Sprintf("on chain 1, up to %d above the highest index spent from", r.gap))
	}
	for _, coin := range []string{intent.Bitcoin, intent.Solana} {
		if most := r.maxFee[coin]; most > 0 {
			say("fee", "up to "+Amount(coin, most))
		}
	}
	if r.maxFeeRate > 0 {
		say("fee", fmt.Sprintf("up to %d satoshis for each virtual byte", r.maxFeeRate))
	}
	if len(r.programs) > 0 {
		say("programs", strings.Join(r.programs.sorted(), ", "))
	}
	if len(r.nonces) > 0 {
		say("nonces", strings.Join(r.nonces.sorted(), ", "))
	}
	for _, l := range r.limits {
		say("limit", l.String())
	}
	if a := r.approvals; a != nil {
		say("approvals", fmt.Sprintf("%d of %s, %s", a.require, strings.Join(a.from, ", "), a.when()))
	}
	return says
}

// moves reports whether the rule allows transactions that can be read.
func (r *rule) moves() bool { return r.kinds[intent.PSBT] || r.kinds[intent.SolanaTransaction] }

func orAll(s set) string {
	if s == nil {
		return "all"
	}
	list := s.sorted()
	if len(list) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:4], ", "), len(list)-4)
	}
	return strings.Join(list, ", ")
}

func (d *destinations) describe() string {
	if d == nil {
		return "anybody"
	}
	list := d.listed.sorted()
	if d.self {
		list = append(list, toSelf)
	}
	text := fmt.Sprintf("%d destinations: %s", len(list), strings.Join(list[:min(3, len(list))], ", "))
	if len(list) > 3 {
		text += ", ..."
	}
	return text
}

func (a *approvals) when() string {
	if a.always {
		return "always"
	}
	var when []string
	if a.outside {
		when = append(when, "for payments to others than the destinations")
	}
	for _, asset := range setOf(keysOf(a.above)).sorted() {
		when = append(when, "above "+Amount(asset, a.above[asset]))
	}
	return strings.Join(when, "; ")
}

func keysOf(m map[string]uint64) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// notes are what a rule leaves open.
func (r *rule) notes() (notes []string) {
	open := r.approvals == nil || !r.approvals.always
	if r.kinds[intent.Raw] && open {
		notes = append(notes, "raw digests can move everything that its keys hold, and nobody can tell")
	}
	if len(r.programs) > 0 {
		notes = append(notes, "what the listed programs do is neither read nor counted")
	}
	for _, asset := range r.assets.sorted() {
		if !slices.ContainsFunc(r.limits, func(l *limit) bool { return l.asset == asset && l.window.length > 0 }) &&
			r.moves() && r.destinations == nil && open {
			notes = append(notes, fmt.Sprintf("%s may go to anybody, and nothing limits how much in the course of time", asset))
		}
	}
	if r.kinds[intent.SolanaMessage] || r.kinds[intent.BitcoinMessage] {
		if open {
			notes = append(notes, "messages may promise anything, such as a login or an order to trade")
		}
	}
	return notes
}
