package e2e_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"

	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	fleetwire "github.com/frostfleet/frostfleet/internal/wire"
)

// The commands of scripts that make transactions and judge signed ones.

// rootOf is the first key of a keys file.
func rootOf(ts *testscript.TestScript, file string) derive.Key {
	var line struct {
		Result fleetwire.Result `json:"result"`
	}
	text, _, _ := strings.Cut(ts.ReadFile(file), "\n")
	ts.Check(json.Unmarshal([]byte(text), &line))
	k := line.Result.Keys[0]
	suite, _ := fleetwire.ChainSuite(line.Result.Chain)
	return derive.Key{Suite: suite, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}
}

// draftPSBT writes a PSBT that spends from two children of the first key of a keys file, pays
// somebody and has change.
func draftPSBT(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: psbt keys.jsonl file")
	}
	root := rootOf(ts, args[0])
	raw, err := draft.NewPSBT().Spend(root, derive.Path{0, 0}, 60_000).Spend(root, derive.Path{0, 1}, 50_000).
		Pay(draft.Payee(), 70_000).Change(root, derive.Path{1, 0}, 39_000).Bytes()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), raw, 0o600))
}

// accepted has btcd's script engine judge a transaction in hexadecimal, which spends what a PSBT
// says.
func accepted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: accepted transaction psbt")
	}
	raw, err := hex.DecodeString(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	p, err := psbt.NewFromRawBytes(strings.NewReader(ts.ReadFile(args[1])), false)
	ts.Check(err)
	tx, outs := new(wire.MsgTx), txscript.NewMultiPrevOutFetcher(nil)
	ts.Check(tx.Deserialize(bytes.NewReader(raw)))
	if tx.TxHash() != p.UnsignedTx.TxHash() {
		ts.Fatalf("another transaction")
	}
	for i, in := range p.Inputs {
		outs.AddPrevOut(tx.TxIn[i].PreviousOutPoint, in.WitnessUtxo)
	}
	for i, in := range p.Inputs {
		engine, err := txscript.NewEngine(in.WitnessUtxo.PkScript, tx, i, txscript.StandardVerifyFlags, nil,
			txscript.NewTxSigHashes(tx, outs), in.WitnessUtxo.Value, outs)
		ts.Check(err)
		ts.Check(engine.Execute())
	}
}

// transfer writes a Solana transaction, in base64, that moves lamports from the child of the
// first key of a keys file to which a path leads.
func transfer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: transfer keys.jsonl path file")
	}
	raw, _ := transferOf(ts, args[0], args[1])
	text := base64.StdEncoding.EncodeToString(raw) + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}

// transferred verifies the signature of such a transaction.
func transferred(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: transferred keys.jsonl path file")
	}
	raw, key := transferOf(ts, args[0], args[1])
	signed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(ts.ReadFile(args[2])))
	ts.Check(err)
	if len(signed) != len(raw) || !bytes.Equal(signed[65:], raw[65:]) || !ed25519.Verify(key, raw[65:], signed[1:65]) {
		ts.Fatalf("%s is not the transfer, signed", args[2])
	}
}

func transferOf(ts *testscript.TestScript, file, text string) (raw []byte, key ed25519.PublicKey) {
	path, err := derive.ParsePath(text)
	ts.Check(err)
	child, err := rootOf(ts, file).Child(path)
	ts.Check(err)
	return draft.Transfer(child.PublicKey, bytes.Repeat([]byte{9}, 32), 1_500_000_000, [32]byte{1}), child.PublicKey
}
