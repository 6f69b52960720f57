package solana

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// meaningOf puts payments and what is unclear into words, with names for addresses.
func meaningOf(in *intent.Intent) (words []string) {
	var names []string
	for _, n := range []string{"us", "us2", "payee", "mint", "other", "owner", "x"} {
		names = append(names, addressOf(n), n)
	}
	short := strings.NewReplacer(append(names, systemID, "System", TokenProgram, "Token", Token2022Program, "Token2022",
		ataID, "Associated", budgetID, "Budget")...)
	for _, p := range in.Payments {
		words = append(words, short.Replace(fmt.Sprintf("%d: %s %d to %s", p.At, p.Asset, p.Units, p.To)))
	}
	for _, u := range in.Unclear {
		listable := ""
		if u.Program != "" {
			listable = ", unless listed"
		}
		words = append(words, short.Replace(u.Reason)+listable)
	}
	if in.Nonce != "" {
		words = append(words, short.Replace("nonce "+in.Nonce))
	}
	return words
}

const unread = "which is not understood, or not in this form"

// seed is a string of bincode.
func seed(text string) []byte { return fields(uint64(len(text)), []byte(text)) }

func TestSystem(t *testing.T) {
	t.Parallel()
	owner := fields("x")
	call := func(kind uint32, accounts string, data ...any) callDraft {
		return callDraft{systemID, strings.Fields(accounts), fields(append([]any{kind}, data...)...)}
	}
	for name, test := range map[string]struct {
		calls []callDraft
		want  []string
	}{
		"transfer":                   {[]callDraft{call(2, "us payee", uint64(7))}, []string{"0: sol 7 to payee"}},
		"of nothing":                 {[]callDraft{call(2, "us payee", uint64(0))}, []string{"0: sol 0 to payee"}},
		"to oneself":                 {[]callDraft{call(2, "us us", uint64(7))}, []string{"0: sol 7 to us"}},
		"between ours":               {[]callDraft{call(2, "us us2", uint64(7))}, []string{"0: sol 7 to us2"}},
		"received":                   {[]callDraft{call(2, "other us", uint64(7))}, nil},
		"others'":                    {[]callDraft{call(2, "other payee", uint64(7))}, nil},
		"two":                        {[]callDraft{call(2, "us payee", uint64(7)), call(2, "us x", uint64(8))}, []string{"0: sol 7 to payee", "1: sol 8 to x"}},
		"a byte more":                {[]callDraft{call(2, "us payee", uint64(7), 0)}, []string{"is Transfer, " + unread}},
		"a byte less":                {[]callDraft{call(2, "us payee", uint32(7))}, []string{"is Transfer, " + unread}},
		"an account more":            {[]callDraft{call(2, "us payee x", uint64(7))}, []string{"is Transfer, " + unread}},
		"an account less":            {[]callDraft{call(2, "us", uint64(7))}, []string{"is Transfer, " + unread}},
		"no kind":                    {[]callDraft{{systemID, []string{"us"}, []byte{2, 0, 0}}}, []string{"is an instruction, " + unread}},
		"new kind":                   {[]callDraft{call(13, "us payee", uint64(7))}, []string{"is instruction number 13, " + unread}},
		"large kind":                 {[]callDraft{call(math.MaxUint32, "us payee")}, []string{"is instruction number 4294967295, " + unread}},
		"CreateAccount":              {[]callDraft{call(0, "us x", uint64(7), uint64(80), owner)}, []string{"0: sol 7 to x"}},
		"CreateAccount of ours":      {[]callDraft{call(0, "other us", uint64(7), uint64(80), owner)}, []string{"is CreateAccount, which hands a signer's own account to a program"}},
		"CreateAccount both ours":    {[]callDraft{call(0, "us us2", uint64(7), uint64(80), owner)}, []string{"is CreateAccount, which hands"}},
		"CreateAccount others'":      {[]callDraft{call(0, "other x", uint64(7), uint64(80), owner)}, nil},
		"CreateAccount long":         {[]callDraft{call(0, "us x", uint64(7), uint64(80), owner, 0)}, []string{"is CreateAccount, " + unread}},
		"Assign":                     {[]callDraft{call(1, "us", owner)}, []string{"is Assign, " + unread}},
		"Assign others'":             {[]callDraft{call(1, "other", owner)}, nil},
		"Allocate":                   {[]callDraft{call(8, "us", uint64(1))}, []string{"is Allocate, " + unread}},
		"AuthorizeNonceAccount":      {[]callDraft{call(7, "x us", owner)}, []string{"is AuthorizeNonceAccount, " + unread}},
		"InitializeNonceAccount":     {[]callDraft{call(6, "x", fields("us"))}, nil},
		"WithdrawNonceAccount":       {[]callDraft{call(5, "x payee mint owner us", uint64(7))}, []string{"0: sol 7 to payee"}},
		"WithdrawNonceAccount to us": {[]callDraft{call(5, "x us mint owner other", uint64(7))}, nil},
		"seed": {[]callDraft{call(3, "us x us2", fields("us2"), seed("s"), uint64(7), uint64(80), owner)},
			[]string{"0: sol 7 to x"}},
		"seed, one account less": {[]callDraft{call(3, "us x", fields("us"), seed(""), uint64(7), uint64(80), owner)},
			[]string{"0: sol 7 to x"}},
		"seed, base of ours": {[]callDraft{call(3, "other x us", fields("us"), seed("s"), uint64(7), uint64(80), owner)},
			[]string{"is CreateAccountWithSeed, " + unread}},
		"seed too long": {[]callDraft{call(3, "us x us", fields("us"), uint64(math.MaxUint64), uint64(7), uint64(80), owner)},
			[]string{"is CreateAccountWithSeed, " + unread}},
		"TransferWithSeed": {[]callDraft{call(11, "x us payee", uint64(7), seed("seed"), owner)},
			[]string{"0: sol 7 to payee"}},
		"TransferWithSeed, longer": {[]callDraft{call(11, "x us payee", uint64(7), seed("seed"), owner, 1)},
			[]string{"is TransferWithSeed, " + unread}},
		"nonce": {[]callDraft{call(4, "x mint us"), call(2, "us payee", uint64(7))},
			[]string{"1: sol 7 to payee", "nonce x"}},
		"nonce of others":    {[]callDraft{call(4, "x mint other")}, []string{"nonce x"}},
		"nonce second":       {[]callDraft{call(2, "us payee", uint64(7)), call(4, "x mint other")}, []string{"0: sol 7 to payee", "is AdvanceNonceAccount, which has to come first"}},
		"two nonces":         {[]callDraft{call(4, "x mint us"), call(4, "owner mint us")}, []string{"1, of System, is AdvanceNonceAccount, which has to come first, and once", "nonce x"}},
		"nonce, longer":      {[]callDraft{call(4, "x mint other", 0)}, []string{"is AdvanceNonceAccount, " + unread}},
		"nonce, no accounts": {[]callDraft{call(4, "")}, []string{"is AdvanceNonceAccount, " + unread}},
		"hidden payee":       {[]callDraft{transferOf("us", "lookup0", 7)}, []string{"is Transfer, with an account behind a lookup table"}},
		"hidden, others'":    {[]callDraft{transferOf("other", "lookup0", 7)}, nil},
		"hidden nonce":       {[]callDraft{call(4, "lookup1 mint other")}, []string{"is AdvanceNonceAccount, with an account behind a lookup table"}},
		"hidden new account": {[]callDraft{call(0, "us lookup1", uint64(7), uint64(80), owner)}, []string{"is CreateAccount, with an account behind"}},
	} {
		t.Run(name, func(t *testing.T) { checkMeaning(t, test.calls, test.want) })
	}
}

// checkMeaning compares what calls mean for us and us2, who don't pay the fee, with words
// that each must have.
func checkMeaning(t *testing.T, calls []callDraft, want []string) {
	t.Helper()
	d := draft{version0: true, signers: []string{"other", "us", "us2"}, calls: calls, lookups: 2}
	in := mustRead(t, d.bytes(), "us", "us2").Intent()
	got := meaningOf(in)
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
	left := map[string]uint64{}
	for _, p := range in.Payments {
		left[p.Asset] += p.Units
	}
	for _, a := range in.Outflow {
		if left[a.Asset] != a.Units {
			t.Errorf("outflow of %s is %d and not %d", a.Asset, a.Units, left[a.Asset])
		}
		delete(left, a.Asset)
	}
	if len(left) > 0 || in.Fee != 0 {
		t.Errorf("%v is no outflow; fee %d", left, in.Fee)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	const four = "x mint owner us"
	associatedOf := func(program, mint string) string {
		a, err := AssociatedAccount(addressOf("payee"), program, addressOf(mint))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ata, ata2022, foreign := associatedOf(TokenProgram, "mint"), associatedOf(Token2022Program, "mint"), associatedOf(TokenProgram, "other")
	call := func(program, accounts string, data ...any) callDraft {
		return callDraft{program, strings.Fields(accounts), fields(data...)}
	}
	checked := func(accounts string, units int) callDraft {
		return call(TokenProgram, accounts, 12, uint64(units), 6)
	}
	made := func(funder, account, program string, data ...any) callDraft {
		return call(ataID, strings.Join([]string{funder, account, "payee mint", systemID, program}, " "), data...)
	}
	const rent, rent2022 = "sol 2039280", "sol 2248080"
	for name, test := range map[string]struct {
		calls []callDraft
		want  []string
	}{
		"TransferChecked":       {[]callDraft{checked(four, 7)}, []string{"0: spl:mint 7 to account:owner"}},
		"others'":               {[]callDraft{checked("x mint owner other", 7)}, nil},
		"a signer more":         {[]callDraft{checked(four+" us2", 7)}, []string{"is TransferChecked, " + unread}},
		"multisig":              {[]callDraft{checked("x mint owner other us", 7)}, []string{"is TransferChecked, " + unread}},
		"we are the source":     {[]callDraft{checked("us mint owner other", 7)}, []string{"is TransferChecked, " + unread}},
		"an account less":       {[]callDraft{checked("x owner us", 7)}, []string{"is TransferChecked, " + unread}},
		"a byte more":           {[]callDraft{call(TokenProgram, four, 12, uint64(7), 6, 0)}, []string{"is an instruction on tokens, " + unread}},
		"a byte less":           {[]callDraft{call(TokenProgram, four, 12, uint64(7))}, []string{"is an instruction on tokens, " + unread}},
		"no data":               {[]callDraft{call(TokenProgram, four)}, []string{"is an instruction on tokens, " + unread}},
		"Transfer":              {[]callDraft{call(TokenProgram, "x owner us", 3, uint64(7))}, []string{"is Transfer, which doesn't say of which token"}},
		"Transfer, others'":     {[]callDraft{call(TokenProgram, "x owner other", 3, uint64(7))}, nil},
		"Approve":               {[]callDraft{call(TokenProgram, "x owner us", 4, uint64(7))}, []string{"is an instruction on tokens, " + unread}},
		"SetAuthority":          {[]callDraft{call(TokenProgram, "x us", 6, 2, 1, fields("x"))}, []string{"is an instruction on tokens, " + unread}},
		"CloseAccount":          {[]callDraft{call(TokenProgram, "x us us", 9)}, []string{"is an instruction on tokens, " + unread}},
		"Batch":                 {[]callDraft{call(TokenProgram, four, 255, 4, 10, 12, uint64(7), 6)}, []string{"is an instruction on tokens, " + unread}},
		"SyncNative":            {[]callDraft{call(TokenProgram, "x", 17)}, nil},
		"Token-2022":            {[]callDraft{call(Token2022Program, four, 12, uint64(7), 6)}, []string{"0: spl:mint 7 to account:owner"}},
		"with a fee":            {[]callDraft{call(Token2022Program, four, 26, 1, uint64(7), 6, uint64(1))}, []string{"0: spl:mint 7 to account:owner"}},
		"a fee of SPL Token":    {[]callDraft{call(TokenProgram, four, 26, 1, uint64(7), 6, uint64(1))}, []string{"is an instruction on tokens, " + unread}},
		"other fee instruction": {[]callDraft{call(Token2022Program, four, 26, 2, uint64(7), 6, uint64(1))}, []string{"is an instruction on tokens, " + unread}},
		"hook":                  {[]callDraft{call(Token2022Program, four+" payee", 12, uint64(7), 6)}, []string{"is TransferChecked, " + unread}},
		"confidential":          {[]callDraft{call(Token2022Program, four, 27, 7)}, []string{"is an instruction on tokens, " + unread}},
		"hidden mint":           {[]callDraft{checked("x lookup0 owner us", 7)}, []string{"is TransferChecked, with an account behind a lookup table"}},
		"hidden payee":          {[]callDraft{checked("x mint lookup1 us", 7)}, []string{"is TransferChecked, with an account behind a lookup table"}},
		"made":                  {[]callDraft{made("us", ata, TokenProgram)}, []string{"0: " + rent + " to payee"}},
		"made, Create":          {[]callDraft{made("us", ata, TokenProgram, 0)}, []string{"0: " + rent + " to payee"}},
		"made and paid": {[]callDraft{made("us", ata, TokenProgram, 1), checked("x mint "+ata+" us", 7)},
			[]string{"0: " + rent + " to payee", "1: spl:mint 7 to payee"}},
		"paid and made by another": {[]callDraft{checked("x mint "+ata+" us", 7), made("other", ata, TokenProgram, 1)},
			[]string{"0: spl:mint 7 to payee"}},
		"made of Token-2022": {[]callDraft{made("us", ata2022, Token2022Program, 1)}, []string{"0: " + rent2022 + " to payee"}},
		"made for another mint": {[]callDraft{call(ataID, strings.Join([]string{"other", foreign, "payee other", systemID, TokenProgram}, " "), 1),
			checked("x mint "+foreign+" us", 7)}, []string{"1: spl:mint 7 to account:" + foreign}},
		"made, not its address": {[]callDraft{made("us", "x", TokenProgram, 1), checked("x mint x us", 7)},
			[]string{"1: spl:mint 7 to account:x", "is an instruction on an associated account, " + unread}},
		"made, other program's address": {[]callDraft{made("us", ata2022, TokenProgram, 1)}, []string{"is an instruction on an associated account"}},
		"made by no token program":      {[]callDraft{made("us", ata, "x", 1)}, []string{"is an instruction on an associated account"}},
		"made, hidden":                  {[]callDraft{made("us", "lookup0", TokenProgram, 1)}, []string{"with an account behind a lookup table"}},
		"made, kind 2":                  {[]callDraft{made("us", ata, TokenProgram, 2)}, []string{"is an instruction on an associated account"}},
		"made, longer":                  {[]callDraft{made("us", ata, TokenProgram, 1, 0)}, []string{"is an instruction on an associated account"}},
		"made of old": {[]callDraft{call(ataID, strings.Join([]string{"us", ata, "payee mint", systemID, TokenProgram,
			"SysvarRent111111111111111111111111111111111"}, " "))}, []string{"0: " + rent + " to payee"}},
		"made of old, not the sysvar": {[]callDraft{call(ataID, strings.Join([]string{"us", ata, "payee mint", systemID, TokenProgram, "x"}, " "))},
			[]string{"is an instruction on an associated account"}},
		"few accounts":       {[]callDraft{call(ataID, "us", 1)}, []string{"is an instruction on an associated account"}},
		"others' associated": {[]callDraft{call(ataID, "other", 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) { checkMeaning(t, test.calls, test.want) })
	}
}

func TestOtherPrograms(t *testing.T) {
	t.Parallel()
	unknown := func(accounts ...string) []callDraft { return []callDraft{{"x", accounts, []byte{1, 2, 3}}} }
	for name, test := range map[string]struct {
		calls []callDraft
		want  []string
	}{
		"unknown":            {unknown("us"), []string{"instruction 0 calls program x, which is not known, with a signer of the client's, unless listed"}},
		"unknown, hidden":    {unknown("us2", "lookup0"), []string{"is not known, with a signer of the client's, unless listed"}},
		"without us":         {unknown("other", "lookup1"), nil},
		"without accounts":   {unknown(), nil},
		"memo":               {[]callDraft{{memoID, []string{"us", "lookup0"}, []byte("hello")}}, nil},
		"memo of old":        {[]callDraft{{"Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo", nil, []byte("hello")}}, nil},
		"Ed25519 signature":  {[]callDraft{{"Ed25519SigVerify111111111111111111111111111", nil, []byte{1, 0}}}, []string{"for fees that are not counted"}},
		"secp256k1":          {[]callDraft{{"KeccakSecp256k11111111111111111111111111111", nil, []byte{1}}}, []string{"for fees that are not counted"}},
		"secp256r1":          {[]callDraft{{"Secp256r1SigVerify1111111111111111111111111", nil, []byte{1}}}, []string{"for fees that are not counted"}},
		"stake program":      {[]callDraft{{"Stake11111111111111111111111111111111111111", []string{"x", "us"}, fields(uint32(5))}}, []string{"is not known, with a signer of the client's, unless listed"}},
		"we are the program": {[]callDraft{{"us", nil, nil}}, nil},
	} {
		t.Run(name, func(t *testing.T) { checkMeaning(t, test.calls, test.want) })
	}
}

// What a transaction pays for priority, at most.
func TestFee(t *testing.T) {
	t.Parallel()
	limit := func(units int) callDraft { return callDraft{budgetID, nil, fields(2, uint32(units))} }
	price := func(p uint64) callDraft { return callDraft{budgetID, nil, fields(3, p)} }
	pay, memo := transferOf("us", "payee", 1), callDraft{memoID, nil, nil}
	bad := "of Budget, is an instruction, " + unread
	for name, test := range map[string]struct {
		calls []callDraft
		fee   uint64
		words string
	}{
		"none":              {nil, 0, ""},
		"limit only":        {[]callDraft{limit(1000), pay}, 0, ""},
		"rounded up":        {[]callDraft{limit(1), price(1), pay}, 1, ""},
		"exact":             {[]callDraft{price(1_000_000), limit(17), pay}, 17, ""},
		"limit of nothing":  {[]callDraft{price(1_000_000), limit(0), pay}, 0, ""},
		"above what may be": {[]callDraft{price(1_000_000), limit(2_000_000), pay}, 1_400_000, ""},
		"no limit":          {[]callDraft{price(1_000_000), pay, memo}, 403_000, ""},
		"no limit, many":    {[]callDraft{price(1_000_000), pay, memo, memo, memo, memo, memo, memo}, 1_400_000, ""},
		"the highest price": {[]callDraft{price(math.MaxUint64), limit(1_000), pay}, 18_446_744_073_709_552, ""},
		"heap and data":     {[]callDraft{{budgetID, nil, fields(1, uint32(65536))}, {budgetID, nil, fields(4, uint32(1))}}, 0, ""},
		"a byte more":       {[]callDraft{{budgetID, nil, fields(3, uint64(1), 0)}}, 0, bad},
		"a byte less":       {[]callDraft{{budgetID, nil, fields(2, 1)}}, 0, bad},
		"an account":        {[]callDraft{{budgetID, []string{"us"}, fields(2, uint32(1))}}, 0, bad},
		"kind 0":            {[]callDraft{{budgetID, nil, fields(0, uint32(1))}}, 0, bad},
		"kind 5":            {[]callDraft{{budgetID, nil, fields(5, uint32(1))}}, 0, bad},
		"no data":           {[]callDraft{{budgetID, nil, nil}}, 0, bad},
		"price twice":       {[]callDraft{price(5_000_000), limit(1), price(0)}, 5, "sets the same limit or price for a second time"},
	} {
		t.Run(name, func(t *testing.T) {
			in := mustRead(t, draft{signers: []string{"us", "other"}, calls: test.calls}.bytes(), "us").Intent()
			if in.Fee != 10_000+test.fee {
				t.Errorf("fee %d, want %d", in.Fee, 10_000+test.fee)
			}
			words := meaningOf(in)
			if got := strings.Join(words[len(in.Payments):], " "); !strings.Contains(got, test.words) || got != "" && test.words == "" {
				t.Errorf("%q, want %q", got, test.words)
			}
			if last := in.Outflow[len(in.Outflow)-1]; last.Asset != "sol" || last.Units != in.Fee+uint64(len(in.Payments)) {
				t.Errorf("outflow %v", in.Outflow)
			}
			foreign := mustRead(t, draft{signers: []string{"other", "us"}, calls: test.calls}.bytes(), "us").Intent()
			if foreign.Fee != 0 || !slices.EqualFunc(foreign.Payments, foreign.Outflow, func(p intent.Payment, o intent.Amount) bool { return p.Amount == o }) {
				t.Errorf("another pays the fee: %+v", foreign)
			}
		})
	}
}

// More than there can be is no transaction.
func TestOverflow(t *testing.T) {
	t.Parallel()
	all := transferOf("us", "payee", math.MaxUint64)
	price := callDraft{budgetID, nil, fields(3, uint64(math.MaxUint64))}
	token := callDraft{TokenProgram, []string{"x", "mint", "owner", "us"}, fields(12, uint64(math.MaxUint64), 6)}
	for name, calls := range map[string][]callDraft{
		"two payments":         {all, all},
		"a payment and a fee":  {all},
		"a price":              {price, {budgetID, nil, fields(2, uint32(1_400_000))}},
		"a price and payments": {price, {budgetID, nil, fields(2, uint32(900_000))}, transferOf("us", "payee", math.MaxUint64/2)},
		"tokens":               {token, token},
	} {
		t.Run(name, func(t *testing.T) {
			_, refusal := read(draft{signers: []string{"us"}, calls: calls}.bytes(), "us")
			if refusal == nil || refusal.Code != intent.BadTransaction || !strings.Contains(refusal.Reason, "2^64-1") {
				t.Errorf("%v", refusal)
			}
		})
	}
	mustRead(t, draft{signers: []string{"us"}, calls: []callDraft{token, all, transferOf("other", "us", math.MaxUint64)}[:1]}.bytes(), "us")
}

// Sentences are one line, and programs are listed once.
func TestWords(t *testing.T) {
	t.Parallel()
	in := mustRead(t, draft{signers: []string{"us"}, calls: []callDraft{
		{"x", []string{"us"}, nil}, transferOf("us", "payee", 1), {"x", nil, nil}}}.bytes(), "us").Intent()
	if want := []string{addressOf("x"), systemID}; !slices.Equal(in.Programs, want) {
		t.Errorf("programs %v", in.Programs)
	}
	for _, u := range in.Unclear {
		if bytes.ContainsAny([]byte(u.Reason), "\n\r\t") || u.At != 0 || u.Code != intent.NotUnderstood {
			t.Errorf("%+v", u)
		}
	}
}
