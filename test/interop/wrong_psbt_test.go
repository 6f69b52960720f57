package interop_test

import (
	"testing"

	"github.com/btcsuite/btcd/btcutil/psbt"
	btc "github.com/btcsuite/btcd/wire"
)

// psbtMistakes are small ones in a PSBT that the fleet has signed.
var psbtMistakes = map[string]func(*psbt.Packet){
	"one satoshi more in an input": func(p *psbt.Packet) { p.Inputs[1].WitnessUtxo.Value++ },
	"one satoshi less paid":        func(p *psbt.Packet) { p.UnsignedTx.TxOut[0].Value-- },
	"another is paid":              func(p *psbt.Packet) { p.UnsignedTx.TxOut[0].PkScript[7] ^= 1 },
	"signatures of two children for each other": func(p *psbt.Packet) {
		a, b := &p.Inputs[0], &p.Inputs[1]
		a.TaprootKeySpendSig, b.TaprootKeySpendSig = b.TaprootKeySpendSig, a.TaprootKeySpendSig
	},
	"one bit of a signature": func(p *psbt.Packet) { p.Inputs[2].TaprootKeySpendSig[40] ^= 1 },
}

// testWrongPSBTs: each library, and both engines, notice.
func (f *fleet) testWrongPSBTs(t *testing.T, all programs, core *program) {
	q := f.made(t, all.named("bitcoinjs")[0], psbtKind{name: "good", ours: 3})
	q.PSBT, q.Ask = f.signPSBT(t, &q, false).PSBT, "spend"
	finishers := all.named("bitcoinjs", "scure", "bdk", "embit")
	finishers.agree(t, q)
	for name, change := range psbtMistakes {
		p := parsePSBT(q.PSBT)
		change(p)
		bad := q
		bad.PSBT, bad.TxID = must(p.B64Encode()), p.UnsignedTx.TxHash().String() // so that its id gives nothing away
		for _, library := range finishers {
			if a := library.ask(t, bad); len(a.Wrong) == 0 {
				t.Errorf("%s notices nothing: %s", library.name, name)
			}
		}
		tx, spent := p.UnsignedTx.Copy(), []*btc.TxOut(nil)
		for i, in := range p.Inputs {
			tx.TxIn[i].Witness = btc.TxWitness{in.TaprootKeySpendSig}
			spent = append(spent, in.WitnessUtxo)
		}
		if len(refusedByBtcd(tx, spent)) == 0 || len(refusedByCore(t, core, hexOf(tx), spent)) == 0 {
			t.Errorf("an engine accepts: %s", name)
		}
	}
}
