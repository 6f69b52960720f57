package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// keys speak for a client or a gateway: one, or two while one takes the other's place.
type keys []partyKey

type partyKey struct {
	bytes ed25519.PublicKey
	*verifier
}

func newKey(public ed25519.PublicKey) (partyKey, error) {
	v, err := newVerifier(public)
	return partyKey{public, v}, err
}

// verify reports whether one of the keys made a signature.
func (k keys) verify(message, signature []byte) bool {
	return slices.ContainsFunc(k, func(one partyKey) bool { return one.verifier.verify(message, signature) })
}

func (k keys) has(public []byte) bool {
	return slices.ContainsFunc(k, func(one partyKey) bool { return bytes.Equal(one.bytes, public) })
}

// all reports whether k has all of the other's keys.
func (k keys) all(other keys) bool {
	return !slices.ContainsFunc(other, func(one partyKey) bool { return !k.has(one.bytes) })
}

// any reports whether k has one of the other's keys.
func (k keys) any(other keys) bool {
	return slices.ContainsFunc(other, func(one partyKey) bool { return k.has(one.bytes) })
}

// without are the fingerprints of those that the other does not have.
func (k keys) without(other keys) (fingerprints []string) {
	for _, one := range k {
		if !other.has(one.bytes) {
			fingerprints = append(fingerprints, Fingerprint(one.bytes))
		}
	}
	return fingerprints
}

// Fingerprint is a public key for people: the 16 hexadecimal digits with which it begins in
// the access list.
func Fingerprint(key ed25519.PublicKey) string { return hex.EncodeToString(key[:min(len(key), 8)]) }

// WithSecondKeys is the list with second keys of clients and gateways, by name. Both keys of
// one count, as its own, until one is taken out: so that a party changes its key while jobs
// and results are on their way. A key that the list has already, whoever's it is, is refused.
func (a *Access) WithSecondKeys(clients, gateways map[string]ed25519.PublicKey) (*Access, error) {
	owner := a.owners()
	second := func(who string, first keys, public ed25519.PublicKey) (keys, error) {
		if len(first) != 1 {
			return nil, fmt.Errorf("%s has a second key, and the list has no first", who)
		}
		if other, taken := owner[string(public)]; taken {
			return nil, fmt.Errorf("the second key of %s is the key of %s", who, other)
		}
		owner[string(public)] = who
		key, err := newKey(public)
		if err != nil {
			return nil, fmt.Errorf("the second key of %s: %w", who, err)
		}
		return keys{first[0], key}, nil
	}
	with := *a
	with.clients, with.gateways = maps.Clone(a.clients), maps.Clone(a.gateways)
	var err error
	for _, name := range slices.Sorted(maps.Keys(clients)) {
		c := with.clients[name]
		if c.keys, err = second(fmt.Sprintf("client %q", name), c.keys, clients[name]); err != nil {
			return nil, err
		}
		with.clients[name] = c
	}
	for _, name := range slices.Sorted(maps.Keys(gateways)) {
		who := fmt.Sprintf("gateway %q", name)
		if with.gateways[name], err = second(who, with.gateways[name], gateways[name]); err != nil {
			return nil, err
		}
	}
	return &with, nil
}

// Overlaps says in plain words which gateways and clients have two keys now.
func (a *Access) Overlaps() (all []string) {
	parties := a.parties()
	for _, who := range sortedKeys(parties) {
		if k := parties[who].keys; len(k) > 1 {
			all = append(all, fmt.Sprintf("%s has two keys, %s and %s", who,
				Fingerprint(k[0].bytes), Fingerprint(k[1].bytes)))
		}
	}
	return all
}

// owners are those of the keys of clients and gateways.
func (a *Access) owners() map[string]string {
	owner := map[string]string{}
	for who, p := range a.parties() {
		for _, key := range p.keys {
			owner[string(key.bytes)] = who
		}
	}
	return owner
}
