package e2e_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"github.com/rogpeppe/go-internal/testscript"
)

// spent signs a PSBT with the descriptors that reconstruct --json printed, as
// a wallet does that knows nothing of fleets, and writes the transaction in hexadecimal.
func spent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: spent roots.jsonl psbt transaction")
	}
	var keys []*hdkeychain.ExtendedKey
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var root struct{ Descriptor string }
		ts.Check(json.Unmarshal([]byte(line), &root))
		text, ok := strings.CutPrefix(root.Descriptor, "tr(")
		if text, _, _ = strings.Cut(text, "/<0;1>/*)#"); !ok {
			continue
		}
		key, err := hdkeychain.NewKeyFromString(text)
		ts.Check(err)
		keys = append(keys, key)
	}
	p, err := psbt.NewFromRawBytes(strings.NewReader(ts.ReadFile(args[1])), false)
	ts.Check(err)
	tx, outs := p.UnsignedTx.Copy(), txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range p.Inputs {
		outs.AddPrevOut(tx.TxIn[i].PreviousOutPoint, in.WitnessUtxo)
	}
	hashes := txscript.NewTxSigHashes(tx, outs)
	for i, in := range p.Inputs {
		private := ownerOf(ts, keys, in)
		signature, err := txscript.RawTxInTaprootSignature(tx, hashes, i, in.WitnessUtxo.Value, in.WitnessUtxo.PkScript, nil,
			txscript.SigHashDefault, private)
		ts.Check(err)
		tx.TxIn[i].Witness = wire.TxWitness{signature}
	}
	var raw bytes.Buffer
	ts.Check(tx.Serialize(&raw))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(hex.EncodeToString(raw.Bytes())), 0o600))
}

// ownerOf is the private key of an input, below one of the keys.
func ownerOf(ts *testscript.TestScript, keys []*hdkeychain.ExtendedKey, in psbt.PInput) *btcec.PrivateKey {
	for _, key := range keys {
		for _, step := range in.TaprootBip32Derivation[0].Bip32Path {
			var err error
			key, err = key.Derive(step)
			ts.Check(err)
		}
		private, err := key.ECPrivKey()
		ts.Check(err)
		if bytes.Equal(private.PubKey().SerializeCompressed()[1:], in.TaprootInternalKey) {
			return private
		}
	}
	ts.Fatalf("no key is the one of %x", in.TaprootInternalKey)
	return nil
}
