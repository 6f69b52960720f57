package main

import (
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// intentLine is a request with --json. Amounts are whole numbers of the smallest units.
type intentLine struct {
	Kind       intent.Kind     `json:"kind"`
	ID         string          `json:"id"`
	Network    string          `json:"network"`
	Signatures []signatureJSON `json:"signatures"`
	Payments   []paymentJSON   `json:"payments"`
	Change     []changeJSON    `json:"change"`
	Outflow    []amountJSON    `json:"outflow"`
	Fee        uint64          `json:"fee"`
	VSize      uint64          `json:"vsize,omitempty"`
	Spends     []string        `json:"spends,omitempty"`
	Foreign    int             `json:"foreign"`
	Programs   []string        `json:"programs,omitempty"`
	Nonce      string          `json:"nonce,omitempty"`
	Text       string          `json:"text,omitempty"`
	Replaces   string          `json:"replaces,omitempty"`
	Unclear    []refusalJSON   `json:"unclear"`
	Refused    []refusalJSON   `json:"refused"`
}

type signatureJSON struct {
	At        int           `json:"at"`
	Key       string        `json:"key"`
	Path      string        `json:"path,omitempty"`
	PublicKey wire.HexBytes `json:"public_key"`
	Sighash   string        `json:"sighash,omitempty"`
	Units     uint64        `json:"units,omitempty"`
}

type amountJSON struct {
	Asset string `json:"asset"`
	Units uint64 `json:"units"`
}

type paymentJSON struct {
	At int    `json:"at"`
	To string `json:"to"`
	amountJSON
	Decimals uint8 `json:"decimals,omitempty"` // of a token
}

type changeJSON struct {
	At    int    `json:"at"`
	To    string `json:"to"`
	Key   string `json:"key"`
	Path  string `json:"path"`
	Units uint64 `json:"units"`
}

type refusalJSON struct {
	Code    string `json:"code"`
	At      int    `json:"at"` // -1: the whole request
	Reason  string `json:"reason"`
	Program string `json:"program,omitempty"` // that a policy may list
}

// line is the request for --json. Lists are never null.
func (m meaning) line() intentLine {
	l := intentLine{
		Kind: m.Kind, ID: m.ID, Network: m.Network, Fee: m.Fee, VSize: m.VSize, Spends: m.Spends, Foreign: m.Foreign,
		Programs: m.Programs, Nonce: m.Nonce, Text: m.Text, Replaces: m.Replaces,
		Signatures: each(m.Signatures, func(s intent.Signature) signatureJSON {
			return signatureJSON{s.At, m.id(s.Root), s.Path.String(), s.PublicKey, s.Sighash, s.Amount}
		}),
		Payments: each(m.Payments, func(p intent.Payment) paymentJSON {
			return paymentJSON{p.At, p.To, amountJSON(p.Amount), p.Decimals}
		}),
		Change: each(m.Change, func(c intent.Change) changeJSON {
			return changeJSON{c.At, c.To, m.id(c.Root), c.Path.String(), c.Units}
		}),
		Outflow: each(m.Outflow, func(a intent.Amount) amountJSON { return amountJSON(a) }),
		Unclear: each(m.Unclear, func(r intent.Refusal) refusalJSON { return refusalJSON(r) }),
		Refused: each(m.Refused, func(r intent.Refusal) refusalJSON { return refusalJSON(r) }),
	}
	return l
}

func (m meaning) id(root int) string {
	if root < 0 || root >= len(m.Roots) {
		return ""
	}
	return m.Roots[root].ID
}

func each[A, B any](list []A, of func(A) B) []B {
	made := make([]B, len(list))
	for i, a := range list {
		made[i] = of(a)
	}
	return made
}
