package bitcoin

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What looks like change, and what is.
func TestChange(t *testing.T) {
	t.Parallel()
	w, other := newWallet("treasury"), newWallet("another client")
	at := derive.Path{1, 9}
	for name, c := range map[string]struct {
		add  func(d *draft)
		want bool
	}{
		"change":                   {func(d *draft) { d.change(w, at, 500) }, true},
		"change far away":          {func(d *draft) { d.change(w, derive.Path{1, 1 << 30}, 500) }, true}, // policy's
		"an address that receives": {func(d *draft) { d.change(w, derive.Path{0, 9}, 500) }, true},       // policy's
		"a third chain":            {func(d *draft) { d.change(w, derive.Path{2, 9}, 500) }, false},
		"a deeper path":            {func(d *draft) { d.change(w, derive.Path{1, 9, 0}, 500) }, false},
		"a shorter path":           {func(d *draft) { d.change(w, derive.Path{1}, 500) }, false},
		"a hardened index": {func(d *draft) {
			d.change(w, at, 500).TaprootBip32Derivation[0].Bip32Path[1] |= 1 << 31
		}, false},
		"a root that no input is under": {func(d *draft) { d.change(other, at, 500) }, false},
		"one that is not named": {func(d *draft) {
			d.change(other, at, 500).TaprootBip32Derivation[0].MasterKeyFingerprint = 0
		}, false},
		"nothing said":    {func(d *draft) { d.pay(w.script(at, nil), 500) }, false},
		"no derivation":   {func(d *draft) { d.change(w, at, 500).TaprootBip32Derivation = nil }, false},
		"no internal key": {func(d *draft) { d.change(w, at, 500).TaprootInternalKey = nil }, false},
		"another internal key": {func(d *draft) {
			d.change(w, at, 500).TaprootInternalKey = schnorr.SerializePubKey(other.child(at))
		}, false},
		"a script tree that is said": {func(d *draft) {
			d.change(w, at, 500).TaprootTapTree = []byte{0, 0xc0, 1, 0x51}
		}, false},
		"a script tree that is hidden": {func(d *draft) {
			d.change(w, at, 500)
			d.UnsignedTx.TxOut[1].PkScript = w.script(at, bytes.Repeat([]byte{3}, 32))
		}, false},
		"another script": {func(d *draft) {
			d.change(w, at, 500)
			d.UnsignedTx.TxOut[1].PkScript = payee()
		}, false},
		"the internal key itself": {func(d *draft) {
			d.change(w, at, 500)
			script, err := txscript.PayToTaprootScript(w.child(at))
			if err != nil {
				t.Fatal(err)
			}
			d.UnsignedTx.TxOut[1].PkScript = script
		}, false},
		"the derivation of another output's key": {func(d *draft) {
			d.change(w, at, 500).TaprootBip32Derivation = w.derivation(derive.Path{1, 8})
		}, false},
	} {
		d := newDraft()
		d.spend(w, derive.Path{0, 1}, 1_000)
		d.pay(payee(), 400)
		c.add(d)
		m := read(t, d.bytes(t), w, other).Intent()
		if got := len(m.Change) == 1; got != c.want || len(m.Payments)+len(m.Change) != 2 {
			t.Errorf("%s: %d payments, change %+v", name, len(m.Payments), m.Change)
		}
		if m.Outflow[0].Units != 1_000 || m.Fee != 100 {
			t.Errorf("%s: outflow %d, fee %d", name, m.Outflow[0].Units, m.Fee)
		}
	}
}

// Addresses are those that internal/chain gives, on every network; scripts without one, and
// bare keys, which some programs show the address of another script for, are themselves.
func TestDestinations(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	key := w.child(nil).SerializeCompressed()
	for network, params := range networks {
		want, err := chain.Address(wire.Bitcoin, network, w.root.Key.PublicKey)
		if got := destination(w.script(nil, nil), params); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", network, got, err, want)
		}
	}
	params := networks["mainnet"]
	bareKey := append(append([]byte{33}, key...), txscript.OP_CHECKSIG)
	bareMultisig := append(append([]byte{txscript.OP_1, 33}, key...), txscript.OP_1, txscript.OP_CHECKMULTISIG)
	for name, script := range map[string][]byte{
		"empty": {}, "data": {txscript.OP_RETURN, 2, 1, 2}, "a bare key": bareKey, "a bare multisig": bareMultisig,
		"an unknown version": append([]byte{txscript.OP_2, 32}, key[1:]...), "a broken push": {txscript.OP_PUSHDATA4, 255},
	} {
		if got := destination(script, params); got != "script:"+hex.EncodeToString(script) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for script, prefix := range map[string]string{
		"76a914" + strings.Repeat("07", 20) + "88ac": "1", "a914" + strings.Repeat("07", 20) + "87": "3",
		"0014" + strings.Repeat("07", 20): "bc1q", "0020" + strings.Repeat("07", 32): "bc1q",
	} {
		if got := destination(unhex(t, script), params); !strings.HasPrefix(got, prefix) {
			t.Errorf("%s: %s", script, got)
		}
	}
}

// An output of data pays nobody, and is listed.
func TestData(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	d := twoChildren(w)
	d.pay([]byte{txscript.OP_RETURN, 1, 1}, 0)
	got := read(t, d.bytes(t), w).Intent().Payments
	if len(got) != 2 || got[1].To != "script:6a0101" || got[1].Units != 0 || got[1].At != 2 {
		t.Errorf("%+v", got)
	}
}
