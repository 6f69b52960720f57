package client

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	btc "github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/bitcoin"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// spending is a signed PSBT as btcd reads it, with what each of its inputs spends. The
// digests that the fleet signs are computed by internal/tx, here as at every node: those that
// btcd computes, and what its script engine accepts, were not judged by the code that chose
// what to sign.
type spending struct {
	tx       *btc.MsgTx // with witnesses
	prevouts *txscript.MultiPrevOutFetcher
	hashes   *txscript.TxSigHashes
}

// newSpending returns nil if the PSBT does not say what every input spends, without which
// most signatures can't be judged, or if btcd's library does not read it: it knows fewer
// fields. Then the digests are internal/tx's word alone.
func newSpending(signed tx.Finished) *spending {
	bare, err := bitcoin.Bare(signed.PSBT) // whose keys they are does not matter here
	if err != nil {
		return nil
	}
	p, err := psbt.NewFromRawBytes(bytes.NewReader(bare), false)
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

// verify judges the inputs that were asked for. Those of the plain key path are verified at
// once by the project's own code, and a random share of them, at least one, as well as all
// that seem bad, by btcd's script engine; every other input by the engine alone. Where the two
// don't agree, the error is ErrDisagreement. rechecked is how many the engine saw; named says
// of an error which input it is about.
func (s *spending) verify(asked []intent.Signature, share float64, named func(int, error) error) (
	rechecked int, err error) {
	if len(asked) == 1 { // the engine would see it in any case
		return 1, named(0, s.run(asked[0]))
	}
	together := batch{spending: s, named: named}
	for i, one := range asked {
		if signature, ok := s.keyPath(one); ok {
			together.of, together.at = append(together.of, signature), append(together.at, i)
			together.asked = append(together.asked, one)
			continue
		}
		rechecked++
		if err := s.run(one); err != nil {
			return rechecked, named(i, err)
		}
	}
	more, err := together.judge(bip340.BatchVerify(together.of), share)
	return rechecked + more, err
}

// batch are the inputs of a transaction that are verified at once.
type batch struct {
	*spending
	of    []bip340.Signature
	at    []int // place of each among all that were asked for
	asked []intent.Signature
	named func(int, error) error
}

// judge has the engine run those that the project's own code finds bad, and some others.
func (b *batch) judge(found []int, share float64) (rechecked int, err error) {
	return judge(len(b.of), found, share, func(i int) error {
		return b.named(b.at[i], b.run(b.asked[i]))
	}, func(i int, bad bool, engine error) error {
		if bad == (engine != nil) {
			return nil
		}
		of := &b.of[i]
		return b.named(b.at[i], disagreement(bad, of.PublicKey, of.Message, of.Signature, "btcd's script engine"))
	})
}

// keyPath returns what the signature of an input has to verify as, if it is spent in the
// plainest way of BIP 341: the output is the key that was asked, the witness is one signature
// without annex, of SIGHASH_DEFAULT or SIGHASH_ALL. The digest is btcd's.
func (s *spending) keyPath(asked intent.Signature) (bip340.Signature, bool) {
	in, hash := s.tx.TxIn[asked.At], txscript.SigHashDefault
	if len(in.Witness) != 1 || len(in.SignatureScript) != 0 || !s.paysTo(asked) {
		return bip340.Signature{}, false
	}
	signature := in.Witness[0]
	if n := bip340.SignatureSize; len(signature) == n+1 && txscript.SigHashType(signature[n]) == txscript.SigHashAll {
		signature, hash = signature[:n], txscript.SigHashAll
	}
	digest, err := txscript.CalcTaprootSignatureHash(s.hashes, hash, s.tx, asked.At, s.prevouts)
	if len(signature) != bip340.SignatureSize || err != nil {
		return bip340.Signature{}, false
	}
	return bip340.Signature{PublicKey: asked.PublicKey, Message: digest, Signature: signature}, true
}

// paysTo reports whether the output that an input spends is that of the key that was asked.
func (s *spending) paysTo(asked intent.Signature) bool {
	out := s.prevouts.FetchPrevOutput(s.tx.TxIn[asked.At].PreviousOutPoint)
	return bytes.Equal(out.PkScript, append([]byte{txscript.OP_1, txscript.OP_DATA_32}, asked.PublicKey...))
}

// run asks the script engine, with all standard rules, whether a Bitcoin node would take an
// input: whether its signature is by the key that was asked, over the transaction as it is.
func (s *spending) run(asked intent.Signature) error {
	out := s.prevouts.FetchPrevOutput(s.tx.TxIn[asked.At].PreviousOutPoint)
	if !s.paysTo(asked) {
		return fmt.Errorf("it spends from %x, and the key's output is of %x", out.PkScript, asked.PublicKey)
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
