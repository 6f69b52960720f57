package bitcoin

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
)

// The size is that of the transaction with signatures of the longest kind in all places, by
// btcd's weight.
func TestVirtualSize(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	hash := bytes.Repeat([]byte{7}, 20)
	keyHash := append([]byte{txscript.OP_0, 20}, hash...)
	p2pkh := append([]byte{txscript.OP_DUP, txscript.OP_HASH160, 20}, hash...)
	p2pkh = append(p2pkh, txscript.OP_EQUALVERIFY, txscript.OP_CHECKSIG)
	p2sh := append(append([]byte{txscript.OP_HASH160, 20}, hash...), txscript.OP_EQUAL)
	nested := append(append([]byte{txscript.OP_HASH160, 20}, btcutil.Hash160(keyHash)...), txscript.OP_EQUAL)
	final := append([]byte{2, 72}, append(make([]byte, 72), append([]byte{33}, make([]byte, 33)...)...)...)
	signature, key := make([]byte, 72), make([]byte, 33)
	keyHashSig := append(append([]byte{72}, signature...), append([]byte{33}, key...)...)
	for name, c := range map[string]struct {
		script  []byte
		add     func(in *psbt.PInput)
		sig     []byte
		witness wire.TxWitness // nil: unknown
	}{
		"P2WPKH": {keyHash, nil, nil, wire.TxWitness{signature, key}},
		"P2PKH":  {p2pkh, nil, keyHashSig, wire.TxWitness{}},
		"nested P2WPKH": {nested, func(in *psbt.PInput) { in.RedeemScript = keyHash },
			append([]byte{22}, keyHash...), wire.TxWitness{signature, key}},
		"the redeem script of another": {p2sh, func(in *psbt.PInput) { in.RedeemScript = keyHash }, nil, nil},
		"P2TR":                         {w.script(nil, nil), nil, nil, wire.TxWitness{make([]byte, 64)}},
		"final P2WPKH": {keyHash, func(in *psbt.PInput) { in.FinalScriptWitness = final }, nil,
			wire.TxWitness{signature, key}},
		"final nested P2WPKH": {nested, func(in *psbt.PInput) {
			in.FinalScriptSig, in.FinalScriptWitness = append([]byte{22}, keyHash...), final
		}, append([]byte{22}, keyHash...), wire.TxWitness{signature, key}},
		"final P2TR": {w.script(nil, nil), func(in *psbt.PInput) {
			in.FinalScriptWitness = append([]byte{1, 65}, make([]byte, 65)...)
		}, nil, wire.TxWitness{make([]byte, 65)}},
		"final P2SH": {p2sh, func(in *psbt.PInput) { in.FinalScriptSig = make([]byte, 300) }, nil, nil},
		"P2SH":       {p2sh, nil, nil, nil},
		"P2TR with leaves": {w.script(nil, nil), func(in *psbt.PInput) {
			block := append([]byte{0xc0}, w.derivation(nil)[0].XOnlyPubKey...)
			in.TaprootLeafScript = []*psbt.TaprootTapLeafScript{{ControlBlock: block, Script: []byte{0x51}, LeafVersion: 0xc0}}
		}, nil, nil},
	} {
		d := newDraft()
		d.spend(w, derive.Path{0, 1}, 100_000).SighashType = txscript.SigHashAll
		in := d.spendScript(c.script, 1_000)
		if c.add != nil {
			c.add(in)
		}
		d.pay(payee(), 60_000)
		tx := d.UnsignedTx.Copy()
		tx.TxIn[0].Witness = wire.TxWitness{make([]byte, 65)}
		tx.TxIn[1].SignatureScript, tx.TxIn[1].Witness = c.sig, c.witness
		want := uint64(blockchain.GetTransactionWeight(btcutil.NewTx(tx))+3) / 4
		if c.witness == nil {
			want = 0
		}
		if got := read(t, d.bytes(t), w).Intent().VSize; got != want {
			t.Errorf("%s: %d virtual bytes, want %d", name, got, want)
		}
	}
}

// A final witness or script is anybody's word: no signature commits to it, and its owner can
// put a shorter one in its place. It must not make a transaction look larger than it will be,
// which would let fees pass that are too high for it.
func TestVirtualSizeBelievesNoFinalScripts(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	hash := bytes.Repeat([]byte{7}, 20)
	keyHash := append([]byte{txscript.OP_0, 20}, hash...)
	p2sh := append(append([]byte{txscript.OP_HASH160, 20}, hash...), txscript.OP_EQUAL)
	p2wsh := append([]byte{txscript.OP_0, 32}, make([]byte, 32)...)
	junk := append([]byte{1, 0xfe, 0x40, 0x0d, 0x03, 0}, make([]byte, 200_000)...) // a witness of one item
	for name, in := range map[string]psbt.PInput{
		"a foreign P2WPKH witness": {WitnessUtxo: wire.NewTxOut(1_000, keyHash), FinalScriptWitness: junk},
		"a foreign P2WPKH script":  {WitnessUtxo: wire.NewTxOut(1_000, keyHash), FinalScriptSig: junk},
		"a foreign P2TR witness":   {WitnessUtxo: wire.NewTxOut(1_000, w.script(nil, nil)), FinalScriptWitness: junk},
		"a foreign P2SH script":    {WitnessUtxo: wire.NewTxOut(1_000, p2sh), FinalScriptSig: junk},
		"a foreign P2WSH witness":  {WitnessUtxo: wire.NewTxOut(1_000, p2wsh), FinalScriptWitness: junk},
		"an input of ours": {
			WitnessUtxo:            wire.NewTxOut(1_000, w.script(derive.Path{0, 2}, nil)),
			TaprootInternalKey:     w.derivation(derive.Path{0, 2})[0].XOnlyPubKey,
			TaprootBip32Derivation: w.derivation(derive.Path{0, 2}), FinalScriptWitness: junk,
		},
	} {
		d := newDraft()
		d.spend(w, derive.Path{0, 1}, 100_000_000)
		*d.spendScript(nil, 0) = in
		d.pay(payee(), 60_000)
		if got := read(t, d.bytes(t), w).Intent().VSize; got > 400 {
			t.Errorf("%s: %d virtual bytes", name, got)
		}
	}
}
