package reading

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// titles name the kinds to people.
var titles = map[intent.Kind]string{
	intent.PSBT:              "Bitcoin transaction (PSBT)",
	intent.SolanaTransaction: "Solana transaction",
	intent.BitcoinMessage:    "Bitcoin message (BIP 322)",
	intent.SolanaMessage:     "Solana message",
	intent.Raw:               "Messages that nobody can read",
}

// part is the word for what the numbers of a kind count: where money comes from, and where
// it goes.
func (m Request) part() (from, to string) {
	switch m.Kind {
	case intent.PSBT:
		return "input", "output"
	case intent.Raw:
		return "item", ""
	}
	return "signer", "instruction"
}

// WriteText writes a request as a person reads it: a label, and what it is of. It is what an
// approver sees and nothing else, so every line is from what was read, and what was not
// understood stands there too.
func (m Request) WriteText(w io.Writer) error {
	t := &table{t: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	title := strings.Join(strings.Fields(titles[m.Kind]+" "+Visible(m.ID)), " ")
	fmt.Fprintf(w, "%s on %s\n", title, Visible(m.Network))
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

func (m Request) signatures(t *table) {
	from, _ := m.part()
	for _, s := range m.Signatures {
		key := m.key(s.Root, s.Path)
		switch m.Kind {
		case intent.PSBT:
			t.row("spends", "%s %d\t%s of %s%s", from, s.At, money(intent.Amount{Asset: intent.Bitcoin, Units: s.Amount}),
				key, coverage(s.Sighash))
		case intent.BitcoinMessage:
			t.row("signs", "%s\toutput key %s", key, hex.EncodeToString(s.PublicKey))
		case intent.Raw:
			t.row("signs", "%s %d\t%s\tmessage %s", from, s.At, key, hex.EncodeToString(s.Message))
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

func (m Request) money(t *table) {
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
func (m Request) key(root int, path derive.Path) string {
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
