package bitcoin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Message is a message that is to be signed for an address. It does not change.
type Message struct{ meaning intent.Intent }

// ReadMessage reads a message that the address of the key at root.Path signs, as BIP 322
// has it: the simple signature of a taproot address without scripts (BIP 86). The text may
// be empty.
func ReadMessage(text string, root intent.Root, branches *derive.Cache) (*Message, *intent.Refusal) {
	s, err := signMessage(text, root, branches)
	if err != nil {
		return nil, intent.Refuse(intent.BadMessage, -1, "the message can't be signed: %v", err)
	}
	id := sha256.Sum256(s.Message)
	return &Message{intent.Intent{
		Kind: intent.BitcoinMessage, Signatures: []intent.Signature{s}, ID: hex.EncodeToString(id[:]), Text: text,
	}}, nil
}

// Intent is what the message means. It does not change.
func (m *Message) Intent() *intent.Intent { return &m.meaning }

// Finish returns the witness that is the signature: what verifiers take in base64, some of
// them with "smp" before it.
func (m *Message) Finish(signatures [][]byte) ([]byte, error) {
	if len(signatures) != 1 || len(signatures[0]) != 64 {
		return nil, errors.New("want one signature of 64 bytes")
	}
	return encodeWitness(signatures[0]), nil
}

func signMessage(text string, root intent.Root, branches *derive.Cache) (intent.Signature, error) {
	s := intent.Signature{
		Path: root.Path, Tweak: frost.Tweak{Mode: frost.TweakBIP86}, Sighash: sighashes[txscript.SigHashDefault],
	}
	if !utf8.ValidString(text) {
		return s, errors.New("it is not UTF-8")
	}
	keys, errs := branches.PublicKeys([]derive.Descendant{{Root: root.Key, Path: root.Path}})
	if errs[0] != nil {
		return s, fmt.Errorf("its key: %w", errs[0])
	}
	var err error
	if s.PublicKey, err = frost.OutputKey(frost.Secp256k1TR, keys[0], s.Tweak); err != nil {
		return s, fmt.Errorf("its key: %w", err)
	}
	if s.Offsets, err = branches.Offsets(root.Key, root.Path); err != nil {
		return s, fmt.Errorf("its key: %w", err)
	}
	s.Message, err = messageDigest(text, append([]byte{txscript.OP_1, txscript.OP_DATA_32}, s.PublicKey...))
	return s, err
}

// messageDigest is what signs a message for the address of a taproot script: the sighash of
// BIP 322's transaction to_sign, which spends to_spend.
func messageDigest(text string, script []byte) ([]byte, error) {
	spend := toSpend(text, script)
	sign := wire.NewMsgTx(0)
	sign.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: spend.TxHash()}})
	sign.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN}))
	return spent{spend.TxOut[0]}.digests(sign).sign(0, txscript.SigHashDefault)
}

// toSpend commits to the message and to the address.
func toSpend(text string, script []byte) *wire.MsgTx {
	hash := chainhash.TaggedHash([]byte("BIP0322-signed-message"), []byte(text))
	tx := wire.NewMsgTx(0)
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Index: wire.MaxPrevOutIndex},
		SignatureScript:  append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...),
	})
	tx.AddTxOut(wire.NewTxOut(0, script))
	return tx
}
