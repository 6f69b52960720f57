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
		"nested P2WPKH": {p2sh, func(in *psbt.PInput) { in.RedeemScript = keyHash },
			append([]byte{22}, keyHash...), wire.TxWitness{signature, key}},
		"P2TR": {w.script(nil, nil), nil, nil, wire.TxWitness{make([]byte, 64)}},
		"final": {p2sh, func(in *psbt.PInput) {
			in.FinalScriptSig, in.FinalScriptWitness = make([]byte, 300), []byte{2, 1, 7, 0}
		}, make([]byte, 300), wire.TxWitness{{7}, {}}},
		"P2SH": {p2sh, nil, nil, nil},
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
