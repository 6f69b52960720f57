package solana

import (
	"bytes"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

var mutations = flag.Int("mutations", 5000, "how many mutated transactions are read")

// checkReading reads a transaction in both ways, and says whether it is one. A transaction
// whose meaning is another must have another message.
func checkReading(t *testing.T, raw []byte) bool {
	t.Helper()
	ours := []string{"us"}
	if again := readAgain(raw, addressOf("us"), addressOf("us2")); again != nil {
		ours = append(ours, "us2")
	}
	tx, refusal := read(raw, ours...)
	addresses := []string{}
	for _, o := range ours {
		addresses = append(addresses, addressOf(o))
	}
	again := readAgain(raw, addresses...)
	if (refusal == nil) != (again != nil) {
		t.Fatalf("%x: %v, and the second reading %v", raw, refusal, again)
	}
	if refusal != nil {
		return false
	}
	in := tx.Intent()
	if d := again.differs(in); d != "" {
		t.Fatalf("%x: %s", raw, d)
	}
	if n, err := Signers(raw); err != nil || n != in.Foreign+len(in.Signatures) {
		t.Fatalf("%x: %d signers, %v", raw, n, err)
	}
	signatures := make([][]byte, len(in.Signatures))
	want := bytes.Clone(raw)
	for i, s := range in.Signatures {
		if !bytes.HasSuffix(raw, s.Message) || !looksLikeTransaction(s.Message) {
			t.Fatalf("%x: what is signed is not its message", raw)
		}
		signatures[i] = bytes.Repeat([]byte{byte(i + 1)}, 64)
		copy(want[1+64*s.At:], signatures[i])
	}
	if done, err := tx.Finish(signatures, true); err != nil || !bytes.Equal(done.Transaction, want) {
		t.Fatalf("%x: finished %x, %v", raw, done.Transaction, err)
	}
	return true
}

// Transactions that are mutated, and such as are put together at random, mean what a second
// reading says, or are refused by both.
func TestMutations(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(14, 23))
	transactions, _ := web3js(t)
	var corpus [][]byte
	for _, what := range slices.Sorted(maps.Keys(transactions)) {
		corpus = append(corpus, transactions[what])
	}
	read, unclear := 0, 0
	for i := range *mutations {
		raw := corpus[rng.IntN(len(corpus))]
		if i%2 == 0 {
			raw = randomDraft(rng).bytes()
		}
		for range rng.IntN(4) {
			raw = mutate(rng, raw, corpus)
		}
		if checkReading(t, raw) {
			read++
			if tx, _ := ReadTransaction(raw, roots("us"), newCache()); len(tx.Intent().Unclear) > 0 {
				unclear++
			}
		}
	}
	t.Logf("%d mutations: %d transactions, %d of them unclear", *mutations, read, unclear)
	if read < *mutations/4 || unclear < read/10 || unclear > read*9/10 {
		t.Error("too few of one kind to say anything")
	}
}

// mutate changes a transaction in one place.
func mutate(rng *rand.Rand, raw []byte, corpus [][]byte) []byte {
	raw = bytes.Clone(raw)
	if len(raw) == 0 {
		return raw
	}
	at := rng.IntN(len(raw))
	if rng.IntN(2) == 0 { // behind the signatures more is at stake
		at = min(len(raw)-1, 65) + rng.IntN(len(raw)-min(len(raw)-1, 65))
	}
	switch rng.IntN(8) {
	case 0:
		raw[at] ^= 1 << rng.IntN(8)
	case 1:
		raw[at] = byte(rng.Uint32())
	case 2:
		raw[at] = byte(rng.IntN(6))
	case 3:
		return raw[:at]
	case 4:
		return slices.Insert(raw, at, make([]byte, 1+rng.IntN(3))...)
	case 5:
		return slices.Delete(raw, at, min(len(raw), at+1+rng.IntN(3)))
	case 6: // a key or so from elsewhere
		other := append(corpus[rng.IntN(len(corpus))][65:], raw...)
		from := rng.IntN(len(other))
		copy(raw[at:], other[from:min(len(other), from+32)])
	case 7: // an instruction's end twice
		raw = append(raw, raw[max(0, len(raw)-17):]...)
	}
	return raw
}

// randomDraft puts together a transaction that is one, of calls that are more or less right.
func randomDraft(rng *rand.Rand) draft {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	d := draft{signers: []string{"us", "other"}, version0: rng.IntN(2) == 0}
	if rng.IntN(2) == 0 {
		d.signers = []string{"other", "us2", "us"}
	}
	people := []string{"us", "us", "us2", "other", "payee", "mint", "x", "owner"}
	if d.version0 && rng.IntN(3) == 0 {
		d.lookups = 2
		people = append(people, "lookup0", "lookup1")
	}
	data := [][]byte{
		fields(uint32(2), rng.Uint64N(1e12)), fields(uint32(0), rng.Uint64N(1e12), uint64(80), "x"), fields(uint32(4)),
		fields(uint32(3), "us", seed("abc"), rng.Uint64N(100), uint64(80), "x"), fields(uint32(5), rng.Uint64N(100)),
		fields(uint32(11), rng.Uint64N(100), seed("abc"), "x"), fields(uint32(rng.IntN(14))), fields(rng.IntN(3)), {},
		fields(12, rng.Uint64N(1e12), 6), fields(26, 1, rng.Uint64N(1e12), 6, uint64(1)), fields(3, rng.Uint64N(1e12)),
		fields(2, uint32(rng.IntN(2e6))), fields(3, rng.Uint64()),
	}
	accounts := map[string][2]int{systemID: {1, 5}, TokenProgram: {3, 5}, Token2022Program: {4, 5}, budgetID: {0, 1}}
	for range rng.IntN(5) {
		c := callDraft{program: pick(systemID, systemID, TokenProgram, Token2022Program, budgetID, ataID, memoID, "x"),
			data: data[rng.IntN(len(data))]}
		if c.program == ataID {
			program, owner := pick(TokenProgram, Token2022Program), pick("payee", "us", "x")
			account, err := AssociatedAccount(addressOf(owner), program, addressOf("mint"))
			if err != nil {
				panic(err)
			}
			people = append(people, account)
			c.accounts = []string{pick("us", "us2", "other"), account, owner, "mint", systemID, program}
			c.data = fields(rng.IntN(3))
		}
		span, ok := accounts[c.program]
		for ok && len(c.accounts) < span[0]+rng.IntN(span[1]-span[0]) {
			c.accounts = append(c.accounts, people[rng.IntN(len(people))])
		}
		switch { // most of them in their form
		case c.program == systemID && rng.IntN(4) > 0:
			c.accounts, c.data = []string{pick(people...), pick(people...)}, data[rng.IntN(2)]
		case (c.program == TokenProgram || c.program == Token2022Program) && rng.IntN(4) > 0:
			c.accounts, c.data = []string{"x", "mint", people[len(people)-1], pick(people...)}, data[9]
		case c.program == budgetID && rng.IntN(4) > 0:
			c.accounts, c.data = nil, data[12+rng.IntN(2)]
		case c.program == "x":
			c.accounts = []string{pick(people...)}
		}
		d.calls = append(d.calls, c)
	}
	return d
}

// FuzzTransaction looks for bytes whose two readings differ.
func FuzzTransaction(f *testing.F) {
	transactions, _ := web3js(f)
	for _, raw := range transactions {
		f.Add(raw)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add(randomDraft(rng).bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkReading(t, raw) })
}

// FuzzMessage looks for a text whose off-chain message is something else as well.
func FuzzMessage(f *testing.F) {
	f.Add("Hello")
	f.Add("Grüße\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, refusal := ReadMessage(text, rootOf("us"), newCache())
		if refusal != nil {
			return
		}
		message := m.Intent().Signatures[0].Message
		if !bytes.HasSuffix(message, fields("us", len(text), len(text)>>8, []byte(text))) ||
			looksLikeTransaction(message) || message[0] != 0xff {
			t.Errorf("%q: %x", text, message)
		}
	})
}
