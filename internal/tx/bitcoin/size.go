package bitcoin

import (
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
// be told. It is exact where all are the client's or final, and at most a byte or two more
// than it will be for each input with an ECDSA signature.
func (p *packet) virtualSize(outs spent, r *PSBT) uint64 {
	longer := make(map[int]bool) // signatures with a sighash type behind them
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

// spendSize is how many bytes an input's script and its witness will have.
func (s section) spendSize(out *wire.TxOut) (script, witness int, known bool) {
	switch {
	case s.has(inFinalWitness) || s.has(inFinalScriptSig):
		return len(s.get(inFinalScriptSig)), len(s.get(inFinalWitness)), true
	case out == nil:
		return 0, 0, false
	case txscript.IsPayToTaproot(out.PkScript) && s.has(inTapKeySig):
		return 0, 1 + 1 + len(s.get(inTapKeySig)), true
	case txscript.IsPayToTaproot(out.PkScript):
		return 0, keyPathWitness, !s.has(inTapLeafScript)
	case txscript.IsPayToWitnessPubKeyHash(out.PkScript):
		return 0, keyHashWitness, true
	case txscript.IsPayToPubKeyHash(out.PkScript):
		return keyHashScript, 0, true
	case txscript.IsPayToScriptHash(out.PkScript) && txscript.IsPayToWitnessPubKeyHash(s.get(inRedeemScript)):
		return nestedScript, keyHashWitness, true
	}
	return 0, 0, false
}
