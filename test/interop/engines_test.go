package interop_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript"
	btc "github.com/btcsuite/btcd/wire"
)

// accept has two script engines judge a transaction: btcd's, and Bitcoin Core's.
func accept(t *testing.T, core *program, what, transaction string, spent []*btc.TxOut) {
	t.Helper()
	if wrong := refusedByBtcd(parseTx(transaction), spent); len(wrong) > 0 {
		t.Errorf("%s: btcd refuses %q in %s", what, wrong, transaction)
	}
	if wrong := refusedByCore(t, core, transaction, spent); len(wrong) > 0 {
		t.Errorf("%s: bitcoinconsensus refuses %q in %s", what, wrong, transaction)
	}
}

// refusedByBtcd are the inputs that btcd's script engine doesn't take, and why.
func refusedByBtcd(tx *btc.MsgTx, spent []*btc.TxOut) (wrong []string) {
	outs := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range tx.TxIn {
		outs.AddPrevOut(in.PreviousOutPoint, spent[i])
	}
	hashes := txscript.NewTxSigHashes(tx, outs)
	for i, out := range spent {
		engine, err := txscript.NewEngine(out.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, out.Value, outs)
		if err == nil {
			err = engine.Execute()
		}
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("input %d: %v", i, err))
		}
	}
	return wrong
}

func refusedByCore(t *testing.T, core *program, transaction string, spent []*btc.TxOut) []string {
	t.Helper()
	words := []string{transaction}
	for _, out := range spent {
		words = append(words, fmt.Sprintf("%s:%d", hex.EncodeToString(out.PkScript), out.Value))
	}
	a := core.send(t, []byte(strings.Join(words, " ")))
	if len(a.Wrong) == 0 && a.Compared != len(spent) {
		t.Fatalf("bitcoinconsensus judges %d inputs of %d", a.Compared, len(spent))
	}
	return a.Wrong
}
