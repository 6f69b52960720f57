package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/client"
)

// spend pays an output to a generated address, has the fleet sign a
// transaction that spends it, and asks btcd's script engine, with all
// standard rules, whether a Bitcoin node would take it.
func spend(ctx context.Context, c *client.Client, key client.Key) error {
	address, err := btcutil.DecodeAddress(key.Address, &chaincfg.RegressionNetParams)
	if err != nil {
		return fmt.Errorf("address %s: %w", key.Address, err)
	}
	script, err := txscript.PayToAddrScript(address)
	if err != nil {
		return err
	}
	const amount, fee = 100_000, 200 // satoshi
	funding := wire.NewMsgTx(2)
	funding.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, 0), nil, nil))
	funding.AddTxOut(wire.NewTxOut(amount, script))
	fundingHash := funding.TxHash()

	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&fundingHash, 0), nil, nil))
	tx.AddTxOut(wire.NewTxOut(amount-fee, script))
	prevouts := txscript.NewCannedPrevOutputFetcher(script, amount)
	hashes := txscript.NewTxSigHashes(tx, prevouts)
	sighash, err := txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, tx, 0, prevouts)
	if err != nil {
		return err
	}
	signed, err := c.Sign(ctx,
		client.SignRequest{Items: []client.SignItem{{Key: key.ID, PublicKey: key.PublicKey, Message: sighash}}})
	if err != nil {
		return err
	}
	tx.TxIn[0].Witness = wire.TxWitness{signed.Signatures[0].Signature}
	if err := run(tx, script, amount, prevouts); err != nil {
		return fmt.Errorf("script engine: %w", err)
	}
	// An engine that accepts everything would accept this too.
	tx.TxIn[0].Witness = wire.TxWitness{bytes.Repeat([]byte{1}, 64)}
	if run(tx, script, amount, prevouts) == nil {
		return errors.New("script engine accepted a signature that is none")
	}
	return nil
}

func run(tx *wire.MsgTx, script []byte, amount int64, prevouts txscript.PrevOutputFetcher) error {
	engine, err := txscript.NewEngine(script, tx, 0, txscript.StandardVerifyFlags, nil,
		txscript.NewTxSigHashes(tx, prevouts), amount, prevouts)
	if err != nil {
		return err
	}
	return engine.Execute()
}
