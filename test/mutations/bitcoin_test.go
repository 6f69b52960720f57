package mutations_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// wallet is a root whose secret key the test knows.
type wallet struct {
	secret *btcec.PrivateKey
	root   intent.Root
}

func newWallet(name string) wallet {
	of := sha256.Sum256([]byte("frostfleet/mutations/" + name))
	secret, public := btcec.PrivKeyFromBytes(of[:])
	return wallet{secret, intent.Root{ID: name, Key: derive.Key{
		Suite: frost.Secp256k1TR, PublicKey: public.SerializeCompressed(), ChainCode: sha256.Sum256(of[:]),
	}}}
}

// script pays to a child, over a script tree if there is a Merkle root.
func (w wallet) script(merkle []byte, path ...uint32) []byte {
	key := must(btcec.ParsePubKey(must(w.root.Key.Child(path)).PublicKey))
	return must(txscript.PayToTaprootScript(txscript.ComputeTaprootOutputKey(key, merkle)))
}

func (w wallet) sign(t *testing.T, s intent.Signature) []byte {
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
	return must(schnorr.Sign(key, s.Message, schnorr.FastSign())).Serialize() // the judge verifies
}

// The scene: two wallets of the client, a shop that may be paid, and a thief who may not.
var (
	ours  = []wallet{newWallet("a"), newWallet("b")}
	shop  = must(hex.DecodeString("0014751e76e8199196d454941c45d1b3a323f1433bd6"))
	thief = append([]byte{txscript.OP_1, txscript.OP_DATA_32}, bytes.Repeat([]byte{2}, 32)...)
)

const (
	changeGap = 20
	maxFee    = 20_000
	maxLoss   = 2_000_000
	maxDaily  = 50_000_000
)

const bitcoinPolicy = `
version = 1
[[rule]]
name = "shop"
clients = ["*"]
keys = ["*"]
kinds = ["psbt"]
destinations = ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"]
max_fee = ["0.0002 BTC"]
change_gap = 20
[[rule.limit]]
amount = "0.02 BTC"
per = "transaction"
[[rule.limit]]
amount = "0.5 BTC"
per = "day"
`

// psbts are valid ones, all of which the policy allows.
func psbts() (all []*packet) {
	a, b := ours[0].root.Key, ours[1].root.Key
	at := func(branch, index uint32) derive.Path { return derive.Path{branch, index} }
	for _, p := range []*draft.PSBT{
		draft.NewPSBT().Spend(a, at(0, 0), 600_000).Spend(a, at(1, 3), 500_000).Pay(shop, 700_000).
			Change(a, at(1, 4), 395_000),
		draft.NewPSBT().Spend(b, at(0, 9), 1_900_000).Pay(shop, 1_890_000),
		draft.NewPSBT().Spend(a, at(1, 5), 900_000).Spend(b, at(0, 2), 800_000).SpendOther(draft.Payee(), 50_000).
			Change(b, at(1, 0), 300_000).Pay(shop, 1_300_000).Change(a, at(1, 6), 140_000),
		draft.NewPSBT().SpendOther(thief, 900_000).Spend(a, nil, 700_000).Pay(shop, 600_000).Pay(shop, 990_000),
	} {
		all = append(all, must(parsePacket(must(p.Bytes()))))
	}
	return all
}

// scripts are where a mutant may pay.
func scripts() [][]byte {
	a, b := ours[0], ours[1]
	return [][]byte{
		shop, thief, a.script(nil, 1, 0), a.script(nil, 1, 24), a.script(nil, 1, 27), a.script(nil, 1, 1000),
		b.script(nil, 1, 7), a.script(nil, 0, 1), b.script(nil), a.script(nil, 1), a.script(nil, 1, 2, 3),
		a.script(bytes.Repeat([]byte{1}, 32), 1, 4),
		newWallet("another").script(nil, 1, 0), {}, {txscript.OP_RETURN, 1, 7}, {txscript.OP_TRUE},
	}
}

// child is an output to a child, and what a PSBT says of it.
type child struct {
	script []byte
	says   section
}

// children are such that change may go to, or may not.
func children() (all []child) {
	for _, w := range []wallet{ours[0], ours[1], newWallet("another")} {
		for _, path := range []derive.Path{{1, 0}, {1, 7}, {1, 24}, {1, 27}, {1, 100_000}, {0, 1}, {1}, {1, 2, 3}, nil} {
			raw := must(draft.NewPSBT().Spend(w.root.Key, path, 1).Change(w.root.Key, path, 1).Bytes())
			p := must(parsePacket(raw))
			all = append(all, child{p.tx.outs[0].script, p.outputs[0]})
		}
	}
	return all
}

// psbtMutant changes one of the samples in up to four ways.
func psbtMutant() func(*rand.Rand) []byte {
	samples, where, to := psbts(), scripts(), children()
	return func(r *rand.Rand) []byte {
		raw := samples[r.IntN(len(samples))].bytes()
		for range r.IntN(5) {
			p, err := parsePacket(raw)
			if err != nil || coin(r, 6) {
				raw = flip(r, raw)
				continue
			}
			switch r.IntN(6) {
			case 0, 1:
				mutateFields(r, p)
			case 2:
				if n := len(p.tx.outs); n > 0 {
					c, i := to[r.IntN(len(to))], r.IntN(n)
					p.tx.outs[i].script, p.outputs[i] = c.script, slices.Clone(c.says)
					p.global.set(0, p.tx.bytes())
				}
			default:
				mutateTransaction(r, p, where)
				p.global.set(0, p.tx.bytes())
			}
			raw = p.bytes()
		}
		return raw
	}
}

// mutateTransaction changes what is signed.
func mutateTransaction(r *rand.Rand, p *packet, where [][]byte) {
	if len(p.tx.outs) == 0 || len(p.tx.ins) == 0 {
		return
	}
	out, in := &p.tx.outs[r.IntN(len(p.tx.outs))], r.IntN(len(p.tx.ins))
	switch r.IntN(12) {
	case 0, 1:
		out.script = where[r.IntN(len(where))]
	case 2:
		out.value += r.Int64N(200_000) - 100_000
	case 3:
		out.value = []int64{0, -1, 1 << 62, 21e14, 5_000_000, r.Int64()}[r.IntN(6)]
	case 4:
		p.tx.outs = append(p.tx.outs, outputOf{r.Int64N(30_000), where[r.IntN(len(where))]})
		p.outputs = append(p.outputs, nil)
	case 5: // an output less is more for the miners
		p.tx.outs, p.outputs = p.tx.outs[:len(p.tx.outs)-1], p.outputs[:len(p.tx.outs)-1]
	case 6:
		j := r.IntN(len(p.tx.outs))
		p.tx.outs[0].script, p.tx.outs[j].script = p.tx.outs[j].script, p.tx.outs[0].script
	case 7: // what an input says that it spends
		if utxo := p.inputs[in].get(1); len(utxo) >= 8 {
			value := binary.LittleEndian.Uint64(utxo)
			copy(utxo, binary.LittleEndian.AppendUint64(nil, value+uint64(r.Int64N(3_000_000)-500_000)))
		}
	case 8: // twice the same
		p.tx.ins, p.inputs = append(p.tx.ins, p.tx.ins[in]), append(p.inputs, p.inputs[in])
	case 9:
		other := p.tx.ins[in]
		other.previous[r.IntN(36)] ^= 1
		p.tx.ins, p.inputs = append(p.tx.ins, other), append(p.inputs, slices.Clone(p.inputs[in]))
	case 10: // a larger payment, from a larger input
		if utxo := p.inputs[in].get(1); len(utxo) >= 8 {
			more := r.Int64N(1_000_000)
			copy(utxo, binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(utxo)+uint64(more)))
			out.value += more
		}
	case 11:
		p.tx.ins[in].sequence, p.tx.lock, p.tx.version = r.Uint32(), r.Uint32N(2), r.Uint32N(4)
	}
}

// mutateFields changes what the PSBT says beside it.
func mutateFields(r *rand.Rand, p *packet) {
	all := slices.Concat(p.inputs, p.outputs)
	if len(all) == 0 {
		return
	}
	from, to := r.IntN(len(all)), r.IntN(len(all))
	if len(all[from]) > 0 {
		at := r.IntN(len(all[from]))
		f := field{slices.Clone(all[from][at].key), slices.Clone(all[from][at].value)}
		switch r.IntN(6) {
		case 0:
			all[from] = slices.Delete(slices.Clone(all[from]), at, at+1)
		case 1:
			all[to] = append(slices.Clip(all[to]), f)
		case 2: // instead of that of the same kind
			same := func(g field) bool { return len(g.key) > 0 && g.key[0] == f.key[0] }
			all[to] = append(slices.DeleteFunc(slices.Clone(all[to]), same), f)
		case 3:
			all[to] = append(slices.Clip(all[to]), field{[]byte{3}, []byte{byte(r.IntN(4)) | byte(r.IntN(2)<<7), 0, 0, 0}})
		case 4:
			all[to] = append(slices.Clip(all[to]), field{[]byte{0x18}, bytes.Repeat([]byte{1}, 32)})
		case 5: // also steps of derivations
			if len(f.value) > 0 {
				f.value[r.IntN(len(f.value))] ^= 1 << r.IntN(8)
				all[from][at] = f
			}
		}
	}
	p.inputs, p.outputs = all[:len(p.inputs):len(p.inputs)], all[len(p.inputs):]
}

// judgePSBT judges what signatures commit to. The policy has one type of them, which signs all
// inputs with their amounts, and all outputs.
func judgePSBT(t *testing.T, in *intent.Intent, signatures [][]byte, done tx.Finished) (wrong []string, loss uint64) {
	t.Helper()
	p, err := parsePacket(done.PSBT)
	if err != nil {
		t.Fatalf("what comes back is no PSBT: %x", done.PSBT)
	}
	spent, total, mine := make([]outputOf, len(p.tx.ins)), int64(0), int64(0)
	for i := range spent {
		out, ok := p.spent(i)
		if !ok {
			return []string{unreadable}, 0
		}
		spent[i], total = out, total+out.value
	}
	// Wallets that are spent from, also by an input that is left unsigned: the rest is worth nothing
	// without it.
	from := map[string]bool{}
	for _, out := range spent {
		from[isSpent[string(out.script)]] = true
	}
	delete(from, "")
	signed := map[int]bool{}
	for i, s := range in.Signatures {
		if signed[s.At] || s.Sighash == "default" && !commits(p.tx, spent, s.At, signatures[i]) {
			t.Errorf("the signature of input %d is none of this transaction: %x", s.At, done.PSBT)
		}
		if s.Sighash != "default" {
			wrong = append(wrong, unreadable)
		}
		signed[s.At] = true
		mine += spent[s.At].value
	}
	for _, out := range p.tx.outs {
		total -= out.value
		switch {
		case from[isChange[string(out.script)]]:
			mine -= out.value
		case !bytes.Equal(out.script, shop):
			wrong = append(wrong, destination)
		}
	}
	if total < 0 {
		return nil, 0 // more is paid than there is: no node takes it
	}
	if total > maxFee {
		wrong = append(wrong, fee)
	}
	if mine > maxLoss {
		wrong = append(wrong, above)
	}
	if final := done.Transaction; final != nil {
		got, err := parseTransaction(final)
		if err != nil {
			t.Fatalf("no transaction is extracted: %x", final)
		}
		for i := range got.ins {
			got.ins[i].script = nil // of an input that came final
		}
		if got.id() != p.tx.id() {
			t.Errorf("another transaction is extracted: %x", final)
		}
	}
	return wrong, uint64(max(0, mine))
}

// isChange are the scripts of children 1/i that a wallet finds, and whose they are: the samples
// spend from up to 1/5.
var isChange = func() map[string]string {
	all := map[string]string{}
	for _, w := range ours {
		for i := range uint32(5 + changeGap + 1) {
			all[string(w.script(nil, 1, i))] = w.root.ID
		}
	}
	return all
}()

// isSpent are the scripts of the samples' inputs, and whose they are.
var isSpent = func() map[string]string {
	all := map[string]string{}
	for _, path := range []derive.Path{nil, {0, 0}, {0, 2}, {0, 9}, {1, 3}, {1, 5}} {
		for _, w := range ours {
			all[string(w.script(nil, path...))] = w.root.ID
		}
	}
	return all
}()

// commits reports whether btcd's script engine takes an input with this signature.
func commits(of *transaction, spent []outputOf, at int, signature []byte) bool {
	msg, outs := wire.NewMsgTx(int32(of.version)), txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range of.ins {
		from := wire.OutPoint{Hash: [32]byte(in.previous[:32]), Index: binary.LittleEndian.Uint32(in.previous[32:])}
		msg.AddTxIn(&wire.TxIn{PreviousOutPoint: from, Sequence: in.sequence})
		outs.AddPrevOut(from, wire.NewTxOut(spent[i].value, spent[i].script))
	}
	for _, out := range of.outs {
		msg.AddTxOut(wire.NewTxOut(out.value, out.script))
	}
	msg.LockTime = of.lock
	msg.TxIn[at].Witness = wire.TxWitness{signature}
	out := spent[at]
	engine, err := txscript.NewEngine(out.script, msg, at, txscript.StandardVerifyFlags, nil,
		txscript.NewTxSigHashes(msg, outs), out.value, outs)
	return err == nil && engine.Execute() == nil
}

// TestBitcoin: no mutant of a PSBT is signed that pays somebody who may not be paid, costs
// more than it may, or loses change.
func TestBitcoin(t *testing.T) {
	t.Parallel()
	c := chain{kind: intent.PSBT, policy: bitcoinPolicy, mutant: psbtMutant(), judge: judgePSBT, daily: maxDaily,
		sign: func(t *testing.T, s intent.Signature) []byte { return ours[s.Root].sign(t, s) }}
	for _, w := range ours {
		c.roots = append(c.roots, w.root)
	}
	c.test(t, []string{destination, fee, above, inADay, unreadable},
		[]string{policy.CodeDestination, policy.CodeFee, policy.CodeAboveLimit, policy.CodeLimitReached, policy.CodeSighash})
}
