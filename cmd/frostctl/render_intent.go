package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// meaning is what a request for signatures means, to be shown.
type meaning struct {
	*intent.Intent
	Network  string
	Roots    []intent.Root // of the request
	Replaces string        // the job whose fee this one bumps, if it does
}

// titles name the kinds to people.
var titles = map[intent.Kind]string{
	intent.PSBT:              "Bitcoin transaction (PSBT)",
	intent.SolanaTransaction: "Solana transaction",
	intent.BitcoinMessage:    "Bitcoin message (BIP 322)",
	intent.SolanaMessage:     "Solana message",
}

// part is the word for what the numbers of a kind count: where money comes from, and where
// it goes.
func (m meaning) part() (from, to string) {
	if m.Kind == intent.PSBT {
		return "input", "output"
	}
	return "signer", "instruction"
}

// render shows a request as a person reads it: a label, and what it is of. It is what an
// approver sees and nothing else, so every line is from what was read, and what was not
// understood stands there too.
func (m meaning) render(w io.Writer) error {
	t := &table{t: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	fmt.Fprintf(w, "%s %s on %s\n", titles[m.Kind], visible(m.ID), visible(m.Network))
	m.signatures(t)
	m.money(t)
	if m.Replaces != "" {
		t.row("replaces", "job %s, whose fee it bumps", m.Replaces)
	}
	for _, program := range m.Programs {
		t.row("calls", "program %s", program)
	}
	if m.Nonce != "" {
		t.row("nonce", "of account %s: it does not expire with a blockhash", m.Nonce)
	}
	if m.Text != "" {
		for line := range strings.SplitSeq(m.Text, "\n") {
			t.row("text", "%s", strconv.Quote(line))
		}
	}
	from, to := m.part()
	for _, r := range m.Unclear {
		t.row("NOT CLEAR", "%s", refusalText(r, to))
	}
	for _, r := range m.Refused {
		t.row("NOT SIGNED", "%s", refusalText(r, from))
	}
	return t.t.Flush()
}

func (m meaning) signatures(t *table) {
	from, _ := m.part()
	for _, s := range m.Signatures {
		key := m.key(s.Root, s.Path)
		switch m.Kind {
		case intent.PSBT:
			t.row("spends", "%s %d\t%s of %s%s", from, s.At, money(intent.Amount{Asset: intent.Bitcoin, Units: s.Amount}),
				key, coverage(s.Sighash))
		case intent.BitcoinMessage:
			t.row("signs", "%s\toutput key %s", key, hex.EncodeToString(s.PublicKey))
		default:
			t.row("signs", "%s %d\t%s\taddress %s", from, s.At, key, base58.Encode(s.PublicKey))
		}
	}
	if m.Foreign > 0 {
		t.row("", "%d more %s of others", m.Foreign, plural(from, m.Foreign))
	}
}

// coverage says of a signature what it leaves open to others.
func coverage(sighash string) string {
	switch sighash {
	case "", "default":
		return ""
	case "all":
		return ", sighash all"
	}
	return ", sighash " + sighash + ": OTHERS MAY CHANGE WHAT IT DOES NOT COVER"
}

func (m meaning) money(t *table) {
	_, to := m.part()
	for _, p := range m.Payments {
		t.row("pays", "%s %d\t%s to %s", to, p.At, paid(p), p.To)
	}
	for _, c := range m.Change {
		t.row("change", "%s %d\t%s to %s, which is %s", to, c.At, money(intent.Amount{Asset: intent.Bitcoin, Units: c.Units}),
			c.To, m.key(c.Root, c.Path))
	}
	asset, rate := intent.Bitcoin, ""
	switch m.Kind {
	case intent.PSBT:
		if m.VSize > 0 {
			rate = fmt.Sprintf(", %s sat/vB (%d vB)", perUnit(m.Fee, m.VSize), m.VSize)
		}
	case intent.SolanaTransaction:
		asset = intent.Solana
	default:
		return
	}
	t.row("fee", "%s%s", money(intent.Amount{Asset: asset, Units: m.Fee}), rate)
	for _, a := range m.Outflow {
		with := map[string]string{intent.Bitcoin: ", with fee and change", intent.Solana: ", with the fee"}[a.Asset]
		t.row("in all", "at most %s%s", money(a), with)
	}
}

// key names the key that signs: a root of the request, and the way from there.
func (m meaning) key(root int, path derive.Path) string {
	if root < 0 || root >= len(m.Roots) {
		return fmt.Sprintf("key number %d", root)
	}
	if len(path) == 0 {
		return "key " + m.Roots[root].ID
	}
	return "key " + m.Roots[root].ID + " at " + path.String()
}

func refusalText(r intent.Refusal, part string) string {
	where := ""
	if named := fmt.Sprintf("%s %d", part, r.At); r.At >= 0 && !strings.HasPrefix(r.Reason, part) {
		where = named + ": "
	}
	return fmt.Sprintf("%s%s (%s)", where, r.Reason, r.Code)
}

func plural(word string, count int) string {
	if count == 1 {
		return word
	}
	return word + "s"
}

// paid writes what a payment gives. Of a token it says both, what its units are and how many
// of the smallest: the number of decimals is the transaction's word, which the chain checks.
func paid(p intent.Payment) string {
	if p.Decimals == 0 || p.Asset == intent.Bitcoin || p.Asset == intent.Solana {
		return money(p.Amount)
	}
	return fmt.Sprintf("%s (%s)", decimal(p.Units, int(p.Decimals)), money(p.Amount))
}

// money writes an amount with its unit.
func money(a intent.Amount) string {
	switch a.Asset {
	case intent.Bitcoin:
		return decimal(a.Units, 8) + " BTC"
	case intent.Solana:
		return decimal(a.Units, 9) + " SOL"
	}
	return fmt.Sprintf("%d smallest units of token %s", a.Units, strings.TrimPrefix(a.Asset, "spl:"))
}

// decimal writes n units of 10^-places.
func decimal(n uint64, places int) string {
	s := fmt.Sprintf("%0*d", places+1, n)
	return s[:len(s)-places] + "." + s[len(s)-places:]
}

// perUnit divides, to one decimal, rounded down: a rate that is shown is not above the true
// one. No product overflows.
func perUnit(n, units uint64) string {
	hi, lo := bits.Mul64(n, 10)
	if hi >= units {
		return strconv.FormatUint(n/units, 10)
	}
	tenths, _ := bits.Div64(hi, lo, units)
	return decimal(tenths, 1)
}

// table is rows of a label and cells. A label that repeats is not repeated. Nothing that
// came from a stranger reaches the terminal as more than text.
type table struct {
	t     *tabwriter.Writer
	label string
}

func (t *table) row(label, format string, args ...any) {
	shown := label
	if label == t.label {
		shown = ""
	}
	if label != "" {
		t.label = label
	}
	cells := strings.Split(fmt.Sprintf(format, plainArgs(args)...), "\t")
	fmt.Fprintf(t.t, "  %s\t%s\n", shown, strings.Join(cells, "\t"))
}

// plainArgs makes texts harmless one by one, so that a tab in one is no cell.
func plainArgs(args []any) []any {
	args = slices.Clone(args)
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = visible(s)
		}
	}
	return args
}

// visible shows what does not print as what it is: control characters, and those that
// change the direction of a text or have no width, which would have a person read something
// else than what is signed.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s { // an invalid byte is U+FFFD here
		if r != utf8.RuneError && strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}
