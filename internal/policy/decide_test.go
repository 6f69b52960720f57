package policy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/tx/solana"
)

func TestNoPolicyAllowsAll(t *testing.T) {
	t.Parallel()
	var p *Policy
	ask := psbt("a", 5, out{to: thief, units: 5})
	ask.Intent.Unclear = []intent.Refusal{{Reason: "who knows"}}
	d := p.Decide(ask, nil)
	wantCode(t, d, Allowed, "")
	if p.Hash() != [32]byte{} || p.Counts() || p.FleetKeys() != nil || p.Approvers() != nil || p.Rules() != nil {
		t.Error("no policy says something")
	}
	var l *Ledger
	if c := l.Charge(ask, &d); c.Wait != 0 || c.Save != nil || l.Seq() != 0 || l.Saved(1) != nil {
		t.Error("a job costs something")
	}
	if p, err := p.WithKeys(nil); p != nil || err != nil {
		t.Error("a policy out of nothing")
	}
}

// A case is a job before a rule for all clients and keys, of one kind, with these lines.
type decided struct {
	name    string
	rule    []string
	ask     func() *Ask
	verdict Verdict
	code    string
	says    string
}

func limitOf(amount, per string) string {
	return fmt.Sprintf("[[rule.limit]]\namount = %q\nper = %q", amount, per)
}

func TestDecideBitcoin(t *testing.T) {
	t.Parallel()
	pay := func(to string, units uint64) func() *Ask {
		return func() *Ask { return psbt("a", units+1000, out{to: to, units: units}) }
	}
	change := func(path ...uint32) func() *Ask {
		return func() *Ask {
			return psbt("a", 100_000, out{to: shop, units: 10_000}, out{to: "change", units: 89_000, path: path})
		}
	}
	with := func(f func() *Ask, edit func(*Ask)) func() *Ask {
		return func() *Ask { ask := f(); edit(ask); return ask }
	}
	sighash := func(name string) func(*Ask) { return func(a *Ask) { a.Intent.Signatures[0].Sighash = name } }
	toShop := `destinations = ["` + shop + `"]`
	toSelfToo := `destinations = ["` + shop + `", "self"]`
	fees := `max_fee = ["1000 sat"]`
	cases := []decided{
		{"anywhere", nil, pay(thief, 5), Allowed, "", ""},
		{"listed", []string{toShop, fees}, pay(shop, 5), Allowed, "", ""},
		{"unlisted", []string{toShop, fees}, pay(thief, 5), Denied, CodeDestination, thief},
		{"listed, and a little to another", []string{toShop, fees}, with(pay(shop, 5), func(a *Ask) {
			a.Intent.Payments = append(a.Intent.Payments, intent.Payment{At: 1, To: thief, Amount: intent.Amount{Asset: "btc",
				Units: 1}})
		}), Denied, CodeDestination, "output 1"},
		{"hidden script", []string{toShop, fees}, with(pay(shop, 5), func(a *Ask) {
			a.Intent.Payments = append(a.Intent.Payments, intent.Payment{At: 1, To: "script:51",
				Amount: intent.Amount{Asset: "btc"}})
		}), Denied, CodeDestination, "script:51"},
		{"listed script", []string{`destinations = ["script:51"]`, fees}, pay("script:51", 5), Allowed, "", ""},
		{"change", []string{toShop, fees}, change(1, 0), Allowed, "", ""},
		{"change at the bound", []string{toShop, fees, "change_gap = 10"}, change(1, 10), Allowed, "", ""},
		{"change with a far index", []string{toShop, fees, "change_gap = 10"}, change(1, 11), Denied, CodeDestination,
			"change"},
		{"change at the last index", []string{toShop, fees}, change(1, derive.MaxIndex), Denied, CodeDestination, "change"},
		{"change on the other chain", []string{toShop, fees}, change(0, 3), Denied, CodeDestination, "change"},
		{"change to the root", []string{toShop, fees}, change([]uint32{}...), Denied, CodeDestination, "change"},
		{"change below change", []string{toShop, fees}, change(1, 3, 0), Denied, CodeDestination, "change"},
		{"change one step deep", []string{toShop, fees}, change(1), Denied, CodeDestination, "change"},
		{"change of no root", []string{toShop, fees}, with(change(1, 0), func(a *Ask) { a.Intent.Change[0].Root = 7 }),
			Denied, CodeDestination, "change"},
		{"to oneself", []string{toSelfToo, fees}, change(0, 3), Allowed, "", ""},
		{"to oneself, far", []string{toSelfToo, fees, "change_gap = 10"}, change(0, 11), Denied, CodeDestination, "change"},
		{"to oneself, deep", []string{toSelfToo, fees}, change(0, 3, 1), Denied, CodeDestination, "change"},
		{"to another under self", []string{toSelfToo, fees}, pay(thief, 1), Denied, CodeDestination, thief},
		{"fee at the limit", []string{fees}, pay(thief, 5), Allowed, "", ""},
		{"fee above", []string{fees}, with(pay(thief, 5), func(a *Ask) { a.Intent.Fee = 1001 }), Denied, CodeFee,
			"0.00001001 BTC"},
		{"rate at the limit", []string{"max_fee_rate = 5"}, pay(thief, 5), Allowed, "", ""},
		{"rate above", []string{"max_fee_rate = 4"}, pay(thief, 5), Denied, CodeFee, "5.0 satoshis"},
		{"rate not known", []string{"max_fee_rate = 400"}, with(pay(thief, 5), func(a *Ask) { a.Intent.VSize = 0 }), Denied,
			CodeFee,
			"not known"},
		{"rate without bound", []string{"max_fee_rate = 9223372036854775807"}, with(pay(thief, 5), func(a *Ask) {
			a.Intent.VSize, a.Intent.Fee = 3, math.MaxUint64
		}), Allowed, "", ""},
		{"no fee", []string{"max_fee_rate = 1"}, with(pay(thief, 5), func(a *Ask) { a.Intent.Fee = 0 }), Allowed, "", ""},
		{"at the limit of a transaction", []string{limitOf("6000 sat", "transaction")}, pay(thief, 5000), Allowed, "", ""},
		{"above it by the fee", []string{limitOf("5999 sat", "transaction")}, pay(thief, 5000), Denied, CodeAboveLimit,
			"0.00006 BTC"},
		{"change is no outflow", []string{limitOf("11000 sat", "transaction")}, change(1, 0), Allowed, "", ""},
		{"far change is one", []string{limitOf("11000 sat", "transaction")}, change(1, 5000), Denied, CodeAboveLimit,
			"0.001 BTC"},
		{"above a day's limit", []string{limitOf("5999 sat", "day")}, pay(thief, 5000), Denied, CodeAboveLimit,
			"a day for each client"},
		{"too many signatures", []string{limitOf("2 signatures", "transaction")}, with(pay(thief, 5), func(a *Ask) {
			a.Intent.Signatures = make([]intent.Signature, 3)
			for i := range a.Intent.Signatures {
				a.Intent.Signatures[i].Sighash = "default"
			}
		}), Denied, CodeAboveLimit, "3 signatures"},
		{"foreign outputs make no gain", []string{limitOf("1 sat", "transaction")}, with(change(1, 0), func(a *Ask) {
			a.Intent.Change[0].Units = 1_000_000
		}), Allowed, "", ""},
		{"amounts that overflow", []string{limitOf("1 BTC", "transaction")}, with(pay(thief, 5), func(a *Ask) {
			a.Intent.Outflow = []intent.Amount{{Asset: "btc", Units: math.MaxUint64}, {Asset: "btc", Units: 10}}
		}), Denied, CodeAboveLimit, ""},
		{"an asset without a name", nil, with(pay(thief, 5), func(a *Ask) {
			a.Intent.Outflow = append(a.Intent.Outflow, intent.Amount{Asset: "spl:" + mint, Units: 1})
		}), Denied, CodeAsset, "spl:"},
		{"default sighash", nil, with(pay(thief, 5), sighash("all")), Denied, CodeSighash, "input 0"},
		{"sighash without a name", nil, with(pay(thief, 5), sighash("")), Denied, CodeSighash, ""},
		{"allowed sighash", []string{`sighash = ["default", "all"]`}, with(pay(thief, 5), sighash("all")), Allowed, "", ""},
		{"others may add inputs", []string{`sighash = ["all|anyonecanpay"]`, limitOf("11000 sat", "transaction")},
			with(change(1, 0), sighash("all|anyonecanpay")), Allowed, "", ""},
		{"not understood", nil, with(pay(thief, 5), func(a *Ask) {
			a.Intent.Unclear = []intent.Refusal{*intent.Refuse(intent.NotUnderstood, 0, "output 0 is strange")}
		}), Denied, intent.NotUnderstood, "strange"},
		{"another kind", nil, with(pay(thief, 5), func(a *Ask) { a.Intent.Kind = intent.BitcoinMessage }), Denied, CodeKind,
			"bitcoin_message"},
		{"raw", nil, with(pay(thief, 5), func(a *Ask) { a.Intent.Kind = intent.Raw }), Denied, CodeKind, "raw"},
		{"no key", nil, with(pay(thief, 5), func(a *Ask) { a.Roots = nil }), Denied, CodeNoRule, "names no key"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, plainRule("psbt", c.rule...))
			ask := c.ask()
			before := fmt.Sprintf("%+v", ask.Intent)
			for _, l := range []*Ledger{nil, fresh(p)} {
				d := p.Decide(ask, l)
				wantCode(t, d, c.verdict, c.code)
				if !strings.Contains(d.Reason, c.says) {
					t.Errorf("%q does not say %q", d.Reason, c.says)
				}
				if d.Rule != "all" && len(ask.Roots) > 0 {
					t.Errorf("rule %q", d.Rule)
				}
			}
			if after := fmt.Sprintf("%+v", ask.Intent); after != before {
				t.Errorf("the intent became %s", after)
			}
		})
	}
}

// fresh is a ledger whose state is on disk.
func fresh(p *Policy) *Ledger {
	l, s := NewLedger(p, start)
	l.Saved(s.Seq)
	return l
}

// transfer is a Solana transaction of one signer.
func transfer(asset string, units uint64, to string) *Ask {
	key := make([]byte, 32)
	key[0] = 7
	return &Ask{Client: "alice", Job: "s", Digest: [32]byte{1}, Roots: []intent.Root{{ID: key0}}, Now: start,
		Intent: &intent.Intent{
			Kind: intent.SolanaTransaction, Fee: 5000, Programs: []string{"11111111111111111111111111111111"},
			Outflow:    []intent.Amount{{Asset: asset, Units: units}, {Asset: intent.Solana, Units: 5000}},
			Payments:   []intent.Payment{{To: to, Amount: intent.Amount{Asset: asset, Units: units}}},
			Signatures: []intent.Signature{{PublicKey: key}},
		}}
}

func account(owner, mint, program string) string {
	a, err := solana.AssociatedAccount(owner, program, mint)
	if err != nil {
		panic(err)
	}
	return toAccount + a
}

func TestDecideSolana(t *testing.T) {
	t.Parallel()
	with := func(ask *Ask, edit func(*Ask)) func() *Ask { return func() *Ask { edit(ask); return ask } }
	plain := func(ask *Ask) func() *Ask { return func() *Ask { return ask } }
	unclear := func(program string) func(*Ask) {
		return func(a *Ask) {
			a.Intent.Unclear = []intent.Refusal{{Code: intent.NotUnderstood, Reason: "instruction 0 is of another program",
				Program: program}}
		}
	}
	own := make([]byte, 32)
	own[0] = 7
	spl := "spl:" + mint
	toWsol := `destinations = ["` + wsol + `"]`
	fee := `max_fee = ["5000 lamports"]`
	cases := []decided{
		{"SOL", nil, plain(transfer("sol", 9, mint)), Allowed, "", ""},
		{"a token is not listed", nil, plain(transfer(spl, 9, mint)), Denied, CodeAsset, spl},
		{"a token is", []string{fee, `assets = ["` + spl + `"]`}, plain(transfer(spl, 9, mint)), Allowed, "", ""},
		{"SOL is not then", []string{fee, `assets = ["` + spl + `"]`}, plain(transfer("sol", 5001, mint)), Denied,
			CodeAsset, "SOL"},
		{"limits say what moves", []string{fee, limitOf("10 "+spl, "day")}, plain(transfer(spl, 9, mint)), Allowed, "", ""},
		{"and what does not", []string{fee, limitOf("10 "+spl, "day")}, plain(transfer("sol", 5001, mint)), Denied,
			CodeAsset, "SOL"},
		{"above a token's limit", []string{fee, limitOf("10 "+spl, "day")}, plain(transfer(spl, 11, mint)), Denied,
			CodeAboveLimit, "11 spl:"},
		{"listed", []string{toWsol, fee}, plain(transfer("sol", 9, wsol)), Allowed, "", ""},
		{"unlisted", []string{toWsol, fee}, plain(transfer("sol", 9, mint)), Denied, CodeDestination, "instruction 0"},
		{"to oneself", []string{`destinations = ["self"]`, fee}, plain(transfer("sol", 9, base58.Encode(own))), Allowed, "",
			""},
		{"not to oneself", []string{`destinations = ["self"]`, fee}, plain(transfer("sol", 9, mint)), Denied,
			CodeDestination, ""},
		{"token account of nobody", []string{toWsol, fee, `assets = ["` + spl + `"]`}, plain(transfer(spl, 9,
			"account:"+mint)), Denied,
			CodeDestination, "account:"},
		{"token account of the listed", []string{toWsol, fee, `assets = ["` + spl + `"]`},
			plain(transfer(spl, 9, account(wsol, mint, solana.TokenProgram))), Allowed, "", ""},
		{"token account of another program", []string{toWsol, fee, `assets = ["` + spl + `"]`},
			plain(transfer(spl, 9, account(wsol, mint, solana.Token2022Program))), Allowed, "", ""},
		{"token account of another mint", []string{toWsol, fee, `assets = ["` + spl + `"]`},
			plain(transfer(spl, 9, account(wsol, wsol, solana.TokenProgram))), Denied, CodeDestination, ""},
		{"token account of oneself", []string{`destinations = ["self"]`, fee, `assets = ["` + spl + `"]`},
			plain(transfer(spl, 9, account(base58.Encode(own), mint, solana.TokenProgram))), Allowed, "", ""},
		{"token account of another as oneself", []string{`destinations = ["self"]`, fee, `assets = ["` + spl + `"]`},
			plain(transfer(spl, 9, account(wsol, mint, solana.TokenProgram))), Denied, CodeDestination, ""},
		{"fee above", []string{`max_fee = ["4999 lamports"]`}, plain(transfer("sol", 9, wsol)), Denied, CodeFee,
			"0.000005 SOL"},
		{"nonce account", []string{`nonce_accounts = ["` + wsol + `"]`}, with(transfer("sol", 9, mint),
			func(a *Ask) { a.Intent.Nonce = wsol }),
			Allowed, "", ""},
		{"another nonce account", []string{`nonce_accounts = ["` + wsol + `"]`}, with(transfer("sol", 9, mint), func(a *Ask) {
			a.Intent.Nonce = mint
		}), Denied, CodeNonceAccount, mint},
		{"no nonce account", nil, with(transfer("sol", 9, mint), func(a *Ask) { a.Intent.Nonce = wsol }), Denied,
			CodeNonceAccount, wsol},
		{"another program", nil, with(transfer("sol", 9, mint), unclear(wsol)), Denied, intent.NotUnderstood,
			"another program"},
		{"a listed program", []string{`programs = ["` + wsol + `"]`}, with(transfer("sol", 9, mint), unclear(wsol)),
			Allowed, "", ""},
		{"unclear of no program", []string{`programs = ["` + wsol + `"]`}, with(transfer("sol", 9, mint), unclear("")),
			Denied,
			intent.NotUnderstood, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, plainRule("solana_transaction", c.rule...)).Decide(c.ask(), nil)
			wantCode(t, d, c.verdict, c.code)
			if !strings.Contains(d.Reason, c.says) {
				t.Errorf("%q does not say %q", d.Reason, c.says)
			}
		})
	}
}

// TestOpenOutputs: no rule allows signatures that leave outputs open, and if others make them
// all the same, the whole inputs are charged: another output may take the place of change.
func TestOpenOutputs(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("1 BTC", "day")))
	ask := psbt("a", 100_000, out{to: shop, units: 10_000}, out{to: "change", units: 89_000, path: derive.Path{1, 0}})
	if d := p.Decide(ask, nil); d.Charges[0].Units != 11_000 {
		t.Errorf("%d are charged", d.Charges[0].Units)
	}
	for _, open := range []string{"none", "single", "none|anyonecanpay", "single|anyonecanpay"} {
		ask.Intent.Signatures[0].Sighash = open
		d := p.Decide(ask, nil)
		wantCode(t, d, Denied, CodeSighash)
		if d.Charges[0].Units != 100_000 || len(d.Change) != 0 {
			t.Errorf("%s: %d are charged", open, d.Charges[0].Units)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	message := &Ask{Client: "alice", Roots: []intent.Root{{ID: key0}}, Now: start, Intent: &intent.Intent{
		Kind: intent.SolanaMessage, Signatures: make([]intent.Signature, 1), Text: "hello",
	}}
	wantCode(t, parse(t, plainRule("solana_message", limitOf("1 signatures", "day"))).Decide(message, nil), Allowed, "")
	wantCode(t, parse(t, plainRule("bitcoin_message")).Decide(message, nil), Denied, CodeKind)
	ask := parse(t, plainRule("solana_message",
		"[rule.approvals]\nrequire = 1\nfrom = [\"anna\"]\nalways = true")+approversOf("anna"))
	wantCode(t, ask.Decide(message, nil), NeedsApproval, CodeApprovals)
}

// TestOneRule: the first rule that is for client and key decides, and one job can't mix
// two.
func TestOneRule(t *testing.T) {
	t.Parallel()
	p := parse(t, rules(fmt.Sprintf(`
[[rule]]
name = "tight"
clients = ["alice"]
keys = [%q]
kinds = ["psbt"]
destinations = [%q]
max_fee = ["1 BTC"]

[[rule]]
name = "loose"
clients = ["alice", "bob"]
keys = ["*"]
kinds = ["psbt", "raw"]
`, key0, shop)))
	ask := func(client string, keys ...string) *Ask {
		a := psbt("a", 5, out{to: thief, units: 5})
		a.Client, a.Roots = client, nil
		for _, k := range keys {
			a.Roots = append(a.Roots, intent.Root{ID: k})
		}
		return a
	}
	raw := func(a *Ask) *Ask {
		a.Intent = &intent.Intent{Kind: intent.Raw, Signatures: make([]intent.Signature, 1)}
		return a
	}
	for i, c := range []struct {
		ask        *Ask
		verdict    Verdict
		code, rule string
	}{
		{ask("alice", key0), Denied, CodeDestination, "tight"},
		{ask("alice", key1), Allowed, "", "loose"},
		{ask("bob", key0), Allowed, "", "loose"},
		{ask("alice", key0, key1), Denied, CodeTwoRules, ""},
		{ask("alice", key1, key0), Denied, CodeTwoRules, ""},
		{ask("bob", key1, key0), Allowed, "", "loose"},
		{ask("carol", key0), Denied, CodeNoRule, ""},
		{raw(ask("alice", key0)), Denied, CodeKind, "tight"},
		{raw(ask("alice", key1)), Allowed, "", "loose"},
	} {
		d := p.Decide(c.ask, nil)
		wantCode(t, d, c.verdict, c.code)
		if d.Rule != c.rule {
			t.Errorf("%d: rule %q, want %q", i, d.Rule, c.rule)
		}
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	file := func(when string) *Policy {
		return parse(t, plainRule("psbt", `destinations = ["`+shop+`"]`, `max_fee = ["1 BTC"]`, limitOf("1 BTC",
			"transaction"),
			"[rule.approvals]\nrequire = 2\nfrom = [\"anna\", \"ben\", \"carl\"]\n"+when)+approversOf("anna", "ben", "carl"))
	}
	above, outside, always := file(`above = ["10000 sat"]`), file("outside = true"), file("always = true")
	both := file("above = [\"10000 sat\"]\noutside = true")
	for _, c := range []struct {
		name     string
		p        *Policy
		to       string
		units    uint64
		approved []string
		verdict  Verdict
		code     string
		missing  int
	}{
		{"below", above, shop, 10_000, nil, Allowed, "", 0},
		{"above", above, shop, 10_001, nil, NeedsApproval, CodeApprovals, 2},
		{"one", above, shop, 10_001, []string{"ben"}, NeedsApproval, CodeApprovals, 1},
		{"one twice", above, shop, 10_001, []string{"ben", "ben"}, NeedsApproval, CodeApprovals, 1},
		{"one and a stranger", above, shop, 10_001, []string{"ben", "zoe"}, NeedsApproval, CodeApprovals, 1},
		{"two", above, shop, 10_001, []string{"carl", "ben"}, Allowed, "", 0},
		{"three", above, shop, 10_001, []string{"carl", "ben", "anna"}, Allowed, "", 0},
		{"outside is denied still", above, thief, 5, []string{"carl", "ben", "anna"}, Denied, CodeDestination, 0},
		{"outside", outside, thief, 5, nil, NeedsApproval, CodeApprovals, 2},
		{"outside, approved", outside, thief, 5, []string{"anna", "ben"}, Allowed, "", 0},
		{"inside", outside, shop, 5_000_000, nil, Allowed, "", 0},
		{"always", always, shop, 5, nil, NeedsApproval, CodeApprovals, 2},
		{"always, outside", always, thief, 5, []string{"anna", "ben"}, Denied, CodeDestination, 0},
		{"limits hold whoever approves", both, thief, 100_000_001, []string{"anna", "ben", "carl"}, Denied, CodeAboveLimit,
			0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ask := psbt("a", c.units, out{to: c.to, units: c.units})
			ask.Approved = c.approved
			d := c.p.Decide(ask, nil)
			wantCode(t, d, c.verdict, c.code)
			if d.Missing != c.missing {
				t.Errorf("%d are missing", d.Missing)
			}
			for _, name := range c.approved {
				if slices.Contains(d.From, name) {
					t.Errorf("%s is to approve again", name)
				}
			}
		})
	}
}

// TestKeysAreChargedEach: a limit for each key is charged to every key that signs, and no
// other.
func TestKeysAreChargedEach(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", limitOf("10000 sat", "day"), `scope = "key"`))
	ask := psbt("a", 6000, out{to: shop, units: 5000})
	ask.Roots = []intent.Root{{ID: key1}, {ID: key0}}
	ask.Intent.Signatures = append(ask.Intent.Signatures, ask.Intent.Signatures[0])
	d := p.Decide(ask, nil)
	if len(d.Charges) != 1 || d.Charges[0].Subject != key1 || d.Charges[0].Units != 6000 {
		t.Errorf("%+v", d.Charges)
	}
	ask.Intent.Signatures[1].Root = 1
	if d = p.Decide(ask, nil); len(d.Charges) != 2 {
		t.Errorf("%+v", d.Charges)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", `max_fee = ["1000 sat"]`, limitOf("0.001 BTC", "day")))
	l := fresh(p)
	ask := psbt("a", 60_000, out{to: shop, units: 10_000}, out{to: "mine", units: 49_500, path: derive.Path{1, 4}})
	d := p.Decide(ask, l)
	l.Charge(ask, &d)
	next := psbt("b", 90_000, out{to: shop, units: 89_600})
	d = p.Decide(next, l)
	var text strings.Builder
	e := p.Explain(next, &d, l)
	n, err := e.WriteTo(&text)
	if err != nil || int(n) != text.Len() {
		t.Fatal(n, err)
	}
	for _, want := range []string{"Denied", "limit_reached", "0.00089600 BTC to " + shop, "fee       0.000004 BTC",
		"alice used 0.000105 BTC, this job takes 0.0009 BTC"} {
		if !strings.Contains(text.String(), strings.Replace(want, "0.00089600", "0.000896", 1)) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}
