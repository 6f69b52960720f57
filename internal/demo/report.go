package demo

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Report is what the demo found; `frostctl demo --json` prints it.
type Report struct {
	Addresses              int     `json:"addresses"`
	TaprootPerSecond       float64 `json:"taproot_addresses_per_second"`
	SolanaPerSecond        float64 `json:"solana_addresses_per_second"`
	AddressesPerSecond     float64 `json:"addresses_per_second"`
	Signatures             int     `json:"signatures"`
	SignaturesVerified     int     `json:"signatures_verified"`
	TaprootSigsPerSecond   float64 `json:"taproot_signatures_per_second"`
	Ed25519SigsPerSecond   float64 `json:"ed25519_signatures_per_second"`
	SignaturesPerSecond    float64 `json:"signatures_per_second"`
	SingleP50              float64 `json:"single_sign_p50_ms"`
	SingleP99              float64 `json:"single_sign_p99_ms"`
	SpendAccepted          bool    `json:"spend_accepted"`
	DerivedAddresses       int     `json:"derived_addresses"`
	DerivedPerSecond       float64 `json:"derived_addresses_per_second"`
	ChildSignatureVerified bool    `json:"child_signature_verified"`
	PSBTAccepted           bool    `json:"psbt_accepted"`
	SolanaAccepted         bool    `json:"solana_transaction_accepted"`
	PolicyDenied           bool    `json:"policy_denied"`
	SignedWithOneNodeDown  bool    `json:"signed_with_one_node_down"`
	ResharedKeys           int     `json:"reshared_keys"`
	ResharedPerSecond      float64 `json:"reshared_keys_per_second"`
	SignedAfterResharing   bool    `json:"signed_after_resharing"`
	Seconds                float64 `json:"seconds"`
}

// Print writes the report as a short table.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }
	row("addresses generated\t%d", r.Addresses)
	row("  Taproot a second\t%.0f", r.TaprootPerSecond)
	row("  Solana a second\t%.0f", r.SolanaPerSecond)
	row("signatures made / verified\t%d / %d", r.Signatures, r.SignaturesVerified)
	row("  Taproot a second (one job)\t%.0f", r.TaprootSigsPerSecond)
	row("  Ed25519 a second (one job)\t%.0f", r.Ed25519SigsPerSecond)
	row("single signature p50 / p99\t%.1f / %.1f ms", r.SingleP50, r.SingleP99)
	row("P2TR spend in btcd's script engine\t%s", yes(r.SpendAccepted, "accepted"))
	row("addresses derived from two keys\t%d", r.DerivedAddresses)
	row("  a second\t%.0f", r.DerivedPerSecond)
	row("signed for two of them\t%s", yes(r.ChildSignatureVerified, "verified"))
	row("PSBT from two children in btcd's script engine\t%s", yes(r.PSBTAccepted, "accepted"))
	row("Solana transfer\t%s", yes(r.SolanaAccepted, "accepted"))
	row("payment to a stranger\t%s", yes(r.PolicyDenied, "denied by policy"))
	row("signed with one node killed\t%s", yes(r.SignedWithOneNodeDown, "yes"))
	row("keys moved to a fleet with a new node\t%d", r.ResharedKeys)
	row("  a second, from the command to the last key\t%.0f", r.ResharedPerSecond)
	row("signed by the new node and one of the others\t%s", yes(r.SignedAfterResharing, "yes"))
	row("seconds in all\t%.1f", r.Seconds)
	return t.Flush()
}

func yes(ok bool, word string) string {
	if ok {
		return word
	}
	return "NO"
}

func perSecond(count int, took time.Duration) float64 { return float64(count) / took.Seconds() }
