package solana

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// replaced returns raw with the bytes at an offset replaced, which need not be as many.
func replaced(raw []byte, at, cut int, with ...byte) []byte {
	return slices.Concat(raw[:at], with, raw[at+cut:])
}

// Encodings that no validator takes, or of which there is another for the same meaning.
func TestBadTransactions(t *testing.T) {
	t.Parallel()
	// 1 signature, header at 65, 3 keys from 69 (us, payee, System), blockhash at 165, one
	// instruction at 197: count, program, 2 accounts, 12 bytes of data
	pays := []callDraft{transferOf("us", "payee", 5)}
	good := draft{signers: []string{"us"}, calls: pays}.bytes()
	v0 := draft{version0: true, signers: []string{"us"}, lookups: 2, calls: pays}.bytes()
	two := draft{signers: []string{"us", "us2"}, readonly: 1, calls: pays}.bytes()
	for _, raw := range [][]byte{good, v0, two} {
		mustRead(t, raw, "us")
	}
	signatures2 := slices.Concat([]byte{2}, make([]byte, 128))
	us, tables := keyOf("us"), len(v0)-37 // the tables' number, one table: key, 2 indexes, none
	many := draft{version0: true, signers: []string{"us"}, lookups: 253, calls: pays}
	mustRead(t, many.bytes(), "us")
	many.lookups++
	large := draft{signers: []string{"us"}, calls: []callDraft{{memoID, nil, make([]byte, MaxSize-170)}}}
	mustRead(t, large.bytes(), "us")
	large.calls[0].data = make([]byte, MaxSize-169)
	for name, test := range map[string]struct {
		raw  []byte
		says string
	}{
		"empty":                     {nil, "ends within the number of signatures"},
		"the message alone":         {good[65:], ""},
		"too large":                 {large.bytes(), "it has 1233 bytes, more than 1232"},
		"a byte more":               {append(bytes.Clone(good), 0), "1 bytes follow its end"},
		"a byte more, v0":           {append(bytes.Clone(v0), 0), "1 bytes follow its end"},
		"our key twice":             {replaced(good, 101, 32, us[:]...), address(us) + ", is there twice"},
		"another key twice":         {replaced(good, 101, 32, good[133:165]...), "account 2, "},
		"no signer":                 {replaced(replaced(good, 0, 65, 0), 1, 1, 0), "no writable signer"},
		"the fee payer is readonly": {replaced(good, 66, 1, 1), "no writable signer"},
		"all signers readonly":      {replaced(two, 130, 1, 2), "no writable signer"},
		"header counts too many":    {replaced(good, 67, 1, 3), "counts more accounts than it has"},
		"more signers than keys":    {replaced(good, 65, 1, 4), "counts more accounts than it has"},
		"fewer signatures":          {replaced(good, 65, 1, 2), "room for 1 signatures and asks for 2"},
		"more signatures":           {replaced(good, 0, 65, signatures2...), "room for 2 signatures"},
		"the payer is a program":    {replaced(good, 198, 1, 0), "instruction 0 calls account 0"},
		"no such program":           {replaced(good, 198, 1, 3), "instruction 0 calls account 3"},
		"program behind a table":    {replaced(v0, 199, 1, 3), "instruction 0 calls account 3"},
		"no such account":           {replaced(good, 201, 1, 3), "instruction 0 names account 3 of 3"},
		"no such account, v0":       {replaced(v0, 202, 1, 5), "instruction 0 names account 5 of 5"},
		"signatures' number, long":  {replaced(good, 0, 1, 0x81, 0), "not a compact-u16"},
		"accounts' number, long":    {replaced(good, 68, 1, 0x83, 0), "not a compact-u16"},
		"accounts' number, longest": {replaced(good, 68, 1, 0x83, 0x80, 0), "not a compact-u16"},
		"accounts' number, 4 bytes": {replaced(good, 68, 1, 0x83, 0x80, 0x80, 0), "not a compact-u16"},
		"accounts' number, 2^16":    {replaced(good, 68, 1, 0x80, 0x80, 0x04), "not a compact-u16"},
		"accounts' number, 2^16-1":  {replaced(good, 68, 1, 0xff, 0xff, 0x03), "ends within the accounts"},
		"instructions, long":        {replaced(good, 197, 1, 0x81, 0), "not a compact-u16"},
		"data's length, long":       {replaced(good, 202, 1, 0x8c, 0), "not a compact-u16"},
		"version 1":                 {replaced(v0, 65, 1, 0x81), "it is of version 1: legacy and 0 are read"},
		"version 127":               {replaced(v0, 65, 1, 0xff), "it is of version 127"},
		"tables' number, long":      {replaced(v0, tables, 1, 0x81, 0), "not a compact-u16"},
		"a table yields nothing":    {replaced(v0, tables+33, 3, 0), "lookup table 0 yields no account"},
		"more than 256 accounts":    {many.bytes(), "257 accounts, more than 256"},
		"message of version 1":      {version1(t)[0], ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, refusal := read(test.raw, "us")
			if refusal == nil || refusal.Code != intent.BadTransaction || refusal.At != -1 ||
				!strings.Contains(refusal.Reason, test.says) {
				t.Errorf("%v, want %q", refusal, test.says)
			}
		})
	}
	for _, raw := range [][]byte{good, v0, two} {
		for i := range raw {
			if _, refusal := read(raw[:i], "us"); refusal == nil || refusal.Code != intent.BadTransaction {
				t.Errorf("%d of %d bytes: %v", i, len(raw), refusal)
			}
		}
	}
}

func TestSigners(t *testing.T) {
	t.Parallel()
	good := draft{signers: []string{"us", "us2"}}.bytes()
	if n, err := Signers(good); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for i, bad := range [][]byte{nil, {0}, {1}, good[:128], good[:129], {0x81, 0}, {0, 1}, make([]byte, MaxSize+1)} {
		if n, err := Signers(bad); n != 0 || err == nil {
			t.Errorf("%d: %d, %v", i, n, err)
		}
	}
}

// version1 is messages of version 1 that solders 0.29.0 made: a transfer, and one with fees.
func version1(t *testing.T) (messages [][]byte) {
	t.Helper()
	const keys = "5a3bf7f5d197bfbb61e7197f2010506779965a1c334721c865825885e89e81b7" +
		"22d4aa11838b860ef5b5ebb4ec22d9461c109f63e0ea41bd142e4f5c0bf3dc55"
	zeros, call := strings.Repeat("00", 32), "02020c000001020000000500000000000000"
	for _, text := range []string{
		"8101000100000000" + zeros + "0103" + keys + zeros + call,
		"8101000107000000" + zeros + "0103" + keys + zeros + "0700000000000000e0930400" + call,
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, b)
	}
	return messages
}

// Whatever a validator could execute looks like a transaction, and little else does.
func TestLooksAlike(t *testing.T) {
	t.Parallel()
	v1 := version1(t)
	twice := draft{signers: []string{"us"}, calls: []callDraft{transferOf("us", "payee", 5)}}.bytes()
	copy(twice[101:], twice[69:101]) // it is never executed, but better safe
	for i, message := range append(v1, twice[65:]) {
		if !looksLikeTransaction(message) {
			t.Errorf("%d looks like no transaction", i)
		}
		end := len(message)
		for _, near := range [][]byte{message[:end-1], replaced(message, end, 0, 0), replaced(message, 0, 1, 0xff)} {
			if looksLikeTransaction(near) {
				t.Errorf("%d: %x looks like a transaction", i, near)
			}
		}
	}
	for _, text := range []string{
		"", "\x80", "Hello", strings.Repeat("x", 4096), "Привет, мир", strings.Repeat("\x81", 200)} {
		if looksLikeTransaction([]byte(text)) {
			t.Errorf("%.20q looks like a transaction", text)
		}
	}
	for i := range 256 { // a digest is too short to be one
		if looksLikeTransaction(bytes.Repeat([]byte{byte(i)}, 32)) {
			t.Errorf("a digest of %d looks like a transaction", i)
		}
	}
}

// An instruction more than a person was shown is accounted for, wherever it hides.
func TestHiddenPayment(t *testing.T) {
	t.Parallel()
	shown, hidden := transferOf("us", "payee", 1), transferOf("us", "x", 1000)
	for at := range 3 {
		calls := slices.Insert([]callDraft{shown, {memoID, []string{"us"}, []byte("thank you")}}, at, hidden)
		in := mustRead(t, draft{signers: []string{"us"}, calls: calls}.bytes(), "us").Intent()
		words := fmt.Sprint(meaningOf(in))
		if !strings.Contains(words, fmt.Sprintf("%d: sol 1000 to x", at)) || in.Outflow[0].Units != 6001 {
			t.Errorf("%s, outflow %v", words, in.Outflow)
		}
	}
}
