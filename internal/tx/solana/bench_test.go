package solana

import (
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// BenchmarkReadTransaction reads what wallets make, with a child that signs whose parent is
// in the cache, and the worst that fits: associated accounts for one signature.
func BenchmarkReadTransaction(b *testing.B) {
	root := rootOf("us", 0, 17)
	child, err := root.Key.Child(root.Path)
	if err != nil {
		b.Fatal(err)
	}
	from := address(key(child.PublicKey))
	account, err := AssociatedAccount(addressOf("payee"), TokenProgram, addressOf("mint"))
	if err != nil {
		b.Fatal(err)
	}
	pay := callDraft{TokenProgram, []string{"x", "mint", account, from}, fields(12, uint64(7), 6)}
	made := callDraft{ataID, []string{from, account, "payee", "mint", systemID, TokenProgram}, fields(1)}
	worst := draft{signers: []string{from}}
	for i := 0; len(worst.bytes()) <= MaxSize; i++ { // owners and mints change, so that no hash is the same
		people := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
		worst.calls = append(worst.calls, callDraft{ataID,
			[]string{from, account, people[i%10], people[i/10], systemID, TokenProgram}, nil})
	}
	worst.calls = worst.calls[:len(worst.calls)-1]
	for name, d := range map[string]draft{
		"transfer": {signers: []string{from}, calls: []callDraft{transferOf(from, "payee", 1)}},
		"token":    {signers: []string{from}, calls: []callDraft{pay}},
		"account":  {signers: []string{from}, version0: true, calls: []callDraft{made, pay}},
		fmt.Sprintf("worst/%d accounts", len(worst.calls)): worst,
	} {
		b.Run(name, func(b *testing.B) {
			raw, branches := d.bytes(), derive.NewCache(10)
			b.ReportAllocs()
			for b.Loop() {
				if _, refusal := ReadTransaction(raw, []intent.Root{root}, branches); refusal != nil {
					b.Fatal(refusal)
				}
			}
		})
	}
}
