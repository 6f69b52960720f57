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

// spend pays an output to an address, has the fleet sign a transaction that
// spends it, as an item without its message says, and asks btcd's script engine,
// with all standard rules, whether a Bitcoin node would take it.
func spend(ctx context.Context, c *client.Client, address string, item client.SignItem) error {
	to, err := btcutil.DecodeAddress(address, &chaincfg.RegressionNetParams)
	if err != nil {
		return fmt.Errorf("address %s: %w", address, err)
	}
	script, err := txscript.PayToAddrScript(to)
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
	item.Message = sighash
	signed, err := c.Sign(ctx, client.SignRequest{Items: []client.SignItem{item}})
	if err != nil {
		return err
	}
	tx.TxIn[0].Witness = wire.TxWitness{signed.Signatures[0].Signature}
	if err := run(tx, 0, script, amount, prevouts); err != nil {
		return fmt.Errorf("script engine: %w", err)
	}
	// An engine that accepts everything would accept this too.
	tx.TxIn[0].Witness = wire.TxWitness{bytes.Repeat([]byte{1}, 64)}
	if run(tx, 0, script, amount, prevouts) == nil {
		return errors.New("script engine accepted a signature that is none")
	}
	return nil
}

func run(tx *wire.MsgTx, input int, script []byte, amount int64, prevouts txscript.PrevOutputFetcher) error {
	engine, err := txscript.NewEngine(script, tx, input, txscript.StandardVerifyFlags, nil,
		txscript.NewTxSigHashes(tx, prevouts), amount, prevouts)
	if err != nil {
		return err
	}
	return engine.Execute()
}
