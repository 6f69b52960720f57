package solana

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// secret is the secret key of a name. The names of testdata/web3js.json are made so.
func secret(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("frostfleet/solana/test/" + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func keyOf(name string) key { return key(secret(name).Public().(ed25519.PublicKey)) }

func addressOf(name string) string { return address(keyOf(name)) }

func rootOf(name string, path ...uint32) intent.Root {
	k := keyOf(name)
	return intent.Root{ID: name, Path: path,
		Key: derive.Key{Suite: frost.Ed25519, PublicKey: k[:], ChainCode: sha256.Sum256([]byte(name))}}
}

func roots(names ...string) (out []intent.Root) {
	for _, n := range names {
		out = append(out, rootOf(n))
	}
	return out
}

func read(raw []byte, names ...string) (*Transaction, *intent.Refusal) {
	return ReadTransaction(raw, roots(names...), derive.NewCache(10))
}

func mustRead(t testing.TB, raw []byte, names ...string) *Transaction {
	t.Helper()
	tx, refusal := read(raw, names...)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return tx
}

// web3js is what @solana/web3.js 1.99.0 and @solana/spl-token 0.4.15 serialised, by what it is.
func web3js(t testing.TB) (transactions map[string][]byte, names map[string]string) {
	t.Helper()
	b, err := os.ReadFile("testdata/web3js.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Names        map[string]string
		Transactions map[string]string
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	transactions = make(map[string][]byte)
	for what, text := range file.Transactions {
		if transactions[what], err = base64.StdEncoding.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	}
	return transactions, file.Names
}

// draft is a transaction as tests write it: accounts are names or addresses in Base58.
type draft struct {
	version0 bool
	signers  []string // the last readonly of them are read only
	readonly int
	calls    []callDraft
	lookups  int // accounts behind one lookup table, which calls name lookup0, lookup1
}

type callDraft struct {
	program  string
	accounts []string
	data     []byte
}

// bytes serialises, without signatures. All other accounts are writable, which no reader minds.
func (d draft) bytes() []byte {
	index := map[string]byte{}
	var keys []byte
	add := func(name string) {
		if _, ok := index[name]; ok {
			return
		}
		k, err := parseKey(name)
		if err != nil {
			k = keyOf(name)
		}
		index[name] = byte(len(keys) / keySize)
		keys = append(keys, k[:]...)
	}
	for _, s := range d.signers {
		add(s)
	}
	hidden := func(name string) bool { return strings.HasPrefix(name, "lookup") }
	for _, c := range d.calls {
		for _, a := range append([]string{c.program}, c.accounts...) {
			if !hidden(a) {
				add(a)
			}
		}
	}
	n := len(d.signers)
	b := append(compactU16(n), make([]byte, n*signatureSize)...)
	if d.version0 {
		b = append(b, 0x80)
	}
	b = append(b, byte(n), byte(d.readonly), 0)
	b = append(append(b, compactU16(len(keys)/keySize)...), keys...)
	b = append(b, make([]byte, keySize)...)
	b = append(b, compactU16(len(d.calls))...)
	for _, c := range d.calls {
		b = append(append(b, index[c.program]), compactU16(len(c.accounts))...)
		for _, a := range c.accounts {
			if hidden(a) {
				b = append(b, byte(len(keys)/keySize)+a[6]-'0')
			} else {
				b = append(b, index[a])
			}
		}
		b = append(append(b, compactU16(len(c.data))...), c.data...)
	}
	if d.version0 {
		if d.lookups == 0 {
			return append(b, 0)
		}
		b = append(b, 1)
		b = append(b, make([]byte, keySize)...)
		b = append(append(b, compactU16(d.lookups)...), make([]byte, d.lookups)...)
		b = append(b, 0)
	}
	return b
}

func compactU16(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// fields concatenates numbers, little-endian in their size, addresses and bytes.
func fields(values ...any) (b []byte) {
	for _, v := range values {
		switch v := v.(type) {
		case string:
			k := keyOf(v)
			b = append(b, k[:]...)
		case int: // one byte
			b = append(b, byte(v))
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, v)
		case []byte:
			b = append(b, v...)
		default:
			panic(v)
		}
	}
	return b
}

const (
	systemID = "11111111111111111111111111111111"
	budgetID = "ComputeBudget111111111111111111111111111111"
	ataID    = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
	memoID   = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
)

func transferOf(from, to string, lamports uint64) callDraft {
	return callDraft{systemID, []string{from, to}, fields(uint32(2), lamports)}
}
