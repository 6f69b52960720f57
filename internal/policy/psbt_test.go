package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	bip174 "github.com/btcsuite/btcd/btcutil/psbt"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	btc "github.com/btcsuite/btcd/wire"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// wallet is a root of the client, or of another one.
type wallet struct{ intent.Root }

func newWallet(id, name string) wallet {
	seed := sha256.Sum256([]byte(name))
	_, public := btcec.PrivKeyFromBytes(seed[:])
	return wallet{intent.Root{ID: id, Key: derive.Key{
		Suite: frost.Secp256k1TR, PublicKey: public.SerializeCompressed(), ChainCode: sha256.Sum256(seed[:]),
	}}}
}

func (w wallet) child(path derive.Path) *btcec.PublicKey {
	child, err := w.Key.Child(path)
	if err != nil {
		panic(err)
	}
	key, err := btcec.ParsePubKey(child.PublicKey)
	if err != nil {
		panic(err)
	}
	return key
}

// script is a child's taproot output, over a script tree if there is a Merkle root.
func (w wallet) script(path derive.Path, merkle []byte) []byte {
	script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootOutputKey(w.child(path), merkle))
	if err != nil {
		panic(err)
	}
	return script
}

func (w wallet) derivation(path derive.Path) []*bip174.TaprootBip32Derivation {
	fingerprint := descriptor.FingerprintOf(w.Key.PublicKey)
	return []*bip174.TaprootBip32Derivation{{
		XOnlyPubKey:          schnorr.SerializePubKey(w.child(path)),
		MasterKeyFingerprint: binary.LittleEndian.Uint32(fingerprint[:]), Bip32Path: path,
	}}
}

// draft is a PSBT in the making.
type draft struct{ *bip174.Packet }

func newDraft() draft {
	p, err := bip174.NewFromUnsignedTx(btc.NewMsgTx(2))
	if err != nil {
		panic(err)
	}
	return draft{p}
}

// spend adds an input of a wallet's child 0/n, which says whose it is if it is shown.
func (d draft) spend(w wallet, n uint32, amount int64, shown bool) {
	path := derive.Path{0, n}
	in := bip174.PInput{WitnessUtxo: btc.NewTxOut(amount, w.script(path, nil))}
	if shown {
		in.TaprootInternalKey, in.TaprootBip32Derivation = schnorr.SerializePubKey(w.child(path)), w.derivation(path)
	}
	d.UnsignedTx.AddTxIn(&btc.TxIn{PreviousOutPoint: btc.OutPoint{Hash: chainhash.HashH([]byte{byte(n)})}})
	d.Inputs = append(d.Inputs, in)
}

// pay adds an output that claims to be a wallet's child, whatever its script is.
func (d draft) pay(script []byte, amount int64, claimed wallet, path derive.Path) {
	d.UnsignedTx.AddTxOut(btc.NewTxOut(amount, script))
	out := bip174.POutput{}
	if path != nil {
		out.TaprootInternalKey = schnorr.SerializePubKey(claimed.child(path))
		out.TaprootBip32Derivation = claimed.derivation(path)
	}
	d.Outputs = append(d.Outputs, out)
}

func (d draft) ask(t *testing.T, job string, roots ...wallet) *Ask {
	t.Helper()
	var raw bytes.Buffer
	if err := d.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	ask := &Ask{Client: "alice", Job: job, Digest: sha256.Sum256([]byte(job)), Now: start}
	for _, w := range roots {
		ask.Roots = append(ask.Roots, w.Root)
	}
	r := tx.Request{Kind: intent.PSBT, Bytes: raw.Bytes(), Roots: ask.Roots}
	reading, refusal := tx.Read(r, "regtest", derive.NewCache(100))
	if refusal != nil {
		t.Fatal(refusal)
	}
	ask.Intent = reading.Intent()
	return ask
}

// TestOutputsThatLookLikeChange: real PSBTs, whose second output claims to come back.
func TestOutputsThatLookLikeChange(t *testing.T) {
	t.Parallel()
	ours, theirs := newWallet(key0, "ours"), newWallet(key1, "theirs")
	p := parse(t, plainRule("psbt", limitOf("0.0002 BTC", "day")))
	for name, c := range map[string]struct {
		script []byte
		claims wallet
		path   derive.Path
		is     Verdict
	}{
		"change":                   {ours.script(derive.Path{1, 5}, nil), ours, derive.Path{1, 5}, Allowed},
		"far index":                {ours.script(derive.Path{1, 1 << 30}, nil), ours, derive.Path{1, 1 << 30}, Denied},
		"hidden script tree":       {ours.script(derive.Path{1, 5}, make([]byte, 32)), ours, derive.Path{1, 5}, Denied},
		"another client's root":    {theirs.script(derive.Path{1, 5}, nil), theirs, derive.Path{1, 5}, Denied},
		"another index than it is": {ours.script(derive.Path{1, 1 << 30}, nil), ours, derive.Path{1, 5}, Denied},
		"receiving chain":          {ours.script(derive.Path{0, 5}, nil), ours, derive.Path{0, 5}, Denied},
		"deep":                     {ours.script(derive.Path{1, 5, 0}, nil), ours, derive.Path{1, 5, 0}, Denied},
		"unclaimed":                {ours.script(derive.Path{1, 5}, nil), ours, nil, Denied},
	} {
		d := newDraft()
		d.spend(ours, 0, 100_000, true)
		d.pay(theirs.script(derive.Path{0, 0}, nil), 10_000, theirs, nil)
		d.pay(c.script, 89_000, c.claims, c.path)
		if got := p.Decide(d.ask(t, name, ours), nil); got.Verdict != c.is {
			t.Errorf("%s: %s %s, want %s", name, got.Verdict, got.Reason, c.is)
		}
	}
}

// TestHiddenInputs: of one transaction that spends ten inputs of a client, ten jobs show one
// each, and all deduct the change. Together they are charged what leaves at least.
func TestHiddenInputs(t *testing.T) {
	t.Parallel()
	ours, thiefs := newWallet(key0, "ours"), newWallet(key1, "thief")
	p := parse(t, plainRule("psbt", limitOf("1 BTC", "day")))
	for _, change := range []int64{0, 1000, 5000, 9000} {
		l, charged := fresh(p), uint64(0)
		for i := range uint32(10) {
			d := newDraft()
			for n := range uint32(10) {
				d.spend(ours, n, 1000, n == i)
			}
			d.pay(thiefs.script(derive.Path{0, 0}, nil), 10_000-change, thiefs, nil)
			d.pay(ours.script(derive.Path{1, 0}, nil), change, ours, derive.Path{1, 0})
			got := spend(t, p, l, d.ask(t, fmt.Sprint(i), ours))
			wantCode(t, got, Allowed, "")
			charged, _ = l.Used(got.Charges[0])
		}
		if charged < uint64(10_000-change) {
			t.Errorf("%d are charged of %d that leave", charged, 10_000-change)
		}
	}
}
