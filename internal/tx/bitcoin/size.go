package bitcoin

import (
	"bytes"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// What an input has once it is signed, in bytes, the lengths before scripts and items
// included. Signatures of ECDSA are taken to be of 72 bytes.
const (
	keyPathWitness = 1 + 1 + 64          // BIP 341, SIGHASH_DEFAULT
	keyHashWitness = 1 + 1 + 72 + 1 + 33 // P2WPKH
	keyHashScript  = 1 + 72 + 1 + 33     // P2PKH, without the length before it
	nestedScript   = 1 + 22              // P2WPKH in P2SH, likewise
	scale          = 4                   // weight units in a byte outside of witnesses. BIP 141
)

// virtualSize is that of the transaction once all inputs are signed, 0 if that of one can't
// be told. It is exact where all are the client's, and at most a byte or two more than it
// will be for each input with an ECDSA signature.
func (p *packet) virtualSize(outs spent, r *PSBT) uint64 {
	longer := make([]bool, len(p.inputs)) // signatures with a sighash type behind them
	for i, hash := range r.hashes {
		longer[r.meaning.Signatures[i].At] = hash != txscript.SigHashDefault
	}
	weight, witnesses := scale*p.tx.SerializeSizeStripped(), 0
	any := false
	for i := range p.inputs {
		script, witness, known := p.inputs[i].spendSize(outs[i])
		if !known {
			return 0
		}
		if longer[i] {
			witness++
		}
		weight += scale * (wire.VarIntSerializeSize(uint64(script)) - 1 + script)
		witnesses += max(witness, 1)
		any = any || witness > 0
	}
	if any {
		weight += 2 + witnesses
	}
	return uint64((weight + scale - 1) / scale)
}

// spendSize is how many bytes an input's script and its witness will have. What it comes with
// when it is final is its owner's word alone: no signature commits to it, and a shorter one
// can take its place. So it is believed as far as the output that is spent bounds it.
func (s section) spendSize(out *wire.TxOut) (script, witness int, known bool) {
	script, witness, known = s.usualSize(out)
	if !s.has(inFinalWitness) && !s.has(inFinalScriptSig) {
		return script, witness, known
	}
	finalScript, finalWitness := len(s.get(inFinalScriptSig)), len(s.get(inFinalWitness))
	return finalScript, finalWitness, known && finalScript <= script && finalWitness <= witness
}

// usualSize is what signing an input makes of it.
func (s section) usualSize(out *wire.TxOut) (script, witness int, known bool) {
	switch {
	case out == nil:
		return 0, 0, false
	case txscript.IsPayToTaproot(out.PkScript) && s.has(inTapKeySig):
		return 0, 1 + 1 + len(s.get(inTapKeySig)), true
	case txscript.IsPayToTaproot(out.PkScript) && s.has(inFinalWitness):
		return 0, keyPathWitness + 1, true // with a sighash type, perhaps
	case txscript.IsPayToTaproot(out.PkScript):
		return 0, keyPathWitness, !s.has(inTapLeafScript)
	case txscript.IsPayToWitnessPubKeyHash(out.PkScript):
		return 0, keyHashWitness, true
	case txscript.IsPayToPubKeyHash(out.PkScript):
		return keyHashScript, 0, true
	case txscript.IsPayToScriptHash(out.PkScript):
		return nestedScript, keyHashWitness, s.nests(out.PkScript)
	}
	return 0, 0, false
}

// nests reports whether a P2SH output is one of P2WPKH: its redeem script is there, by itself
// or in the final script.
func (s section) nests(script []byte) bool {
	redeem := s.get(inRedeemScript)
	if final := s.get(inFinalScriptSig); len(final) > 0 {
		redeem = final[1:] // behind the byte that pushes it
	}
	return txscript.IsPayToWitnessPubKeyHash(redeem) && bytes.Equal(script[2:22], btcutil.Hash160(redeem))
}
