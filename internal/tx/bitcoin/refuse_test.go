package bitcoin

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// previous is a transaction with one output, and lets input i spend it.
func (d *draft) previous(i int, out *wire.TxOut) *wire.MsgTx {
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{1}}, []byte{txscript.OP_TRUE}, nil))
	tx.AddTxOut(out)
	d.UnsignedTx.TxIn[i].PreviousOutPoint = wire.OutPoint{Hash: tx.TxHash()}
	return tx
}

// What contradicts itself, or hides something, is refused with its code and the input.
func TestRefuses(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	for name, c := range map[string]struct {
		change func(d *draft)
		code   string
		at     int
		says   string
	}{
		"an output spent twice": {func(d *draft) {
			d.UnsignedTx.TxIn[1].PreviousOutPoint = d.UnsignedTx.TxIn[0].PreviousOutPoint
		}, intent.BadPSBT, -1, "inputs 0 and 1 spend the same output"},
		"no transaction spent": {func(d *draft) {
			d.UnsignedTx.TxIn[1].PreviousOutPoint = wire.OutPoint{Index: wire.MaxPrevOutIndex}
		}, intent.BadPSBT, -1, "input 1 spends no transaction"},
		"a script in the unsigned transaction": {func(d *draft) {
			d.UnsignedTx.TxIn[1].SignatureScript = []byte{txscript.OP_TRUE}
		}, intent.BadPSBT, -1, "input 1 of its transaction has a script"},
		"no inputs":  {func(d *draft) { d.UnsignedTx.TxIn, d.Inputs = nil, nil }, intent.BadPSBT, -1, "no inputs"},
		"no outputs": {func(d *draft) { d.UnsignedTx.TxOut, d.Outputs = nil, nil }, intent.BadPSBT, -1, "no outputs"},
		"less than nothing paid": {func(d *draft) { d.UnsignedTx.TxOut[0].Value = -1 },
			intent.BadPSBT, -1, "output 0, with those before it"},
		"more than all bitcoins paid": {func(d *draft) {
			d.UnsignedTx.TxOut[0].Value, d.UnsignedTx.TxOut[1].Value = btcutil.MaxSatoshi/2+1, btcutil.MaxSatoshi/2
		}, intent.BadPSBT, -1, "output 1, with those before it"},
		"more than all bitcoins spent": {func(d *draft) {
			d.Inputs[0].WitnessUtxo.Value, d.Inputs[1].WitnessUtxo.Value = btcutil.MaxSatoshi/2+1, btcutil.MaxSatoshi/2
		}, intent.BadInput, 1, "input 1, with those before it"},
		"an amount that overflows": {func(d *draft) { d.Inputs[0].WitnessUtxo.Value = -1 << 63 },
			intent.BadInput, 0, "input 0, with those before it"},
		"more paid than spent": {func(d *draft) { d.UnsignedTx.TxOut[0].Value = 71_001 },
			intent.BadPSBT, -1, "pays 110001 satoshi, and its inputs are worth 110000"},
		"a missing amount": {func(d *draft) { d.Inputs[1].WitnessUtxo = nil },
			intent.MissingAmount, 0, "input 0 can't be signed: input 1 comes without"},
		"another script": {func(d *draft) { d.Inputs[1].WitnessUtxo.PkScript = w.script(derive.Path{0, 5}, nil) },
			intent.BadInput, 1, "input 1 spends an output that does not pay to the internal key"},
		"a hidden script tree": {func(d *draft) { d.Inputs[1].TaprootMerkleRoot = bytes.Repeat([]byte{1}, 32) },
			intent.BadInput, 1, "input 1 spends an output that does not pay to the internal key"},
		"no taproot output": {func(d *draft) { d.Inputs[1].WitnessUtxo.PkScript = payee() },
			intent.BadInput, 1, "input 1 spends an output that does not pay to the internal key"},
		"another child": {func(d *draft) { d.Inputs[1].TaprootBip32Derivation[0].Bip32Path = []uint32{0, 5} },
			intent.BadInput, 1, `input 1 is said to be of child 0/5 of key "treasury", which is another key`},
		"a hardened child": {func(d *draft) { d.Inputs[1].TaprootBip32Derivation[0].Bip32Path = []uint32{1 << 31, 4} },
			intent.BadInput, 1, `input 1 is said to be of a child of key "treasury" that there is none of`},
		"a child too deep": {func(d *draft) { d.Inputs[1].TaprootBip32Derivation[0].Bip32Path = make([]uint32, 9) },
			intent.BadInput, 1, "too long"},
		"another transaction than is spent": {func(d *draft) {
			d.Inputs[1].NonWitnessUtxo = d.previous(1, d.Inputs[1].WitnessUtxo)
			d.UnsignedTx.TxIn[1].PreviousOutPoint.Hash[0] ^= 1
		}, intent.BadInput, 1, "input 1 has a non_witness_utxo that is not the transaction"},
		"an output that there is none of": {func(d *draft) {
			d.Inputs[1].NonWitnessUtxo = d.previous(1, d.Inputs[1].WitnessUtxo)
			d.UnsignedTx.TxIn[1].PreviousOutPoint.Index = 1
		}, intent.BadInput, 1, "input 1 spends output 1 of a transaction of 1"},
		"two amounts": {func(d *draft) {
			d.Inputs[1].NonWitnessUtxo = d.previous(1, wire.NewTxOut(40_000, d.Inputs[1].WitnessUtxo.PkScript))
		}, intent.BadInput, 1, "input 1 has a witness_utxo that is not the output"},
		"no such sighash type": {func(d *draft) { d.Inputs[1].SighashType = 0x04 }, intent.BadInput, 1, "0x04"},
		"a sighash type of more than a byte": {func(d *draft) { d.Inputs[1].SighashType = 0x101 },
			intent.BadInput, 1, "0x101"},
		"SIGHASH_SINGLE without an output": {func(d *draft) {
			d.UnsignedTx.TxOut, d.Outputs = d.UnsignedTx.TxOut[:1], d.Outputs[:1]
			d.Inputs[1].SighashType = txscript.SigHashSingle
		}, intent.BadInput, 1, "input 1 asks for SIGHASH_SINGLE, and there is no output 1"},
		"nothing of ours": {func(d *draft) {
			for i := range d.Inputs {
				d.Inputs[i].TaprootBip32Derivation = nil
			}
		}, intent.NoInput, -1, "no input of the PSBT is to be signed"},
	} {
		d := twoChildren(w)
		c.change(d)
		_, refusal := tryRead(d.bytes(t), false, w)
		if refusal == nil || refusal.Code != c.code || refusal.At != c.at || !strings.Contains(refusal.Reason, c.says) {
			t.Errorf("%s: %v, want %s at %d, %q", name, refusal, c.code, c.at, c.says)
		}
	}
}

// With partial, what can be signed is; and what can't is listed, and neither ours nor foreign.
func TestPartial(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	d := twoChildren(w)
	d.spend(w, derive.Path{0, 8}, 1_000).WitnessUtxo.PkScript = payee()
	d.spend(w, derive.Path{0, 9}, 1_000).SighashType = 0x44
	if _, refusal := tryRead(d.bytes(t), false, w); refusal == nil || refusal.At != 2 {
		t.Errorf("not partial: %v", refusal)
	}
	r, refusal := tryRead(d.bytes(t), true, w)
	if refusal != nil {
		t.Fatal(refusal)
	}
	m := r.Intent()
	if len(m.Signatures) != 2 || len(m.Refused) != 2 || m.Refused[0].At != 2 || m.Refused[1].At != 3 ||
		m.Foreign != 0 || len(m.Spends) != 3 {
		t.Errorf("%+v", m)
	}
	signed, _ := finish(t, r, true, w)
	p, err := parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.inputs {
		if p.final(i) != (i < 2) {
			t.Errorf("input %d is final: %t", i, p.final(i))
		}
	}
	d.Inputs[0].SighashType = txscript.SigHashAll | txscript.SigHashAnyOneCanPay
	if r, refusal = tryRead(d.bytes(t), true, w); refusal != nil || len(r.Intent().Unclear) != 1 {
		t.Errorf("what can't be signed may be others': %v, %+v", refusal, r)
	}
	d = twoChildren(w)
	d.Inputs[0].WitnessUtxo.PkScript, d.Inputs[1].WitnessUtxo.PkScript = payee(), payee()
	if _, refusal := tryRead(d.bytes(t), true, w); refusal == nil || refusal.Code != intent.BadInput {
		t.Errorf("nothing can be signed: %v", refusal)
	}
}

// A PSBT says which key signs by the whole key: the fingerprint may be anybody's.
func TestFingerprintIsAHint(t *testing.T) {
	t.Parallel()
	a, b := newWallet("a"), newWallet("b")
	wrong := binary.LittleEndian.Uint32(bytes.Repeat([]byte{9}, 4))
	for _, fingerprint := range []uint32{0, wrong, a.derivation(nil)[0].MasterKeyFingerprint} {
		d := newDraft()
		d.spend(b, derive.Path{0, 3}, 60_000).TaprootBip32Derivation[0].MasterKeyFingerprint = fingerprint
		d.change(b, derive.Path{1, 3}, 50_000).TaprootBip32Derivation[0].MasterKeyFingerprint = fingerprint
		m := read(t, d.bytes(t), a, b).Intent()
		if m.Signatures[0].Root != 1 || len(m.Change) != 1 || m.Change[0].Root != 1 {
			t.Errorf("%08x: %+v", fingerprint, m)
		}
	}
}

// An internal key that is not named is the key without leaves; a key in scripts is not ours
// to sign by.
func TestInternalKey(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	d := newDraft()
	d.spend(w, derive.Path{0, 3}, 60_000).TaprootInternalKey = nil
	inScript := d.spend(newWallet("other"), derive.Path{0, 3}, 60_000)
	inScript.TaprootBip32Derivation = append(inScript.TaprootBip32Derivation, w.derivation(derive.Path{0, 5})...)
	inScript.TaprootBip32Derivation[1].LeafHashes = [][]byte{bytes.Repeat([]byte{1}, 32)}
	only := d.spend(newWallet("other"), derive.Path{0, 3}, 60_000)
	only.TaprootInternalKey, only.TaprootBip32Derivation = nil, slices.Clone(inScript.TaprootBip32Derivation[1:])
	several := d.spend(w, derive.Path{0, 4}, 60_000)
	several.TaprootInternalKey = nil
	several.TaprootBip32Derivation = append(several.TaprootBip32Derivation, w.derivation(derive.Path{0, 5})...)
	d.pay(payee(), 50_000)
	m := read(t, d.bytes(t), w).Intent()
	if len(m.Signatures) != 1 || m.Signatures[0].At != 0 || m.Foreign != 3 {
		t.Errorf("%+v", m)
	}
}

// Keys of another suite sign nothing.
func TestOtherSuite(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	raw := twoChildren(w).bytes(t)
	w.root.Key = derive.Key{Suite: frost.Ed25519, PublicKey: schnorr.SerializePubKey(w.child(nil))}
	if _, refusal := tryRead(raw, false, w); refusal == nil || refusal.Code != intent.NoInput {
		t.Errorf("%v", refusal)
	}
	if _, refusal := ReadMessage("x", w.root, derive.NewCache(1)); refusal == nil || refusal.Code != intent.BadMessage {
		t.Errorf("%v", refusal)
	}
}

// A thousand inputs that name none of a hundred roots are not tried under all of them.
func TestTriesAreBounded(t *testing.T) {
	t.Parallel()
	d := manyInputs(newWallet("other"), 300)
	for i := range d.Inputs {
		d.Inputs[i].TaprootBip32Derivation[0].MasterKeyFingerprint = 0
	}
	raw := d.bytes(t)
	if _, refusal := tryRead(raw, false, newWallet("a")); refusal == nil || refusal.Code != intent.NoInput {
		t.Errorf("one root: %v", refusal)
	}
	var many []wallet
	for i := range 100 {
		many = append(many, newWallet(strings.Repeat("a", i)))
	}
	if _, refusal := tryRead(raw, false, many...); refusal == nil || !strings.Contains(refusal.Reason, "fingerprints") {
		t.Errorf("a hundred: %v", refusal)
	}
	for i := range d.Inputs { // of other people's wallets, which no shared key is above
		d.Inputs[i].TaprootBip32Derivation[0].Bip32Path = []uint32{86 | 1<<31, 1 << 31, 1 << 31, 0, uint32(i)}
	}
	if _, refusal := tryRead(d.bytes(t), false, many...); refusal == nil || refusal.Code != intent.NoInput {
		t.Errorf("hardened: %v", refusal)
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	raw := twoChildren(w).bytes(t)
	for network, prefix := range map[string]string{
		"mainnet": "bc1q", "testnet": "tb1q", "signet": "tb1q", "regtest": "bcrt1q",
	} {
		r, refusal := ReadPSBT(raw, []intent.Root{w.root}, false, network, derive.NewCache(1))
		if refusal != nil {
			t.Fatal(refusal)
		}
		if to := r.Intent().Payments[0].To; !strings.HasPrefix(to, prefix) {
			t.Errorf("%s: %s", network, to)
		}
	}
	if _, refusal := ReadPSBT(raw, []intent.Root{w.root}, false, "nonet", derive.NewCache(1)); refusal == nil {
		t.Error("a network that there is none of")
	}
}
