package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// destinations compares all payments with the list. Where people may allow others, it
// notes them.
func (j *judge) destinations() (code, reason string) {
	to := j.rule.destinations
	if to == nil {
		return "", ""
	}
	for _, pay := range j.d.Payments {
		if to.allow(pay) || to.self && j.own(pay) {
			continue
		}
		who := fmt.Sprintf("%s to %s", Amount(pay.Asset, pay.Units), pay.To)
		if j.rule.approvals == nil || !j.rule.approvals.outside {
			return CodeDestination, fmt.Sprintf("%s %d pays %s, which the rule's destinations don't list%s",
				part(j.in.Kind), pay.At, who, to.unknown())
		}
		j.outside = append(j.outside, who)
	}
	return "", ""
}

// part is what a kind of transaction numbers.
func part(k intent.Kind) string {
	if k == intent.SolanaTransaction {
		return "instruction"
	}
	return "output"
}

// own reports whether a payment is to the client's own keys: of a PSBT, a child 0/i or 1/i
// of a root that pays too, which its wallet will find; of Solana, an account that signs.
func (j *judge) own(pay intent.Payment) bool {
	if j.in.Kind == intent.SolanaTransaction {
		return slices.ContainsFunc(j.in.Signatures, func(s intent.Signature) bool {
			return owns(base58.Encode(s.PublicKey), pay)
		})
	}
	return slices.ContainsFunc(j.in.Change, func(c intent.Change) bool {
		return c.At == pay.At && len(c.Path) == 2 && c.Path[0] <= 1 && j.near(c)
	})
}

// owns reports whether a payment is to an owner of Solana: to it, or to its token account.
func owns(owner string, pay intent.Payment) bool {
	mint, ok := strings.CutPrefix(pay.Asset, token)
	if !ok || !strings.HasPrefix(pay.To, toAccount) {
		return pay.To == owner
	}
	accounts, err := tokenAccounts(owner, mint)
	return err == nil && slices.Contains(accounts, pay.To)
}

// allow reports whether a payment's destination is listed.
func (d *destinations) allow(pay intent.Payment) bool { return d.addresses[pay.To] }

// unknown says that keys of the fleet are listed whose addresses are not known yet.
func (d *destinations) unknown() string {
	if len(d.fleet) == 0 {
		return ""
	}
	return fmt.Sprintf(" (of %d keys that it lists, this node does not know the addresses yet)", len(d.fleet))
}
