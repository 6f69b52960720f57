package bitcoin

import (
	"bytes"
	"slices"
)

// Bare returns a PSBT without the internal keys and derivations of BIP 371, which say whose
// inputs and outputs are; everything else stays as it came, byte for byte. Libraries look for
// each such key on the curve, at the price of verifying its signature.
func Bare(raw []byte) ([]byte, error) {
	p, err := parse(raw)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(raw))
	out.WriteString(magic)
	p.global.write(&out)
	for _, input := range p.inputs {
		input.without(inTapInternalKey, inTapDerivation).write(&out)
	}
	for _, output := range p.outputs {
		output.without(outTapInternalKey, outTapDerivation).write(&out)
	}
	return out.Bytes(), nil
}

// without returns a map without the fields of some kinds.
func (s section) without(kinds ...uint64) section {
	return slices.DeleteFunc(slices.Clone(s), func(f field) bool { return slices.Contains(kinds, f.kind) })
}
