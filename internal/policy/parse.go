package policy

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// version is the version of policy files that this program reads.
const version = 1

// Bounds of a file: what an operator can oversee is far below, and a file above is a
// mistake.
const (
	MaxFile      = 1 << 20 // bytes
	maxRules     = 256
	maxList      = 4096 // entries of one list
	maxApprovers = 64
	maxLimits    = 32 // of one rule
)

type file struct {
	Version   *int           `toml:"version"`
	Rules     []fileRule     `toml:"rule"`
	Approvers []fileApprover `toml:"approver"`
}

type fileRule struct {
	Name         string         `toml:"name"`
	Clients      []string       `toml:"clients"`
	Keys         []string       `toml:"keys"`
	Kinds        []string       `toml:"kinds"`
	Sighash      []string       `toml:"sighash"`
	Destinations []string       `toml:"destinations"`
	Range        *int           `toml:"destination_range"`
	Assets       []string       `toml:"assets"`
	Programs     []string       `toml:"programs"`
	Nonces       []string       `toml:"nonce_accounts"`
	MaxFee       []string       `toml:"max_fee"`
	MaxFeeRate   *int64         `toml:"max_fee_rate"`
	Gap          *int           `toml:"change_gap"`
	Limits       []fileLimit    `toml:"limit"`
	Approvals    *fileApprovals `toml:"approvals"`
}

type fileLimit struct {
	Amount string `toml:"amount"`
	Per    string `toml:"per"`
	Scope  string `toml:"scope"`
}

type fileApprovals struct {
	Require int      `toml:"require"`
	From    []string `toml:"from"`
	Above   []string `toml:"above"`
	Outside bool     `toml:"outside"`
	Always  bool     `toml:"always"`
}

type fileApprover struct {
	Name      string `toml:"name"`
	PublicKey string `toml:"public_key"`
}

// IsNetwork reports whether there is a network of that name.
func IsNetwork(name string) bool { return networks[name] != nil }

// Parse reads a policy file, for a network: mainnet, testnet, signet or regtest, as the
// manifest names it. What it refuses is Errors.
func Parse(text []byte, network string) (*Policy, error) {
	params, ok := networks[network]
	if !ok {
		return nil, fmt.Errorf("network %.64q: use mainnet, testnet, signet or regtest", network)
	}
	if len(text) > MaxFile {
		return nil, Errors{{Message: fmt.Sprintf("has %d bytes, and a policy has at most %d", len(text), MaxFile)}}
	}
	var f file
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		return nil, decodeErrors(err)
	}
	p := &parser{source: newSource(text), network: network, params: params}
	out := p.policy(&f)
	if err := p.result(); err != nil {
		return nil, err
	}
	out.hash = out.digest()
	return out, nil
}

// decodeErrors puts the library's errors into ours.
func decodeErrors(err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var all Errors
		for i := range strict.Errors {
			line, _ := strict.Errors[i].Position()
			all = append(all, &Error{line, strings.Join(strict.Errors[i].Key(), "."),
				"unknown key: check its spelling, and the table that it stands in"})
		}
		return all
	}
	line, key := 0, ""
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ = wrong.Position()
		key = strings.Join(wrong.Key(), ".")
	}
	return Errors{{line, key, plainWords(err)}}
}

var character = regexp.MustCompile(`( but got|:)? U\+[0-9A-F]+( '.*')?`)

// plainWords is the library's message without its names for our types.
func plainWords(err error) string {
	text := character.ReplaceAllString(strings.TrimPrefix(err.Error(), "toml: "), "")
	if what, _, found := strings.Cut(text, " into struct field"); found {
		return what + ": it has the wrong type"
	}
	if what, _, found := strings.Cut(text, " into "); found {
		return what + ": it has the wrong type"
	}
	return text
}

// parser makes a policy of a file, and notes what is wrong.
type parser struct {
	*source
	network string
	params  *params
	names   map[string]bool // of rules
	used    set             // approvers that a rule names
	left    int             // addresses that destinations may still have
}

func (p *parser) policy(f *file) *Policy {
	out := &Policy{network: p.network, approvers: map[string]ed25519.PublicKey{}}
	switch {
	case f.Version == nil:
		p.fail("version", "is missing: write version = %d", version)
	case *f.Version != version:
		p.fail("version", "is %d: this program reads policies of version %d", *f.Version, version)
	}
	if len(f.Rules) == 0 {
		p.fail("rule", "is missing: without a rule nothing would be signed. Remove the file to allow everything")
	}
	if len(f.Rules) > maxRules {
		p.fail("rule", "is there %d times, and a policy has at most %d rules", len(f.Rules), maxRules)
		return out
	}
	p.names, p.used, p.left = map[string]bool{}, set{}, maxAddresses
	p.readApprovers(f.Approvers, out.approvers)
	for i := range f.Rules {
		at := fmt.Sprintf("rule[%d]", i)
		r := p.rule(at, &f.Rules[i], out.approvers)
		p.reachable(at, r, out.rules)
		out.rules = append(out.rules, r)
		for _, l := range r.limits {
			if l.window.length > 0 {
				out.limits = append(out.limits, l)
			}
		}
	}
	for i, a := range f.Approvers {
		if !p.used[a.Name] {
			p.fail(fmt.Sprintf("approver[%d]", i), "%.64q is named by no rule: add it to a rule's approvals, or remove it",
				a.Name)
		}
	}
	return out
}

func (p *parser) readApprovers(list []fileApprover, into map[string]ed25519.PublicKey) {
	if len(list) > maxApprovers {
		p.fail("approver", "is there %d times, and a policy has at most %d approvers", len(list), maxApprovers)
		return
	}
	whose := map[string]string{}
	for i, a := range list {
		at := fmt.Sprintf("approver[%d]", i)
		if !p.name(at+".name", a.Name) {
			continue
		}
		if _, dup := into[a.Name]; dup {
			p.fail(at+".name", "%q is taken by an approver above", a.Name)
			continue
		}
		into[a.Name] = nil // rules may name it, whatever its key
		key, err := hex.DecodeString(a.PublicKey)
		if err != nil || len(key) != ed25519.PublicKeySize {
			p.fail(at+".public_key", "is no Ed25519 public key of 64 hexadecimal characters")
			continue
		}
		if err := wire.CheckPublicKey(key); err != nil {
			p.fail(at+".public_key", "of %s: %v", a.Name, err)
			continue
		}
		if other, dup := whose[string(key)]; dup {
			p.fail(at+".public_key", "is the key of %s too: one person can't approve twice", other)
			continue
		}
		whose[string(key)], into[a.Name] = a.Name, key
	}
}

// name checks the name of a rule, client or approver.
func (p *parser) name(key, value string) bool {
	if value == "" {
		p.fail(key, "is empty or missing")
		return false
	}
	if !wire.IsToken(value) {
		p.fail(key, "%.80q is no name: use 1 to 64 letters, digits, _ or -", value)
		return false
	}
	return true
}

// reachable refuses a rule that an earlier one leaves nothing.
func (p *parser) reachable(at string, r *rule, above []*rule) {
	for _, a := range above {
		if covers(a.clients, r.clients) && covers(a.keys, r.keys) {
			p.fail(at, "%.64q can never apply: rule %q above takes all of its clients and keys. Put it first, or remove it",
				r.name, a.name)
			return
		}
	}
}

func covers(a, b set) bool {
	if a == nil || b == nil {
		return a == nil
	}
	return !slices.ContainsFunc(b.sorted(), func(one string) bool { return !a[one] })
}
