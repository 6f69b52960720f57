package bitcoin

import (
	"strings"
	"testing"

	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// charged is what a policy charges that believes in all change.
func charged(m *intent.Intent) uint64 {
	units := m.Outflow[0].Units
	for _, c := range m.Change {
		units -= c.Units
	}
	return units
}

// What is charged, the fee, and what nobody can account for, by who owns the inputs and by
// sighash type.
func TestAccount(t *testing.T) {
	t.Parallel()
	w, other := newWallet("treasury"), newWallet("other")
	const acp = txscript.SigHashAnyOneCanPay
	for name, c := range map[string]struct {
		hash                 txscript.SigHashType
		foreign, paid        int64
		charged, fee         uint64
		unclear              string
		withoutForeignAmount bool
	}{
		// 100,000 are spent, and 60,000 come back.
		"alone":                       {paid: 39_000, charged: 40_000, fee: 1_000},
		"with a lesser foreign input": {foreign: 5_000, paid: 39_000, charged: 45_000, fee: 6_000},
		"with a greater one":          {foreign: 500_000, paid: 539_000, charged: 100_000, fee: 1_000},
		"all":                         {hash: txscript.SigHashAll, paid: 39_000, charged: 40_000, fee: 1_000},
		"none": {
			hash: txscript.SigHashNone, paid: 39_000, charged: 100_000, fee: 100_000, unclear: "whom"},
		"single": {
			hash: txscript.SigHashSingle, paid: 39_000, charged: 100_000, fee: 100_000, unclear: "whom"},
		"all, anyone can pay": {hash: txscript.SigHashAll | acp, paid: 39_000, charged: 100_000, fee: 1_000},
		"all, others pay": {
			hash: txscript.SigHashAll | acp, foreign: 5_000, paid: 39_000, charged: 100_000, fee: 100_000, unclear: "fee"},
		"all, others are to pay": {
			hash: txscript.SigHashAll | acp, paid: 70_000, charged: 100_000, fee: 100_000, unclear: "fee"},
		"all, others pay what is unknown": {hash: txscript.SigHashAll | acp, foreign: 5_000, withoutForeignAmount: true,
			paid: 39_000, charged: 100_000, fee: 100_000, unclear: "fee"},
		"single, anyone can pay": {
			hash: txscript.SigHashSingle | acp, paid: 39_000, charged: 100_000, fee: 100_000, unclear: "whom"},
	} {
		d := newDraft()
		d.spend(w, derive.Path{0, 1}, 100_000).SighashType = c.hash
		d.pay(payee(), c.paid)
		d.change(w, derive.Path{1, 0}, 60_000)
		if c.foreign > 0 {
			in := d.spendScript(other.script(derive.Path{0, 1}, nil), c.foreign)
			if c.withoutForeignAmount {
				in.WitnessUtxo = nil
			}
		}
		m := read(t, d.bytes(t), w).Intent()
		if charged(m) != c.charged || m.Fee != c.fee || len(m.Spends) != 1 {
			t.Errorf("%s: charged %d, fee %d; want %d, %d", name, charged(m), m.Fee, c.charged, c.fee)
		}
		if c.unclear == "" && len(m.Unclear) > 0 || c.unclear != "" && (len(m.Unclear) != 1 || m.Unclear[0].At != 0 ||
			m.Unclear[0].Code != intent.NotUnderstood || !strings.Contains(m.Unclear[0].Reason, c.unclear)) {
			t.Errorf("%s: unclear %+v, want %q", name, m.Unclear, c.unclear)
		}
	}
}

// Two requests for one transaction, each of which hides that the other's input is the
// client's, so that the same change seems to make up for both: what is charged for the two
// is no less than what the client loses.
func TestChangeMakesUpOnce(t *testing.T) {
	t.Parallel()
	w := newWallet("treasury")
	for _, amounts := range [][4]int64{ // two inputs, payment, change
		{100_000, 100_000, 100_000, 99_000}, {100_000, 10_000, 10_000, 99_000}, {5_000, 200_000, 104_000, 100_000},
	} {
		var sum uint64
		for hidden := range 2 {
			d := newDraft()
			d.spend(w, derive.Path{0, 1}, amounts[0])
			d.spend(w, derive.Path{0, 2}, amounts[1])
			d.pay(payee(), amounts[2])
			d.change(w, derive.Path{1, 0}, amounts[3])
			d.Inputs[hidden].TaprootBip32Derivation = nil
			m := read(t, d.bytes(t), w).Intent()
			if len(m.Signatures) != 1 || len(m.Change) != 1 || m.Foreign != 1 {
				t.Fatalf("%+v", m)
			}
			sum += charged(m)
		}
		if lost := uint64(amounts[0] + amounts[1] - amounts[3]); sum < lost {
			t.Errorf("%v: %d are charged, and %d are lost", amounts, sum, lost)
		}
	}
}
