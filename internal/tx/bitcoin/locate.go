package bitcoin

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// place is where a PSBT says that a key is: PSBT_IN_TAP_BIP32_DERIVATION or
// PSBT_OUT_TAP_BIP32_DERIVATION of an internal key.
type place struct {
	at          int    // number of the input or the output
	key         []byte // x-only
	fingerprint [4]byte
	path        derive.Path
	leaves      bool // the key is in scripts
}

// located is where a place is.
type located struct {
	root    int        // that it is under, -1 for none
	offsets [][32]byte // on the way from there
	output  []byte     // x-only key of the taproot output that its tweak makes of it
}

// possible reports whether a shared key has a child at the path.
func (p *place) possible() bool {
	for _, index := range p.path {
		if index > derive.MaxIndex {
			return false
		}
	}
	return len(p.path) <= derive.MaxDepth
}

// placeOf reads a derivation. BIP 371: how many leaf hashes, these, and what BIP 174 has.
func placeOf(at int, f *field) (place, error) {
	r := &reader{b: f.value}
	leaves := r.count(32)
	r.take(32 * uint64(leaves))
	fingerprint := r.take(4)
	if r.failed || len(r.b)%4 != 0 {
		return place{}, fmt.Errorf("has a derivation that is none, in field 0x%02x", f.kind)
	}
	p := place{at: at, key: f.data, fingerprint: [4]byte(fingerprint), leaves: leaves > 0}
	for len(r.b) > 0 {
		b := r.take(4)
		p.path = append(p.path, uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24)
	}
	return p, nil
}

// place is the derivation of an input's or output's internal key: of the key that is named
// as such, or, if none is, of the only one that is in no script.
func (s section) place(at int, derivation, internal uint64) (p place, ok bool, err error) {
	key := s.get(internal)
	for i := range s {
		if s[i].kind != derivation {
			continue
		}
		one, err := placeOf(at, &s[i])
		if err != nil {
			return place{}, false, err
		}
		switch {
		case key != nil && !bytes.Equal(one.key, key), key == nil && one.leaves:
		case ok:
			return place{}, false, nil
		default:
			p, ok = one, true
		}
	}
	return p, ok, nil
}

// maxSteps bounds the steps that are derived to find roots that fingerprints don't name.
const maxSteps = 20_000

// locator finds places under roots.
type locator struct {
	roots        []intent.Root
	fingerprints [][4]byte
	branches     *derive.Cache
	steps        int
}

func newLocator(roots []intent.Root, branches *derive.Cache) *locator {
	l := &locator{roots: roots, branches: branches, fingerprints: make([][4]byte, len(roots))}
	for i, root := range roots {
		l.fingerprints[i] = descriptor.FingerprintOf(root.Key.PublicKey)
	}
	return l
}

// named returns the first root that a place's fingerprint is that of, -1 if there is none.
func (l *locator) named(p *place) int {
	for i := range l.roots {
		if l.roots[i].Key.Suite == frost.Secp256k1TR && l.fingerprints[i] == p.fingerprint {
			return i
		}
	}
	return -1
}

// locate returns where each place is, with the output key that its tweak makes. The root
// that the fingerprint names comes first, and then all others: it is a hint, which wallets
// leave zero, or have of a key above the root. Only roots that may is true of count.
func (l *locator) locate(places []place, tweaks []frost.Tweak, may func(root int) bool) ([]located, error) {
	found, first := make([]located, len(places)), make([]int, len(places))
	for i := range places {
		found[i].root, first[i] = -1, l.named(&places[i])
	}
	l.try(places, tweaks, found, func(i int) int {
		if first[i] >= 0 && !may(first[i]) {
			return -1
		}
		return first[i]
	})
	for root := range l.roots {
		if l.roots[root].Key.Suite != frost.Secp256k1TR || !may(root) {
			continue
		}
		l.steps += l.try(places, tweaks, found, func(i int) int {
			if first[i] == root {
				return -1
			}
			return root
		})
		if l.steps > maxSteps {
			return nil, errors.New("its derivations don't name the keys that they are under, and too many would have " +
				"to be tried: have the wallet write the fingerprints of its keys, or name fewer keys")
		}
	}
	return found, nil
}

// try derives each place that is not found yet under a root, -1 for none, all at once, which
// costs half. It returns how many steps that may have been.
func (l *locator) try(places []place, tweaks []frost.Tweak, found []located, under func(i int) int) (steps int) {
	var at []int
	for i := range places {
		if root := under(i); found[i].root < 0 && root >= 0 && places[i].possible() {
			at = append(at, i)
			steps += len(places[i].path)
		}
	}
	of, said := make([]derive.Descendant, len(at)), make([]derive.Internal, len(at))
	for j, i := range at {
		of[j] = derive.Descendant{Root: l.roots[under(i)].Key, Path: places[i].path}
		said[j] = derive.Internal{Key: places[i].key, Tweak: tweaks[i]}
	}
	outputs, offsets := l.branches.Outputs(of, said)
	for j, i := range at {
		if outputs[j] != nil {
			found[i] = located{under(i), offsets[j], outputs[j]}
		}
	}
	return steps
}
