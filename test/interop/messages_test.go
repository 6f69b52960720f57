package interop_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// texts are signed.
var texts = []string{"this address is ours", "Ωμέγα — 100 €\n\nsecond line\t✓", strings.Repeat("long ", 200)}

// proofOf has a child sign a text.
func (f *fleet) proofOf(t *testing.T, chain, text string) question {
	t.Helper()
	k := f.key(chain)
	a := must(must(k.Account()).Address(client.Branch(f.random.IntN(2)), f.index(1)))
	q := f.question(k, "")
	q.Ask, q.Path, q.Address, q.Text = "proof", a.Path, a.Address, text
	out := f.run(t, "", "sign", "message", "--chain", chain, "--keys", f.files[chain], "--key", k.ID+"/"+a.Path, "--json",
		text)
	var signed struct {
		Signature string `json:"message_signature"`
	}
	if err := json.Unmarshal([]byte(out), &signed); err != nil {
		t.Fatal(err)
	}
	q.Signature = signed.Signature
	return q
}

// testMessages: BIP 322's simple signatures and Solana's off-chain messages, and mistakes in
// them.
func (f *fleet) testMessages(t *testing.T, all programs, first, cases int) {
	verifiers := map[string]programs{wire.Bitcoin: all.named("bitcoinjs", "embit"), wire.Solana: all.named("solana")}
	for i := range cases {
		for chain, libraries := range verifiers {
			q := f.proofOf(t, chain, texts[(first+i)%len(texts)])
			libraries.agree(t, q)
			other, address, flipped := q, q, q
			other.Text += "."
			address.Address = must(must(f.key(chain).Account()).Address(client.Receive, 1_234_567)).Address
			raw := must(base64.StdEncoding.DecodeString(q.Signature))
			raw[len(raw)-9] ^= 2
			flipped.Signature = base64.StdEncoding.EncodeToString(raw)
			for name, bad := range map[string]question{"text": other, "address": address, "signature": flipped} {
				for _, p := range libraries {
					if a := p.ask(t, bad); len(a.Wrong) == 0 {
						t.Errorf("%s takes a proof with another %s", p.name, name)
					}
				}
			}
		}
	}
}
