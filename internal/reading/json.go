package reading

import (
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Meaning is a request for programs. Amounts are whole numbers of the smallest units.
type Meaning struct {
	Kind       intent.Kind      `json:"kind"`
	ID         string           `json:"id"`
	Network    string           `json:"network"`
	Signatures []AskedSignature `json:"signatures"`
	Payments   []Payment        `json:"payments"`
	Change     []ChangeOutput   `json:"change"`
	Outflow    []AssetAmount    `json:"outflow"`
	Fee        uint64           `json:"fee"`
	VSize      uint64           `json:"vsize,omitempty"`
	Spends     []string         `json:"spends,omitempty"`
	Foreign    int              `json:"foreign"`
	Programs   []string         `json:"programs,omitempty"`
	Nonce      string           `json:"nonce,omitempty"`
	Text       string           `json:"text,omitempty"`
	Replaces   string           `json:"replaces,omitempty"`
	Unclear    []RefusedPart    `json:"unclear"`
	Refused    []RefusedPart    `json:"refused"`
}

// AskedSignature is one signature that is asked for, and the number of the input, signer or
// item that it is for.
type AskedSignature struct {
	At        int           `json:"at"`
	Key       string        `json:"key"`
	Path      string        `json:"path,omitempty"`
	PublicKey wire.HexBytes `json:"public_key"`
	Sighash   string        `json:"sighash,omitempty"`
	Units     uint64        `json:"units,omitempty"`
	Message   wire.HexBytes `json:"message,omitempty"` // of an item, which nobody can read
}

// AssetAmount is so much of an asset.
type AssetAmount struct {
	Asset string `json:"asset"`
	Units uint64 `json:"units"`
}

// Payment is what an output or an instruction gives to somebody.
type Payment struct {
	At int    `json:"at"`
	To string `json:"to"`
	AssetAmount
	Decimals uint8 `json:"decimals,omitempty"` // of a token
}

// ChangeOutput is an output that comes back to a child of a key of the request.
type ChangeOutput struct {
	At    int    `json:"at"`
	To    string `json:"to"`
	Key   string `json:"key"`
	Path  string `json:"path"`
	Units uint64 `json:"units"`
}

// RefusedPart is what can't be signed, or is not clear, and why.
type RefusedPart struct {
	Code    string `json:"code"`
	At      int    `json:"at"` // -1: the whole request
	Reason  string `json:"reason"`
	Program string `json:"program,omitempty"` // that a policy may list
}

// JSON is the request for programs. Lists are never null.
func (m Request) JSON() Meaning {
	return Meaning{
		Kind: m.Kind, ID: m.ID, Network: m.Network, Fee: m.Fee, VSize: m.VSize, Spends: m.Spends, Foreign: m.Foreign,
		Programs: m.Programs, Nonce: m.Nonce, Text: m.Text, Replaces: m.Replaces,
		Signatures: each(m.Signatures, func(s intent.Signature) AskedSignature {
			asked := AskedSignature{At: s.At, Key: m.id(s.Root), Path: s.Path.String(), PublicKey: s.PublicKey,
				Sighash: s.Sighash, Units: s.Amount}
			if m.Kind == intent.Raw {
				asked.Message = s.Message
			}
			return asked
		}),
		Payments: each(m.Payments, func(p intent.Payment) Payment {
			return Payment{p.At, p.To, AssetAmount(p.Amount), p.Decimals}
		}),
		Change: each(m.Change, func(c intent.Change) ChangeOutput {
			return ChangeOutput{c.At, c.To, m.id(c.Root), c.Path.String(), c.Units}
		}),
		Outflow: each(m.Outflow, func(a intent.Amount) AssetAmount { return AssetAmount(a) }),
		Unclear: each(m.Unclear, func(r intent.Refusal) RefusedPart { return RefusedPart(r) }),
		Refused: each(m.Refused, func(r intent.Refusal) RefusedPart { return RefusedPart(r) }),
	}
}

func (m Request) id(root int) string {
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
