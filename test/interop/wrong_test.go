package interop_test

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Programs that notice.
const (
	every    = "bitcoinjs scure embit bdk"
	deriving = "bitcoinjs scure embit" // from key and chain code; BDK has the descriptor alone
	reading  = "embit bdk"             // descriptors
	both     = "solana solders"
)

// mistake is a small one in what a program is asked, which it must notice.
type mistake struct {
	name   string
	change func(*question)
	by     string // programs, with spaces between
}

// addressMistakes are in an account's addresses and keys. Texts are encoded anew: no
// checksum gives them away, except where that is the mistake.
func addressMistakes(other question) map[string][]mistake {
	near := func(q *question) *string { return &q.Runs[0].Addresses[3] }
	swap := func(q *question) { a := q.Runs[0].Addresses; a[3], a[4] = a[4], a[3] }
	far := func(q *question) *string { return &q.Runs[1].Addresses[3] }
	return map[string][]mistake{
		wire.Bitcoin: {
			{"one bit of an output key", func(q *question) { flipBech32(near(q)) }, every},
			{"one bit of an output key far off", func(q *question) { flipBech32(far(q)) }, every},
			{"a digit of an address", func(q *question) { *near(q) = flipText(*near(q)) }, every},
			{"two addresses for each other", swap, every},
			{"the other branch", func(q *question) { q.Runs[0].Branch ^= 1 }, every},
			{"an index too far", func(q *question) { q.Runs[0].First++ }, every},
			{"an address of another network", func(q *question) { *near(q) = otherNetwork(*near(q)) }, every},
			{"one bit of the xpub's chain code", func(q *question) { q.Xpub = flipXpub(q.Xpub) }, every},
			{"the xpub of another key", func(q *question) { q.Xpub = other.Xpub }, every},
			{"one bit of the descriptor's chain code", func(q *question) { flipDescriptor(&q.Descriptor) }, reading},
			{"the descriptor of another key", func(q *question) { q.Descriptor = other.Descriptor }, reading},
			{"a digit of the descriptor's checksum", func(q *question) { q.Descriptor = flipText(q.Descriptor) },
				reading},
			{"receive for change", func(q *question) { q.Receive, q.Change = q.Change, q.Receive }, reading},
			{"another key", func(q *question) { q.PublicKey = other.PublicKey }, deriving},
			{"one bit of the chain code", func(q *question) { q.ChainCode = flipHex(q.ChainCode) }, deriving},
			{"another account", func(q *question) { q.Account = "6" }, deriving},
		},
		wire.Solana: {
			{"one bit of an address", func(q *question) { flipBase58(near(q)) }, both},
			{"one bit of an address far off", func(q *question) { flipBase58(far(q)) }, both},
			{"two addresses for each other", swap, both},
			{"the other branch", func(q *question) { q.Runs[0].Branch ^= 1 }, "solana"},
			{"another key", func(q *question) { q.PublicKey = other.PublicKey }, "solana"},
			{"one bit of the chain code", func(q *question) { q.ChainCode = flipHex(q.ChainCode) }, "solana"},
			{"another account", func(q *question) { q.Account = "6" }, "solana"},
		},
	}
}

// signatureMistakes are in a child's signature.
var signatureMistakes = map[string][]mistake{
	wire.Bitcoin: {
		{"one bit of R", func(q *question) { q.Signature = flipHex(q.Signature) }, deriving},
		{"one bit of s", func(q *question) { q.Signature = q.Signature[:64] + flipHex(q.Signature[64:]) }, deriving},
		{"one bit of the message", func(q *question) { q.Message = flipHex(q.Message) }, deriving},
		{"another path", func(q *question) { q.Path = "3/1/4/1/5" }, deriving},
		{"another script", func(q *question) { q.ScriptRoot = strings.Repeat("5a", 32) }, deriving},
	},
	wire.Solana: {
		{"one bit of R", func(q *question) { q.Signature = flipHex(q.Signature) }, both},
		{"one bit of s", func(q *question) { q.Signature = q.Signature[:64] + flipHex(q.Signature[64:]) }, both},
		{"another transaction", func(q *question) { flipBase58(&q.Blockhash) }, both},
		{"another path", func(q *question) { q.Path = "3/1/4/1/5" }, "solana"},
	},
}

// testWrong: each library notices each mistake that it can see.
func (f *fleet) testWrong(t *testing.T, all programs) {
	for _, chain := range chains {
		first := [2]uint32{5, 1_000_000}
		account, other := f.account(f.keys[chain][0], "5", first), f.account(f.keys[chain][1], "7", first)
		noticed(t, all.of(chain), account, addressMistakes(other)[chain])
		noticed(t, all.of(chain).signing(), f.signed(t, all, chain)[0], signatureMistakes[chain])
	}
}

func noticed(t *testing.T, all programs, good question, mistakes []mistake) {
	t.Helper()
	for _, m := range mistakes {
		for _, p := range all {
			by := strings.Contains(" "+m.by+" ", " "+p.name+" ")
			var bad question
			if err := json.Unmarshal(must(json.Marshal(good)), &bad); err != nil { // a copy, with its runs
				t.Fatal(err)
			}
			m.change(&bad)
			if a := p.ask(t, bad); by != (len(a.Wrong) > 0) {
				t.Errorf("%s, %s: wrong is %.300q", m.name, p.name, a.Wrong)
			}
		}
	}
	all.agree(t, good) // the programs do their work, as they do without a mistake
}

// flipBech32 changes one bit of an address's program.
func flipBech32(address *string) {
	hrp, data, _, err := bech32.DecodeGeneric(*address)
	if err != nil {
		panic(err)
	}
	data[9] ^= 1
	*address = must(bech32.EncodeM(hrp, data))
}

func otherNetwork(address string) string {
	hrp, data, _, err := bech32.DecodeGeneric(address)
	if err != nil {
		panic(err)
	}
	other := "tb"
	if hrp == other {
		other = "bc"
	}
	return must(bech32.EncodeM(other, data))
}

// flipBase58 changes one bit.
func flipBase58(text *string) {
	b := must(base58.Decode(*text))
	b[17] ^= 8
	*text = base58.Encode(b)
}

// flipHex changes one bit.
func flipHex(text string) string {
	b := must(hex.DecodeString(text))
	b[7] ^= 4
	return hex.EncodeToString(b)
}

// flipText changes the last character.
func flipText(text string) string {
	last := "q"
	if strings.HasSuffix(text, last) {
		last = "p"
	}
	return text[:len(text)-1] + last
}

// flipXpub changes one bit of the chain code.
func flipXpub(xpub string) string {
	k := must(descriptor.ParseExtendedKey(xpub))
	k.ChainCode[20] ^= 16
	return k.String()
}

// flipDescriptor does so in its key.
func flipDescriptor(text *string) {
	script, _, _ := strings.Cut(*text, "#")
	_, rest, _ := strings.Cut(script, "]")
	xpub, _, _ := strings.Cut(rest, "/")
	script = strings.Replace(script, xpub, flipXpub(xpub), 1)
	*text = script + "#" + must(descriptor.Checksum(script))
}
