package bitcoin

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/wire"
)

// Finish puts signatures into the PSBT: one of 64 bytes for each of Intent().Signatures, or
// nil for one that there is none for. They become PSBT_IN_TAP_KEY_SIG, with the sighash
// type behind them unless that is the default; everything else stays as it came, byte for
// byte.
//
// With finalize, inputs that are signed get PSBT_IN_FINAL_SCRIPTWITNESS instead, and lose
// what BIP 174 has finalisers take away, and the transaction is returned as well if all
// inputs are final then. Inputs that came with a signature, and those of others, are not
// finalised.
//
// The signatures are not verified here.
func (r *PSBT) Finish(signatures [][]byte, finalize bool) (psbt, transaction []byte, err error) {
	if len(signatures) != len(r.hashes) {
		return nil, nil, fmt.Errorf("%d signatures, want %d", len(signatures), len(r.hashes))
	}
	signed := make([][]byte, len(r.packet.inputs)) // what is to be in the witness of each
	for i, s := range signatures {
		switch len(s) {
		case 0:
		case 64:
			signed[r.meaning.Signatures[i].At] = inWitness(s, r.hashes[i])
		default:
			return nil, nil, fmt.Errorf("signature %d has %d bytes, want 64", i, len(s))
		}
	}
	var out bytes.Buffer
	out.WriteString(magic)
	r.packet.global.write(&out)
	for i, input := range r.packet.inputs {
		if s := signed[i]; s != nil && finalize {
			input = input.finalized(s)
		} else if s != nil {
			input = input.with(inTapKeySig, s)
		}
		input.write(&out)
	}
	for _, output := range r.packet.outputs {
		output.write(&out)
	}
	if finalize {
		transaction, err = r.packet.extract(signed)
	}
	return out.Bytes(), transaction, err
}

// write writes a map.
func (s section) write(out *bytes.Buffer) {
	for i := range s {
		out.Write(s[i].raw)
	}
	out.WriteByte(0)
}

// with returns a map with one more field, of a kind that has no key data, before the first
// of a higher kind.
func (s section) with(kind byte, value []byte) section {
	var raw bytes.Buffer
	raw.Write([]byte{1, kind})
	_ = wire.WriteVarBytes(&raw, 0, value) // to memory
	more := make(section, 0, len(s)+1)
	at := len(s)
	for i := range s {
		if s[i].kind > uint64(kind) {
			at = i
			break
		}
	}
	more = append(more, s[:at]...)
	more = append(more, field{raw: raw.Bytes(), kind: uint64(kind), value: value})
	return append(more, s[at:]...)
}

// finalized returns the map of an input with its witness.
func (s section) finalized(signature []byte) section {
	kept := make(section, 0, len(s)+1)
	for i := range s {
		if !cleared(s[i].kind) {
			kept = append(kept, s[i])
		}
	}
	return kept.with(inFinalWitness, encodeWitness(signature))
}

// encodeWitness is a witness of one item, as PSBTs and BIP 322 have it.
func encodeWitness(item []byte) []byte {
	return append([]byte{1, byte(len(item))}, item...)
}

// extract returns the transaction, nil if an input is not final. BIP 174.
func (p *packet) extract(signed [][]byte) ([]byte, error) {
	tx := p.tx.Copy()
	for i, in := range tx.TxIn {
		switch s := signed[i]; {
		case s != nil:
			in.Witness = wire.TxWitness{s}
		case p.final(i):
			in.SignatureScript = p.inputs[i].get(inFinalScriptSig)
			if w := p.inputs[i].get(inFinalWitness); w != nil {
				in.Witness, _ = parseWitness(w) // checked when it was read
			}
		default:
			return nil, nil
		}
	}
	var out bytes.Buffer
	if err := tx.Serialize(&out); err != nil {
		return nil, fmt.Errorf("write the transaction: %w", err)
	}
	return out.Bytes(), nil
}
