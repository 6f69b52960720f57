package bitcoin

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// twoChildren spends two children of a wallet, pays somebody, and gets change.
func twoChildren(w wallet) *draft {
	d := newDraft()
	d.spend(w, derive.Path{0, 3}, 60_000)
	d.spend(w, derive.Path{0, 4}, 50_000)
	d.pay(payee(), 70_000)
	d.change(w, derive.Path{1, 9}, 39_000)
	return d
}

// What a PSBT means, in all of its parts.
func TestMeaning(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	d := twoChildren(w)
	m := *read(t, d.bytes(t), w).Intent()
	if len(m.Signatures) != 2 {
		t.Fatalf("%d signatures", len(m.Signatures))
	}
	for i, s := range m.Signatures {
		out := d.Inputs[i].WitnessUtxo
		if s.Root != 0 || s.At != i || s.Path.String() != []string{"0/3", "0/4"}[i] || s.Sighash != "default" ||
			s.Amount != uint64(out.Value) || !bytes.Equal(s.PublicKey, out.PkScript[2:]) {
			t.Errorf("signature %d is %+v", i, s)
		}
	}
	m.Signatures = nil
	want := intent.Intent{
		Kind: intent.PSBT,
		Payments: []intent.Payment{{At: 0, To: "bcrt1qqurswpc8qurswpc8qurswpc8qurswpc8dxm0gk",
			Amount: intent.Amount{Asset: intent.Bitcoin, Units: 70_000}}},
		Change:  []intent.Change{{At: 1, To: m.Change[0].To, Root: 0, Path: derive.Path{1, 9}, Units: 39_000}},
		Outflow: []intent.Amount{{Asset: intent.Bitcoin, Units: 110_000}}, Fee: 1_000,
		Spends: []string{d.UnsignedTx.TxIn[0].PreviousOutPoint.String(), d.UnsignedTx.TxIn[1].PreviousOutPoint.String()},
		ID:     d.UnsignedTx.TxHash().String(), VSize: m.VSize,
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("%+v\nwant %+v", m, want)
	}
}

// Spends of two children, by every sighash type, are accepted by btcd's script engine, and
// are as large as was said.
func TestSpends(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	for hash, name := range sighashes {
		d := twoChildren(w)
		d.Inputs[1].SighashType = hash
		r := read(t, d.bytes(t), w)
		if got := r.Intent().Signatures[1].Sighash; got != name {
			t.Errorf("%s is called %s", name, got)
		}
		_, raw := finish(t, r, true, w)
		if err := accepts(t, raw, d.outs()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		tx, err := btcutil.NewTxFromBytes(raw)
		if err != nil {
			t.Fatal(err)
		}
		size := (blockchain.GetTransactionWeight(tx) + 3) / 4
		if got := r.Intent().VSize; got != uint64(size) {
			t.Errorf("%s: %d virtual bytes, and it was to be %d", name, size, got)
		}
	}
}

// The digests are those of what is signed: any other output, and they verify nothing.
func TestSignaturesAreBound(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	d := twoChildren(w)
	_, raw := finish(t, read(t, d.bytes(t), w), true, w)
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	tx.TxOut[0].Value++
	var out bytes.Buffer
	if err := tx.Serialize(&out); err != nil {
		t.Fatal(err)
	}
	if err := accepts(t, out.Bytes(), d.outs()); err == nil {
		t.Error("a signature for another payment was accepted")
	}
}

// A script tree is no hindrance to an input, and none for change.
func TestScriptRoot(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	merkle := bytes.Repeat([]byte{5}, 32)
	d := newDraft()
	in := d.spend(w, derive.Path{0, 3}, 60_000)
	in.TaprootMerkleRoot, in.WitnessUtxo.PkScript = merkle, w.script(derive.Path{0, 3}, merkle)
	d.pay(payee(), 50_000)
	_, raw := finish(t, read(t, d.bytes(t), w), true, w)
	if err := accepts(t, raw, d.outs()); err != nil {
		t.Error(err)
	}
}

// What comes back is what came, with signatures in it, also by btcd's library; unsigned
// inputs and fields that nobody knows are left as they are.
func TestFinishLeavesTheRest(t *testing.T) {
	t.Parallel()
	w, other := newWallet("treasury"), newWallet("somebody")
	d := twoChildren(w)
	d.spend(other, derive.Path{0, 1}, 9_000)
	unknown := []*psbt.Unknown{{Key: []byte{0xfc, 1, 2}, Value: []byte("keep")}}
	d.Unknowns, d.Inputs[0].Unknowns, d.Outputs[0].Unknowns = unknown, unknown, unknown
	raw := d.bytes(t)
	r := read(t, raw, w)
	if r.Intent().Foreign != 1 {
		t.Errorf("%d foreign inputs", r.Intent().Foreign)
	}
	signed, transaction := finish(t, r, false, w)
	if transaction != nil {
		t.Error("a transaction that was not asked for")
	}
	got, err := psbt.NewFromRawBytes(bytes.NewReader(signed), false)
	if err != nil {
		t.Fatal(err)
	}
	var same bytes.Buffer // fields are in the library's order
	if err := got.Serialize(&same); err != nil || !bytes.Equal(same.Bytes(), signed) {
		t.Errorf("%x is written as %x, %v", signed, same.Bytes(), err)
	}
	for i := range got.Inputs {
		if has := got.Inputs[i].TaprootKeySpendSig != nil; has != (i < 2) {
			t.Errorf("input %d has a signature: %t", i, has)
		}
		got.Inputs[i].TaprootKeySpendSig = nil
	}
	var without bytes.Buffer
	if err := got.Serialize(&without); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(without.Bytes(), raw) {
		t.Errorf("%x\nwithout signatures, want\n%x", without.Bytes(), raw)
	}
	if none, _, err := r.Finish(make([][]byte, 2), true); err != nil || !bytes.Equal(none, raw) {
		t.Errorf("without signatures %x, %v", none, err)
	}
	final, transaction := finish(t, r, true, w)
	if transaction != nil {
		t.Error("a transaction whose third input is unsigned")
	}
	if got, err = psbt.NewFromRawBytes(bytes.NewReader(final), false); err != nil {
		t.Fatal(err)
	}
	if in := got.Inputs[0]; in.FinalScriptWitness == nil || in.TaprootInternalKey != nil ||
		in.TaprootBip32Derivation != nil || in.WitnessUtxo == nil || !reflect.DeepEqual(in.Unknowns, unknown) {
		t.Errorf("a final input is %+v", in)
	}
	was, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
	if err != nil || !reflect.DeepEqual(got.Inputs[2], was.Inputs[2]) {
		t.Errorf("the foreign input is %+v", got.Inputs[2])
	}
}

// Two parties sign in turn; who comes last gets the transaction.
func TestTwoParties(t *testing.T) {
	t.Parallel()
	a, b := newWallet("a"), newWallet("b")
	d := newDraft()
	d.spend(a, derive.Path{0, 1}, 30_000)
	d.spend(b, derive.Path{0, 2}, 30_000)
	d.pay(payee(), 55_000)
	once, none := finish(t, read(t, d.bytes(t), a), true, a)
	if none != nil {
		t.Error("a transaction that lacks a signature")
	}
	r := read(t, once, b)
	_, transaction := finish(t, r, true, b)
	if err := accepts(t, transaction, d.outs()); err != nil {
		t.Error(err)
	}
	if r.Intent().ID != d.UnsignedTx.TxHash().String() || r.Intent().VSize == 0 {
		t.Errorf("%+v", r.Intent())
	}
}

// An input that is signed already is not signed again, and counts.
func TestSignedAlready(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	r := read(t, twoChildren(w).bytes(t), w)
	half, _, err := r.Finish([][]byte{w.sign(t, r.Intent().Signatures[0]), nil}, false)
	if err != nil {
		t.Fatal(err)
	}
	again := read(t, half, w).Intent()
	if len(again.Signatures) != 1 || again.Signatures[0].At != 1 || len(again.Spends) != 2 ||
		again.Outflow[0].Units != 110_000 || again.Foreign != 0 || again.VSize != r.Intent().VSize {
		t.Errorf("%+v", again)
	}
	final := withRaw(t, twoChildren(w).bytes(t), 1, rawField(inFinalWitness, nil, encodeWitness(make([]byte, 64))))
	if m := read(t, final, w).Intent(); len(m.Signatures) != 1 || m.Signatures[0].At != 1 || len(m.Spends) != 2 {
		t.Errorf("%+v", m)
	}
	whole, _ := finish(t, r, false, w)
	if _, refusal := tryRead(whole, false, w); refusal == nil || refusal.Code != intent.NoInput {
		t.Errorf("all signed: %v", refusal)
	}
}

func TestSighashBytes(t *testing.T) {
	t.Parallel()
	s := make([]byte, 64, 65)
	if got := inWitness(s, txscript.SigHashDefault); len(got) != 64 {
		t.Errorf("%x", got)
	}
	if got := inWitness(s, 0x83); len(got) != 65 || got[64] != 0x83 || s[:65][64] != 0 {
		t.Errorf("%x", got)
	}
}
