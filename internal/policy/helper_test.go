package policy

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Addresses of regtest that nobody has the keys of.
const (
	shop  = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
	thief = "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
	mint  = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
	wsol  = "So11111111111111111111111111111111111111112"
)

// key0 and key1 are ids of keys.
var (
	key0 = strings.Repeat("0", 32) + ".0"
	key1 = strings.Repeat("0", 32) + ".1"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// approverKey is the public key of an approver of tests.
func approverKey(name string) string {
	seed := sha256.Sum256([]byte(name))
	return hex.EncodeToString(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
}

// approvers declares approvers of a file.
func approversOf(names ...string) (text string) {
	for _, name := range names {
		text += fmt.Sprintf("\n[[approver]]\nname = %q\npublic_key = %q\n", name, approverKey(name))
	}
	return text
}

// rules puts a version before rules.
func rules(text string) string { return "version = 1\n" + text }

// plainRule is a rule for all clients and keys, with more lines.
func plainRule(kind string, more ...string) string {
	return fmt.Sprintf("version = 1\n[[rule]]\nname = \"all\"\nclients = [\"*\"]\nkeys = [\"*\"]\nkinds = [%q]\n%s\n",
		kind,
		strings.Join(more, "\n"))
}

func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse([]byte(text), "regtest")
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return p
}

// out is an output of a PSBT: a payment, or with a path perhaps change.
type out struct {
	to    string
	units uint64
	path  derive.Path
}

// psbt is a job that spends one input per path of key0, and pays outs.
func psbt(job string, in uint64, outs ...out) *Ask {
	paid := uint64(0)
	i := &intent.Intent{
		Kind: intent.PSBT, VSize: 200, Spends: []string{"tx-of-" + job + ":0"},
		Outflow:    []intent.Amount{{Asset: intent.Bitcoin, Units: in}},
		Signatures: []intent.Signature{{Path: derive.Path{0, 0}, Sighash: "default", Amount: in}},
	}
	for at, o := range outs {
		paid += o.units
		if o.path != nil {
			i.Change = append(i.Change, intent.Change{At: at, To: o.to, Path: o.path, Units: o.units})
			continue
		}
		i.Payments = append(i.Payments, intent.Payment{At: at, To: o.to, Amount: intent.Amount{Asset: intent.Bitcoin,
			Units: o.units}})
	}
	i.Fee = in - paid
	return &Ask{Client: "alice", Job: job, Digest: sha256.Sum256([]byte(job)), Intent: i,
		Roots: []intent.Root{{ID: key0}}, Now: start}
}

// at moves a job in time.
func at(ask *Ask, after time.Duration) *Ask {
	ask.Now = start.Add(after)
	return ask
}

// wantCode checks a decision.
func wantCode(t testing.TB, d Decision, verdict Verdict, code string) {
	t.Helper()
	if d.Verdict != verdict || d.Code != code {
		t.Errorf("%s %s (%s), want %s %s", d.Verdict, d.Code, d.Reason, verdict, code)
	}
	if (d.Reason == "") != (verdict == Allowed) {
		t.Errorf("%s with the reason %q", d.Verdict, d.Reason)
	}
}

// sealed puts the checksum before a state's body.
func sealed(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(sum[:], body...)
}
