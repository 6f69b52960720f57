package bitcoin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// spent are the outputs that a transaction's inputs spend, as its PSBT has them: nil where
// it does not say.
type spent []*wire.TxOut

// spent reads them. An input that contradicts itself is refused whosever it is: the
// digests of all signatures depend on it.
func (p *packet) spent() (spent, *intent.Refusal) {
	outs := make(spent, len(p.inputs))
	for i := range p.inputs {
		var err error
		if outs[i], err = spentBy(p.inputs[i], &p.tx.TxIn[i].PreviousOutPoint); err != nil {
			return nil, intent.Refuse(intent.BadInput, i, "input %d %v", i, err)
		}
	}
	var sum total
	for i, out := range outs {
		if out != nil && !sum.add(out.Value) {
			return nil, intent.Refuse(intent.BadInput, i,
				"input %d, with those before it, spends more than all bitcoins, or less than none", i)
		}
	}
	return outs, nil
}

func spentBy(input section, outpoint *wire.OutPoint) (*wire.TxOut, error) {
	witness := input.get(inWitnessUtxo)
	previous := input.get(inNonWitnessUtxo)
	var out *wire.TxOut
	if witness != nil {
		r := &reader{b: witness}
		value, script := r.take(8), r.bytes()
		if !r.end() {
			return nil, errors.New("has a witness_utxo that is not an output")
		}
		out = wire.NewTxOut(int64(binary.LittleEndian.Uint64(value)), script)
	}
	if previous == nil {
		return out, nil
	}
	if _, ok := wellFormed(previous, true); !ok {
		return nil, errors.New("has a non_witness_utxo that is not a transaction")
	}
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(previous)); err != nil {
		return nil, fmt.Errorf("has a non_witness_utxo that is not a transaction: %w", err)
	}
	switch {
	case tx.TxHash() != outpoint.Hash:
		return nil, errors.New("has a non_witness_utxo that is not the transaction that it spends from")
	case uint64(outpoint.Index) >= uint64(len(tx.TxOut)):
		return nil, fmt.Errorf("spends output %d of a transaction of %d", outpoint.Index, len(tx.TxOut))
	}
	of := tx.TxOut[outpoint.Index]
	if out != nil && (out.Value != of.Value || !bytes.Equal(out.PkScript, of.PkScript)) {
		return nil, errors.New("has a witness_utxo that is not the output of its non_witness_utxo")
	}
	return of, nil
}

// missing is the first input that comes without the output that it spends, -1 if none does.
func (s spent) missing() int {
	for i, out := range s {
		if out == nil {
			return i
		}
	}
	return -1
}

// digests compute the sighashes of a transaction's inputs (BIP 341). What they have in
// common is hashed once.
type digests struct {
	tx     *wire.MsgTx
	common *txscript.TxSigHashes
	of     *fetcher
}

// fetcher finds the outputs that inputs spend for txscript, which asks for those of one
// input after the other, and does so several times: no table is needed.
type fetcher struct {
	tx   *wire.MsgTx
	outs spent
	next int // the input that is asked for next, as a rule
}

// FetchPrevOutput returns the output that an outpoint names.
func (f *fetcher) FetchPrevOutput(outpoint wire.OutPoint) *wire.TxOut {
	for range f.outs {
		i := f.next
		f.next = (i + 1) % len(f.outs)
		if f.tx.TxIn[i].PreviousOutPoint != outpoint {
			continue
		}
		if f.outs[i] == nil {
			// Only signatures that don't commit to it are made (SIGHASH_ANYONECANPAY).
			return new(wire.TxOut)
		}
		return f.outs[i]
	}
	return nil
}

func (s spent) digests(tx *wire.MsgTx) *digests {
	of := &fetcher{tx: tx, outs: s}
	return &digests{tx, txscript.NewTxSigHashes(tx, of), of}
}

// sign returns what the signature of input i by the key path is of.
func (d *digests) sign(i int, hash txscript.SigHashType) ([]byte, error) {
	return txscript.CalcTaprootSignatureHash(d.common, hash, d.tx, i, d.of)
}
