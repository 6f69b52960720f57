package bitcoin

import (
	"bytes"
	"fmt"
	"slices"
)

// The types of fields that are looked at or written. BIP 174, BIP 371.
const (
	globalUnsignedTx = 0x00
	globalVersion    = 0xfb

	inNonWitnessUtxo  = 0x00
	inWitnessUtxo     = 0x01
	inSighashType     = 0x03
	inRedeemScript    = 0x04
	inFinalScriptSig  = 0x07
	inFinalWitness    = 0x08
	inTapKeySig       = 0x13
	inTapLeafScript   = 0x15
	inTapDerivation   = 0x16
	inTapInternalKey  = 0x17
	inTapMerkleRoot   = 0x18
	outTapInternalKey = 0x05
	outTapTree        = 0x06
	outTapDerivation  = 0x07
)

// field is a pair of key and value in one of the maps of a PSBT.
type field struct {
	raw   []byte // all of it, as it came
	kind  uint64
	data  []byte // what the key has after the kind
	value []byte
}

// section is one of the maps of a PSBT: global, of an input, or of an output.
type section []field

// maxFields bounds the fields of a section: a thousand leaf scripts, or cosigners.
const maxFields = 4096

// section reads a map, up to its end.
func (r *reader) section(shapes map[uint64]shape) (section, error) {
	s := r.fields[:0]
	for {
		rest := r.b
		key := r.bytes()
		if !r.failed && len(key) == 0 {
			r.fields = s
			return r.keep(s), s.unique()
		}
		k := &reader{b: key}
		f := field{kind: k.size()}
		f.data, f.value = k.b, r.bytes()
		switch {
		case r.failed || k.failed:
			return nil, fmt.Errorf("it ends within a field")
		case len(s) == maxFields:
			return nil, fmt.Errorf("it has more than %d fields", maxFields)
		}
		f.raw = rest[:len(rest)-len(r.b)]
		if err := shapes[f.kind].check(&f); err != nil {
			return nil, err
		}
		s = append(s, f)
	}
}

// keep returns a copy of a map. Most have few fields, and one allocation serves several.
func (r *reader) keep(s section) section {
	if len(r.room) < len(s) {
		r.room = make(section, max(32, len(s)))
	}
	kept := r.room[:len(s):len(s)]
	r.room = r.room[len(s):]
	copy(kept, s)
	return kept
}

// unique returns an error if two fields have one key.
func (s section) unique() error {
	type key struct {
		kind uint64
		data string
	}
	var seen map[key]bool
	for i := range s {
		// Most fields have no data, and most sections few fields.
		if len(s) <= 16 {
			for j := range i {
				if s[i].kind == s[j].kind && bytes.Equal(s[i].data, s[j].data) {
					return fmt.Errorf("it has a field 0x%02x twice", s[i].kind)
				}
			}
			continue
		}
		if seen == nil {
			seen = make(map[key]bool, len(s))
		}
		k := key{s[i].kind, string(s[i].data)}
		if seen[k] {
			return fmt.Errorf("it has a field 0x%02x twice", k.kind)
		}
		seen[k] = true
	}
	return nil
}

// get returns the value of the field of a kind that has no key data, nil if there is none.
func (s section) get(kind uint64) []byte {
	for i := range s {
		if s[i].kind == kind {
			return s[i].value
		}
	}
	return nil
}

func (s section) has(kind uint64) bool {
	for i := range s {
		if s[i].kind == kind {
			return true
		}
	}
	return false
}

// shape says what lengths a field may have. The zero shape is that of any field.
type shape struct {
	absent     bool  // it belongs to another version of PSBTs
	key, value []int // of the key's data and of the value; nil: any length
}

func (s shape) check(f *field) error {
	switch {
	case s.absent:
		return fmt.Errorf("its field 0x%02x belongs to version 2 of PSBTs", f.kind)
	case s.key != nil && !slices.Contains(s.key, len(f.data)):
		return fmt.Errorf("its field 0x%02x has key data of %d bytes", f.kind, len(f.data))
	case s.value != nil && !slices.Contains(s.value, len(f.value)):
		return fmt.Errorf("its field 0x%02x has a value of %d bytes", f.kind, len(f.value))
	}
	return nil
}

var (
	none       = []int{0}
	alone      = shape{key: none}
	publicKeys = []int{33, 65}
	version2   = shape{absent: true}
)

// The shapes of BIP 174 and BIP 371, and what BIP 370 excludes from version 0.
var (
	globalShapes = map[uint64]shape{
		globalUnsignedTx: alone, globalVersion: {key: none, value: []int{4}},
		0x02: version2, 0x03: version2, 0x04: version2, 0x05: version2, 0x06: version2,
	}
	inputShapes = map[uint64]shape{
		inNonWitnessUtxo: alone, inWitnessUtxo: alone,
		0x02:          {key: publicKeys}, // partial signature
		inSighashType: {key: none, value: []int{4}}, inRedeemScript: alone, 0x05: alone,
		0x06:             {key: publicKeys}, // derivation of another key than Taproot's
		inFinalScriptSig: alone, inFinalWitness: alone, 0x09: alone,
		0x0a: {key: []int{20}}, 0x0b: {key: []int{32}}, 0x0c: {key: []int{20}}, 0x0d: {key: []int{32}},
		0x0e: version2, 0x0f: version2, 0x10: version2, 0x11: version2, 0x12: version2,
		inTapKeySig:      {key: none, value: []int{64, 65}},
		0x14:             {key: []int{64}, value: []int{64, 65}}, // signature of a script path
		inTapDerivation:  {key: []int{32}},
		inTapInternalKey: {key: none, value: []int{32}},
		inTapMerkleRoot:  {key: none, value: []int{0, 32}}, // some libraries write none as 0 bytes
	}
	outputShapes = map[uint64]shape{
		0x00: alone, 0x01: alone, 0x02: {key: publicKeys}, 0x03: version2, 0x04: version2,
		outTapInternalKey: {key: none, value: []int{32}}, outTapTree: alone, outTapDerivation: {key: []int{32}},
	}
)

// cleared reports whether a finaliser takes a field of an input away. BIP 174: all but the
// output that is spent, the final scripts, and what is unknown.
func cleared(kind uint64) bool {
	return kind >= 0x02 && kind <= 0x06 || kind >= 0x0a && kind <= 0x0d || kind >= inTapKeySig && kind <= 0x1c
}
