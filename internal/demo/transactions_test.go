package demo

import (
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/policy"
)

// TestRules: the policy is one that nodes take, and lists whom the demo pays.
func TestRules(t *testing.T) {
	p, err := policy.Parse([]byte(rules), network)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Rules(); len(got) != 2 {
		t.Errorf("rules %v", got)
	}
	address, err := btcutil.NewAddressWitnessPubKeyHash(draft.Payee()[2:], &chaincfg.RegressionNetParams)
	if err != nil || address.EncodeAddress() != payeeAddress {
		t.Errorf("the payee is %v, %v", address, err)
	}
}
