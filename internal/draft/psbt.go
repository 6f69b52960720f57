// Package draft makes transactions as a wallet would that knows public keys only, for what
// has them signed: the demo, benchmarks and tests. What they spend exists nowhere.
package draft

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
)

// PSBT is one in the making (BIP 174, version 0, with the fields of BIP 371). What goes
// wrong on the way is told at the end.
type PSBT struct {
	packet *psbt.Packet
	err    error
}

// NewPSBT returns a PSBT without inputs and outputs.
func NewPSBT() *PSBT {
	p, err := psbt.NewFromUnsignedTx(wire.NewMsgTx(2))
	return &PSBT{p, err}
}

// Spend adds an input that spends so many satoshis of a root's child (BIP 86).
func (p *PSBT) Spend(root derive.Key, path derive.Path, amount int64) *PSBT {
	key, script := p.child(root, path)
	return p.spend(script, amount, psbt.PInput{TaprootInternalKey: key, TaprootBip32Derivation: origin(root, path, key)})
}

// SpendOther adds an input that spends an output of somebody else's.
func (p *PSBT) SpendOther(script []byte, amount int64) *PSBT {
	return p.spend(script, amount, psbt.PInput{})
}

func (p *PSBT) spend(script []byte, amount int64, in psbt.PInput) *PSBT {
	if p.err != nil {
		return p
	}
	tx, out := p.packet.UnsignedTx, wire.NewTxOut(amount, script)
	// One output of one transaction each: no two inputs of a draft spend the same.
	funding := wire.NewMsgTx(2)
	funding.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: uint32(len(tx.TxIn))}, nil, nil))
	funding.AddTxOut(out)
	hash := funding.TxHash()
	tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&hash, 0), nil, nil))
	tx.TxIn[len(tx.TxIn)-1].Sequence = wire.MaxTxInSequenceNum - 2 // a higher fee may follow (BIP 125)
	in.WitnessUtxo = out
	p.packet.Inputs = append(p.packet.Inputs, in)
	return p
}

// Pay adds an output that pays so many satoshis to a script.
func (p *PSBT) Pay(script []byte, amount int64) *PSBT { return p.pay(script, amount, psbt.POutput{}) }

// Change adds an output that pays to a root's child, and says so.
func (p *PSBT) Change(root derive.Key, path derive.Path, amount int64) *PSBT {
	key, script := p.child(root, path)
	return p.pay(script, amount, psbt.POutput{TaprootInternalKey: key, TaprootBip32Derivation: origin(root, path, key)})
}

func (p *PSBT) pay(script []byte, amount int64, out psbt.POutput) *PSBT {
	if p.err != nil {
		return p
	}
	p.packet.UnsignedTx.AddTxOut(wire.NewTxOut(amount, script))
	p.packet.Outputs = append(p.packet.Outputs, out)
	return p
}

// Bytes is the PSBT in binary.
func (p *PSBT) Bytes() ([]byte, error) {
	var out bytes.Buffer
	if p.err == nil {
		p.err = p.packet.Serialize(&out)
	}
	if p.err != nil {
		return nil, fmt.Errorf("draft of a PSBT: %w", p.err)
	}
	return out.Bytes(), nil
}

// Prevouts are the outputs that the inputs spend.
func (p *PSBT) Prevouts() *txscript.MultiPrevOutFetcher {
	outs := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range p.packet.Inputs {
		outs.AddPrevOut(p.packet.UnsignedTx.TxIn[i].PreviousOutPoint, in.WitnessUtxo)
	}
	return outs
}

// child is a root's child, as an internal key of 32 bytes, and the script of its output.
func (p *PSBT) child(root derive.Key, path derive.Path) (key, script []byte) {
	if p.err != nil {
		return nil, nil
	}
	child, err := root.Child(path)
	if err == nil {
		var public *btcec.PublicKey
		if public, err = btcec.ParsePubKey(child.PublicKey); err == nil {
			key = schnorr.SerializePubKey(public)
			script, err = txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(public))
		}
	}
	p.err = err
	return key, script
}

func origin(root derive.Key, path derive.Path, key []byte) []*psbt.TaprootBip32Derivation {
	fingerprint := descriptor.FingerprintOf(root.PublicKey)
	return []*psbt.TaprootBip32Derivation{{
		XOnlyPubKey: key, MasterKeyFingerprint: binary.LittleEndian.Uint32(fingerprint[:]), Bip32Path: path,
	}}
}

// Payee is the script of somebody else: a P2WPKH output that nobody can spend.
func Payee() []byte {
	hash := chainhash.HashB([]byte("somebody else"))[:20]
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, hash...)
}
