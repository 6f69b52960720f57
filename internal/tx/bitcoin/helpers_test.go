package bitcoin

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// wallet is a root whose secret key the test knows.
type wallet struct {
	secret *btcec.PrivateKey
	root   intent.Root
}

func newWallet(name string) wallet {
	seed := sha256.Sum256([]byte(name))
	secret, public := btcec.PrivKeyFromBytes(seed[:])
	return wallet{secret, intent.Root{ID: name, Key: derive.Key{
		Suite: frost.Secp256k1TR, PublicKey: public.SerializeCompressed(), ChainCode: sha256.Sum256(seed[:]),
	}}}
}

func (w wallet) child(path derive.Path) *btcec.PublicKey {
	child, err := w.root.Key.Child(path)
	if err != nil {
		panic(err)
	}
	key, err := btcec.ParsePubKey(child.PublicKey)
	if err != nil {
		panic(err)
	}
	return key
}

// script is the taproot output of a child, over a script tree if there is a Merkle root.
func (w wallet) script(path derive.Path, merkle []byte) []byte {
	script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootOutputKey(w.child(path), merkle))
	if err != nil {
		panic(err)
	}
	return script
}

func (w wallet) derivation(path derive.Path) []*psbt.TaprootBip32Derivation {
	fingerprint := descriptor.FingerprintOf(w.root.Key.PublicKey)
	return []*psbt.TaprootBip32Derivation{{
		XOnlyPubKey:          schnorr.SerializePubKey(w.child(path)),
		MasterKeyFingerprint: binary.LittleEndian.Uint32(fingerprint[:]), Bip32Path: slices.Clone(path),
	}}
}

// sign makes a signature as a single signer would: the secret key with the offsets added,
// tweaked.
func (w wallet) sign(t testing.TB, s intent.Signature) []byte {
	t.Helper()
	secret := w.secret.Key
	for _, o := range s.Offsets {
		var offset btcec.ModNScalar
		offset.SetBytes(&o)
		secret.Add(&offset)
	}
	var merkle []byte
	if s.Tweak.Mode == frost.TweakScriptRoot {
		merkle = s.Tweak.Root[:]
	}
	key := txscript.TweakTaprootPrivKey(*btcec.PrivKeyFromScalar(&secret), merkle)
	if !bytes.Equal(schnorr.SerializePubKey(key.PubKey()), s.PublicKey) {
		t.Fatalf("input %d: the signature is to verify by %x, and the child's key is another", s.At, s.PublicKey)
	}
	signature, err := schnorr.Sign(key, s.Message, schnorr.FastSign()) // who tests verifies
	if err != nil {
		t.Fatal(err)
	}
	return signature.Serialize()
}

// draft is a PSBT in the making, by btcd's library.
type draft struct {
	*psbt.Packet
	spent int
}

func newDraft() *draft {
	p, err := psbt.NewFromUnsignedTx(wire.NewMsgTx(2))
	if err != nil {
		panic(err)
	}
	return &draft{Packet: p}
}

// spend adds an input that spends a wallet's child.
func (d *draft) spend(w wallet, path derive.Path, amount int64) *psbt.PInput {
	key := schnorr.SerializePubKey(w.child(path))
	in := d.spendScript(w.script(path, nil), amount)
	in.TaprootInternalKey, in.TaprootBip32Derivation = key, w.derivation(path)
	return in
}

func (d *draft) spendScript(script []byte, amount int64) *psbt.PInput {
	d.spent++
	var from [8]byte
	binary.BigEndian.PutUint64(from[:], uint64(d.spent))
	d.UnsignedTx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: wire.OutPoint{Hash: chainhash.HashH(from[:]), Index: uint32(d.spent % 3)}, Sequence: 0xfffffffd,
	})
	d.Inputs = append(d.Inputs, psbt.PInput{WitnessUtxo: wire.NewTxOut(amount, script)})
	return &d.Inputs[len(d.Inputs)-1]
}

// pay adds an output to a script.
func (d *draft) pay(script []byte, amount int64) *psbt.POutput {
	d.UnsignedTx.AddTxOut(wire.NewTxOut(amount, script))
	d.Outputs = append(d.Outputs, psbt.POutput{})
	return &d.Outputs[len(d.Outputs)-1]
}

// change adds an output to a wallet's child that says so.
func (d *draft) change(w wallet, path derive.Path, amount int64) *psbt.POutput {
	out := d.pay(w.script(path, nil), amount)
	out.TaprootInternalKey = schnorr.SerializePubKey(w.child(path))
	out.TaprootBip32Derivation = w.derivation(path)
	return out
}

func (d *draft) bytes(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := d.Serialize(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// somebody's script, which is nobody's of the wallets.
func payee() []byte {
	return append([]byte{txscript.OP_0, txscript.OP_DATA_20}, bytes.Repeat([]byte{7}, 20)...)
}

func read(t testing.TB, raw []byte, wallets ...wallet) *PSBT {
	t.Helper()
	r, refusal := tryRead(raw, false, wallets...)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return r
}

func tryRead(raw []byte, partial bool, wallets ...wallet) (*PSBT, *intent.Refusal) {
	roots := make([]intent.Root, len(wallets))
	for i, w := range wallets {
		roots[i] = w.root
	}
	return ReadPSBT(raw, roots, partial, "regtest", derive.NewCache(100))
}

// finish signs all that is asked for.
func finish(t testing.TB, r *PSBT, finalize bool, wallets ...wallet) (packet, transaction []byte) {
	t.Helper()
	signatures := make([][]byte, len(r.Intent().Signatures))
	for i, s := range r.Intent().Signatures {
		signatures[i] = wallets[s.Root].sign(t, s)
	}
	packet, transaction, err := r.Finish(signatures, finalize)
	if err != nil {
		t.Fatal(err)
	}
	return packet, transaction
}

// accepts runs btcd's script engine over all inputs of a transaction.
func accepts(t testing.TB, transaction []byte, outs []*wire.TxOut) error {
	t.Helper()
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(transaction)); err != nil {
		t.Fatal(err)
	}
	of := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range tx.TxIn {
		of.AddPrevOut(in.PreviousOutPoint, outs[i])
	}
	hashes := txscript.NewTxSigHashes(&tx, of)
	for i := range tx.TxIn {
		e, err := txscript.NewEngine(outs[i].PkScript, &tx, i, txscript.StandardVerifyFlags, nil, hashes, outs[i].Value, of)
		if err != nil {
			return err
		}
		if err := e.Execute(); err != nil {
			return err
		}
	}
	return nil
}

// outs are the outputs that a draft spends.
func (d *draft) outs() []*wire.TxOut {
	out := make([]*wire.TxOut, len(d.Inputs))
	for i := range out {
		out[i] = d.Inputs[i].WitnessUtxo
	}
	return out
}
