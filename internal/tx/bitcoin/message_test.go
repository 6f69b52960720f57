package bitcoin

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// A message of a child: the witness spends to_spend, by btcd's script engine.
func TestMessage(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	for _, path := range []derive.Path{nil, {0, 5}} {
		w.root.Path = path
		const text = "I own this, öäü 测试"
		r, refusal := ReadMessage(text, w.root, derive.NewCache(10))
		if refusal != nil {
			t.Fatal(refusal)
		}
		m := r.Intent()
		if m.Kind != intent.BitcoinMessage || m.Text != text || len(m.ID) != 64 || len(m.Signatures) != 1 {
			t.Errorf("%+v", m)
		}
		witness, err := r.Finish([][]byte{w.sign(t, m.Signatures[0])})
		if err != nil {
			t.Fatal(err)
		}
		stack, ok := parseWitness(witness)
		if !ok {
			t.Fatalf("%x is no witness", witness)
		}
		script := w.script(path, nil)
		spend, sign := toSpend(text, script), wire.NewMsgTx(0)
		sign.AddTxIn(&wire.TxIn{PreviousOutPoint: wire.OutPoint{Hash: spend.TxHash()}, Witness: stack})
		sign.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN}))
		var raw bytes.Buffer
		if err := sign.Serialize(&raw); err != nil {
			t.Fatal(err)
		}
		if err := accepts(t, raw.Bytes(), spend.TxOut); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestBadMessage(t *testing.T) {
	t.Parallel()
	root := newWallet("treasury").root
	deep, hardened := root, root
	deep.Path, hardened.Path = make(derive.Path, derive.MaxDepth+1), derive.Path{1 << 31}
	for name, c := range map[string]struct {
		text string
		root intent.Root
	}{
		"no text": {"\xff", root}, "too deep": {"x", deep}, "hardened": {"x", hardened}, "no key": {"x", intent.Root{}},
	} {
		_, refusal := ReadMessage(c.text, c.root, derive.NewCache(1))
		if refusal == nil || refusal.Code != intent.BadMessage {
			t.Errorf("%s: %v", name, refusal)
		}
	}
	r, refusal := ReadMessage("", root, derive.NewCache(1))
	if refusal != nil {
		t.Fatal(refusal)
	}
	for _, signatures := range [][][]byte{nil, {nil}, {make([]byte, 65)}, {make([]byte, 64), make([]byte, 64)}} {
		if witness, err := r.Finish(signatures); err == nil {
			t.Errorf("%d signatures make %x", len(signatures), witness)
		}
	}
}

func TestFinishRefuses(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	r := read(t, twoChildren(w).bytes(t), w)
	for _, signatures := range [][][]byte{nil, {make([]byte, 64)}, {make([]byte, 64), make([]byte, 65)}} {
		if _, _, err := r.Finish(signatures, false); err == nil {
			t.Errorf("%d signatures are taken", len(signatures))
		}
	}
}
