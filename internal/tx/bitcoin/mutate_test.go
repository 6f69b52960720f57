package bitcoin

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
)

var (
	mutations = flag.Int("mutations", 5_000, "how many mutated PSBTs TestMutations reads")
	seed      = flag.Uint64("seed", 1, "of the mutations")
)

// samples are valid PSBTs of two wallets with everything that is looked at.
func samples(t testing.TB) (raw [][]byte, wallets []wallet) {
	a, b := newWallet("a"), newWallet("b")
	mixed := twoChildren(a)
	mixed.spend(b, derive.Path{0, 1}, 9_000)
	mixed.spendScript(payee(), 7_000)
	mixed.change(b, derive.Path{1, 1}, 2_000)
	types := twoChildren(b)
	types.Inputs[0].SighashType = txscript.SigHashAll | txscript.SigHashAnyOneCanPay
	types.Inputs[1].SighashType = txscript.SigHashSingle
	previous := twoChildren(a)
	previous.Inputs[0].NonWitnessUtxo = previous.previous(0, previous.Inputs[0].WitnessUtxo)
	scripts := twoChildren(a)
	merkle := bytes.Repeat([]byte{5}, 32)
	scripts.Inputs[0].TaprootMerkleRoot = merkle
	scripts.Inputs[0].WitnessUtxo.PkScript = a.script(derive.Path{0, 3}, merkle)
	for _, d := range []*draft{twoChildren(a), mixed, types, previous, scripts} {
		raw = append(raw, d.bytes(t))
	}
	half, _ := finish(t, read(t, raw[1], a), true, a)
	return append(raw, half), []wallet{a, b}
}

// mutate changes a few things in a PSBT: bytes anywhere, or whole fields, which it drops,
// doubles, moves or puts into another map.
func mutate(r *rand.Rand, raw []byte) []byte {
	raw = bytes.Clone(raw)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(raw))
		switch r.IntN(8) {
		case 0:
			raw[at] ^= 1 << r.IntN(8)
		case 1:
			raw[at] = byte(r.Uint32())
		case 2:
			raw = append(raw[:at:at], raw[min(len(raw), at+1+r.IntN(8)):]...)
		case 3:
			raw = append(append(raw[:at:at], byte(r.Uint32())), raw[at:]...)
		default:
			raw = mutateFields(r, raw)
		}
		if len(raw) == 0 {
			return raw
		}
	}
	return raw
}

func mutateFields(r *rand.Rand, raw []byte) []byte {
	p, err := parse(raw)
	if err != nil {
		return raw
	}
	all := append(append([]section{p.global}, p.inputs...), p.outputs...)
	from, to := &all[r.IntN(len(all))], &all[r.IntN(len(all))]
	if len(*from) == 0 {
		return raw
	}
	at := r.IntN(len(*from))
	f := (*from)[at]
	drop := func() { *from = append((*from)[:at:at], (*from)[at+1:]...) }
	switch r.IntN(4) {
	case 0:
		drop()
	case 1:
		drop()
		*to = append(*to, f)
	case 2:
		*to = append(*to, f)
	case 3: // a value of the same length, of another field's or with one byte changed
		f.raw = bytes.Clone(f.raw)
		if other := &all[r.IntN(len(all))]; len(*other) > 0 && r.IntN(2) == 0 {
			v := (*other)[r.IntN(len(*other))].value
			if len(v) == len(f.value) {
				copy(f.raw[len(f.raw)-len(v):], v)
			}
		} else if len(f.value) > 0 {
			f.raw[len(f.raw)-1-r.IntN(len(f.value))] ^= 1 << r.IntN(8)
		}
		(*from)[at] = f
	}
	var out bytes.Buffer
	out.WriteString(magic)
	for _, s := range all {
		s.write(&out)
	}
	return out.Bytes()
}

// Mutated PSBTs, each as likely read as not: never a panic, and whatever is signed is what
// the Intent says.
func TestMutations(t *testing.T) {
	t.Parallel()
	raw, wallets := samples(t)
	r, accepted := rand.New(rand.NewPCG(*seed, 0)), 0
	for i := range *mutations {
		if honest(t, fmt.Sprintf("mutation %d of seed %d", i, *seed), mutate(r, raw[r.IntN(len(raw))]), wallets) {
			accepted++
		}
	}
	t.Logf("%d of %d were read", accepted, *mutations)
	if accepted < *mutations/20 || accepted > *mutations*19/20 {
		t.Errorf("%d of %d were read: the mutations show little", accepted, *mutations)
	}
}

func FuzzPSBT(f *testing.F) {
	raw, wallets := samples(f)
	for _, b := range raw {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { honest(t, "fuzz", b, wallets) })
}

// honest checks that a PSBT is refused, or means what its signatures do, and reports whether
// it was read.
func honest(t *testing.T, name string, raw []byte, wallets []wallet) bool {
	t.Helper()
	n, err := Inputs(raw)
	r, refusal := tryRead(raw, true, wallets...)
	if refusal != nil {
		return false
	}
	if err != nil || n != len(r.packet.inputs) {
		t.Fatalf("%s: %d inputs, %v", name, n, err)
	}
	accounted(t, name, r, wallets)
	signatures := make([][]byte, len(r.meaning.Signatures))
	for i, s := range r.meaning.Signatures {
		signatures[i] = wallets[s.Root].sign(t, s)
	}
	final, transaction, err := r.Finish(signatures, true)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	signed, _, err := r.Finish(signatures, false)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, b := range [][]byte{final, signed} {
		if again, err := parse(b); err != nil || again.tx.TxHash() != r.packet.tx.TxHash() {
			t.Fatalf("%s: finished, it can't be read, or is of another transaction: %v", name, err)
		}
	}
	whole(t, name, r, signatures, transaction)
	return true
}

// accounted checks that all outputs are payments or change, that change is the wallets', and
// that what is charged is no less than what they lose.
func accounted(t *testing.T, name string, r *PSBT, wallets []wallet) {
	t.Helper()
	m, outs := r.Intent(), r.packet.tx.TxOut
	if len(m.Payments)+len(m.Change) != len(outs) {
		t.Fatalf("%s: %d payments and %d change of %d outputs", name, len(m.Payments), len(m.Change), len(outs))
	}
	for _, p := range m.Payments {
		if out := outs[p.At]; p.Units != uint64(out.Value) || p.To != destination(out.PkScript, networks["regtest"]) {
			t.Errorf("%s: output %d is %+v", name, p.At, p)
		}
	}
	var change uint64
	for _, c := range m.Change {
		out := outs[c.At]
		if c.Path[0] != 1 || c.Units != uint64(out.Value) || !bytes.Equal(out.PkScript, wallets[c.Root].script(c.Path, nil)) {
			t.Errorf("%s: output %d is change %+v", name, c.At, c)
		}
		change += c.Units
	}
	var spends uint64
	for _, s := range m.Signatures {
		spends += s.Amount
	}
	if spends > change && charged(m) < spends-change {
		t.Errorf("%s: %d are charged, %d are spent, and %d come back", name, charged(m), spends, change)
	}
}

// whole checks by btcd's script engine that the inputs that were signed are, in the
// transaction that was returned, or that would be.
func whole(t *testing.T, name string, r *PSBT, signatures [][]byte, transaction []byte) {
	t.Helper()
	tx := r.packet.tx.Copy()
	for i, s := range r.meaning.Signatures {
		tx.TxIn[s.At].Witness = wire.TxWitness{inWitness(signatures[i], r.hashes[i])}
	}
	outs, refusal := r.packet.spent()
	if refusal != nil {
		t.Fatalf("%s: %v", name, refusal)
	}
	if transaction != nil {
		var got wire.MsgTx
		if err := got.Deserialize(bytes.NewReader(transaction)); err != nil || !reflect.DeepEqual(got.TxOut, tx.TxOut) {
			t.Fatalf("%s: the transaction pays %+v, %v", name, got.TxOut, err)
		}
		tx = &got
	}
	of := outs.digests(tx).of
	hashes := txscript.NewTxSigHashes(tx, of)
	for _, s := range r.meaning.Signatures {
		out := outs[s.At]
		e, err := txscript.NewEngine(out.PkScript, tx, s.At, txscript.StandardVerifyFlags, nil, hashes, out.Value, of)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := e.Execute(); err != nil {
			t.Errorf("%s: input %d is not accepted: %v", name, s.At, err)
		}
	}
}

// FuzzTransaction: what is well-formed, btcd decodes without a panic, to the same bytes.
func FuzzTransaction(f *testing.F) {
	raw, wallets := samples(f)
	_, transaction := finish(f, read(f, raw[0], wallets[0]), true, wallets[0])
	p, err := parse(raw[1])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(transaction)
	f.Add(p.global.get(globalUnsignedTx))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := wellFormed(b, true)
		if !ok {
			return
		}
		var tx wire.MsgTx
		if err := tx.Deserialize(bytes.NewReader(b)); err != nil {
			return
		}
		var again bytes.Buffer
		if err := tx.Serialize(&again); err != nil {
			t.Fatal(err)
		}
		// Without witnesses, btcd writes none, whatever form there was.
		if len(tx.TxIn) != n || tx.HasWitness() && !bytes.Equal(again.Bytes(), b) {
			t.Errorf("%x is written as %x, with %d inputs of %d", b, again.Bytes(), len(tx.TxIn), n)
		}
	})
}
