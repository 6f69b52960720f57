package client

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	btc "github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// spending is a signed PSBT as btcd reads it, with what each of its inputs spends. The
// digests that the fleet signs are computed by internal/tx, here as at every node: what
// btcd's script engine accepts was not judged by the code that chose what to sign.
type spending struct {
	tx       *btc.MsgTx // with witnesses
	prevouts *txscript.MultiPrevOutFetcher
	hashes   *txscript.TxSigHashes
}

// newSpending returns nil if the PSBT does not say what every input spends, without which
// most signatures can't be judged, or if btcd's library does not read it: it knows fewer
// fields. Then the digests are internal/tx's word alone.
func newSpending(signed tx.Finished) *spending {
	p, err := psbt.NewFromRawBytes(bytes.NewReader(signed.PSBT), false)
	if err != nil {
		return nil
	}
	s := &spending{tx: p.UnsignedTx.Copy(), prevouts: txscript.NewMultiPrevOutFetcher(nil)}
	for i, in := range p.Inputs {
		from := p.UnsignedTx.TxIn[i].PreviousOutPoint
		out := in.WitnessUtxo
		if before := in.NonWitnessUtxo; out == nil && before != nil && before.TxHash() == from.Hash &&
			int64(from.Index) < int64(len(before.TxOut)) {
			out = before.TxOut[from.Index]
		}
		if out == nil {
			return nil
		}
		s.prevouts.AddPrevOut(from, out)
		switch w := in.FinalScriptWitness; {
		case len(w) > 2 && w[0] == 1 && int(w[1]) == len(w)-2: // of one item, as signatures of the key path are
			s.tx.TxIn[i].Witness = btc.TxWitness{w[2:]}
		case in.TaprootKeySpendSig != nil:
			s.tx.TxIn[i].Witness = btc.TxWitness{in.TaprootKeySpendSig}
		}
	}
	s.hashes = txscript.NewTxSigHashes(s.tx, s.prevouts)
	if signed.Transaction == nil {
		return s
	}
	final := new(btc.MsgTx)
	if final.Deserialize(bytes.NewReader(signed.Transaction)) != nil || final.TxHash() != s.tx.TxHash() {
		return nil
	}
	s.tx = final
	return s
}

// run asks the script engine, with all standard rules, whether a Bitcoin node would take an
// input: whether its signature is by the key that was asked, over the transaction as it is.
func (s *spending) run(asked intent.Signature) error {
	out := s.prevouts.FetchPrevOutput(s.tx.TxIn[asked.At].PreviousOutPoint)
	if want := append([]byte{txscript.OP_1, txscript.OP_DATA_32}, asked.PublicKey...); !bytes.Equal(out.PkScript, want) {
		return fmt.Errorf("it spends from %x, and the key's output is %x", out.PkScript, want)
	}
	engine, err := txscript.NewEngine(out.PkScript, s.tx, asked.At, txscript.StandardVerifyFlags, nil, s.hashes,
		out.Value, s.prevouts)
	if err == nil {
		err = engine.Execute()
	}
	if err != nil {
		return fmt.Errorf("%w: btcd's script engine refuses it: %w", ErrSignature, err)
	}
	return nil
}
