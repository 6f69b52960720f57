package policy

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Explanation is a decision as people and programs read it.
type Explanation struct {
	Verdict  Verdict        `json:"verdict"`
	Rule     string         `json:"rule,omitempty"`
	Code     string         `json:"code,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Missing  int            `json:"missing_approvals,omitempty"`
	From     []string       `json:"from,omitempty"`
	Policy   string         `json:"policy"` // its hash; zeros: none
	Kind     intent.Kind    `json:"kind"`
	ID       string         `json:"id,omitempty"`
	Fee      string         `json:"fee,omitempty"`
	Payments []ExplainedPay `json:"payments"`
	Change   []ExplainedPay `json:"change"`
	Limits   []ExplainedUse `json:"limits"`
}

// ExplainedPay is a payment, or change.
type ExplainedPay struct {
	At     int    `json:"at"`
	To     string `json:"to"`
	Amount string `json:"amount"`
	Path   string `json:"path,omitempty"` // of change
}

// ExplainedUse is what a job uses of a limit.
type ExplainedUse struct {
	Limit   string `json:"limit"`
	Subject string `json:"subject"`
	Used    string `json:"used"`
	This    string `json:"this"`
}

// Explain puts a decision into words. The ledger may be nil.
func (p *Policy) Explain(ask *Ask, d *Decision, l *Ledger) Explanation {
	hash := p.Hash()
	e := Explanation{
		Verdict: d.Verdict, Rule: d.Rule, Code: d.Code, Reason: d.Reason, Missing: d.Missing, From: d.From,
		Policy: hex.EncodeToString(hash[:]), Kind: ask.Intent.Kind, ID: ask.Intent.ID,
		Payments: []ExplainedPay{}, Change: []ExplainedPay{}, Limits: []ExplainedUse{},
	}
	switch ask.Intent.Kind {
	case intent.PSBT:
		e.Fee = Amount(intent.Bitcoin, ask.Intent.Fee)
	case intent.SolanaTransaction:
		e.Fee = Amount(intent.Solana, ask.Intent.Fee)
	}
	for _, pay := range d.Payments {
		e.Payments = append(e.Payments, ExplainedPay{At: pay.At, To: pay.To, Amount: Amount(pay.Asset, pay.Units)})
	}
	for _, c := range d.Change {
		e.Change = append(e.Change, ExplainedPay{c.At, c.To, Amount(intent.Bitcoin, c.Units), c.Path.String()})
	}
	for _, c := range d.Charges {
		used, _ := l.Used(c)
		asset := c.limit.asset
		e.Limits = append(e.Limits, ExplainedUse{c.Limit(), c.Subject, Amount(asset, used), Amount(asset, c.Units)})
	}
	return e
}

// WriteTo writes an explanation for people.
func (e *Explanation) WriteTo(w io.Writer) (int64, error) {
	var out counting
	out.w = w
	out.line("%s", map[Verdict]string{Allowed: "Allowed", Denied: "Denied", NeedsApproval: "Needs approvals"}[e.Verdict])
	if e.Rule != "" {
		out.line("  by rule   %s", e.Rule)
	} else if e.Verdict == Allowed {
		out.line("  as there is no policy: everything is")
	}
	if e.Code != "" {
		out.line("  because   %s (%s)", e.Reason, e.Code)
	}
	out.line("  kind      %s", e.Kind)
	for _, pay := range e.Payments {
		out.line("  pays      %s to %s", pay.Amount, pay.To)
	}
	for _, c := range e.Change {
		out.line("  change    %s to %s (child %s)", c.Amount, c.To, c.Path)
	}
	if e.Fee != "" {
		out.line("  fee       %s", e.Fee)
	}
	for _, u := range e.Limits {
		out.line("  limit     %s: %s used %s, this job takes %s", u.Limit, u.Subject, u.Used, u.This)
	}
	return out.n, out.err
}

// counting counts what it wrote, and stops at an error.
type counting struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counting) line(format string, args ...any) {
	if c.err != nil {
		return
	}
	n, err := fmt.Fprintf(c.w, format+"\n", args...)
	c.n += int64(n)
	c.err = err
}
