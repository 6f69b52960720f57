package mutations_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// secret is of a name of web3js.json, which web3.js and spl-token wrote.
func secret(name string) ed25519.PrivateKey {
	of := sha256.Sum256([]byte("frostfleet/solana/test/" + name))
	return ed25519.NewKeyFromSeed(of[:])
}

// address is a Solana address.
type address [32]byte

// scene is what the samples are about.
type scene struct {
	samples [][]byte
	named   map[string]address
}

func readScene(t *testing.T) (s scene) {
	t.Helper()
	var file struct{ Names, Transactions map[string]string }
	text := must(os.ReadFile("../../internal/tx/solana/testdata/web3js.json"))
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, what := range slices.Sorted(maps.Keys(file.Transactions)) {
		s.samples = append(s.samples, must(base64.StdEncoding.DecodeString(file.Transactions[what])))
	}
	s.named = map[string]address{}
	for name, text := range file.Names {
		s.named[name] = address(must(base58.Decode(text)))
	}
	for name, text := range map[string]string{
		"system": "11111111111111111111111111111111", "budget": "ComputeBudget111111111111111111111111111111",
		"token": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "token2022": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
		"associated": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL", "memo": "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
		"recent": "SysvarRecentB1ockHashes11111111111111111111", "rent": "SysvarRent111111111111111111111111111111111",
	} {
		s.named[name] = address(must(base58.Decode(text)))
	}
	return s
}

const (
	solanaFee   = 1_000_000
	solanaLoss  = 2_000_000_000
	solanaDaily = 8_000_000_000
	tokenLoss   = 10_000_000
)

// policyOf allows to pay "payee" in SOL and tokens of "mint".
func (s scene) policyOf() string {
	text := func(name string) string { a := s.named[name]; return base58.Encode(a[:]) }
	return `
version = 1
[[rule]]
name = "payee"
clients = ["*"]
keys = ["*"]
kinds = ["solana_transaction"]
destinations = ["` + text("payee") + `"]
assets = ["sol", "spl:` + text("mint") + `"]
max_fee = ["0.001 SOL"]
nonce_accounts = ["` + text("nonce") + `"]
[[rule.limit]]
amount = "2 SOL"
per = "transaction"
[[rule.limit]]
amount = "8 SOL"
per = "day"
[[rule.limit]]
amount = "10000000 spl:` + text("mint") + `"
per = "transaction"
`
}

// message is a transaction's, as the runtime reads it: keys, calls, and how many accounts there
// are behind lookup tables.
type message struct {
	required int
	keys     []address
	calls    []call
	behind   int
}

type call struct {
	program  int
	accounts []byte
	data     []byte
	from     int // where the data begins in the message
}

// short reads a length as Solana writes it.
func (r *reader) short() int {
	n := 0
	for shift := 0; shift < 21; shift += 7 {
		b := r.uint(1)
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
	}
	return n
}

// parseSolana splits a transaction into signatures and message, and reads it.
func parseSolana(raw []byte) (signatures [][]byte, body []byte, m *message, err error) {
	r := &reader{b: raw}
	for range r.short() {
		signatures = append(signatures, r.take(64))
	}
	body, m = r.b, &message{}
	version0 := len(r.b) > 0 && r.b[0]&0x80 != 0
	if version0 {
		r.take(1)
	}
	m.required = int(r.uint(1))
	r.take(2)
	for range r.short() {
		m.keys = append(m.keys, address(append(r.take(32), make([]byte, 32)...)))
		if r.bad {
			return nil, nil, nil, errForm
		}
	}
	r.take(32)
	for range r.short() {
		c := call{program: int(r.uint(1))}
		c.accounts = r.take(uint64(r.short()))
		n := uint64(r.short())
		c.from = len(body) - len(r.b)
		c.data = r.take(n)
		if m.calls = append(m.calls, c); r.bad {
			return nil, nil, nil, errForm
		}
	}
	if version0 {
		for range r.short() {
			r.take(32)
			m.behind += len(r.take(uint64(r.short())))
			m.behind += len(r.take(uint64(r.short())))
		}
	}
	if r.bad || len(r.b) > 0 || len(m.keys) == 0 || len(m.keys) < m.required {
		return nil, nil, nil, errForm
	}
	return signatures, body, m, nil
}

// mutant changes one of the samples in up to four ways.
func (s scene) mutant(r *rand.Rand) []byte {
	raw := slices.Clone(s.samples[r.IntN(len(s.samples))])
	names := slices.Sorted(maps.Keys(s.named))
	for range r.IntN(5) {
		_, body, m, err := parseSolana(raw)
		if err != nil || coin(r, 5) {
			raw = flip(r, raw)
			continue
		}
		start := len(raw) - len(body)
		keys := bytes.Index(raw[start:], m.keys[0][:]) + start
		switch kind := r.IntN(9); {
		case kind == 8: // accounts behind a lookup table
			if body[0] >= 0x80 && m.behind == 0 {
				table := s.named["table"]
				raw = append(append(append(raw[:len(raw)-1:len(raw)-1], 1), table[:]...), 1, 5, 1, 6)
			}
		case kind < 2: // another key in a place
			a := s.named[names[r.IntN(len(names))]]
			copy(raw[keys+32*r.IntN(len(m.keys)):], a[:])
		case kind == 2: // two keys for each other
			i, j := keys+32*r.IntN(len(m.keys)), keys+32*r.IntN(len(m.keys))
			a, b := bytes.Clone(raw[i:i+32]), bytes.Clone(raw[j:j+32])
			copy(raw[i:], b)
			copy(raw[j:], a)
		case kind == 3: // who signs
			raw[start+r.IntN(4)] ^= 1
			if coin(r, 2) {
				raw[0] = byte(r.IntN(4))
			}
		case len(m.calls) == 0:
		case kind == 4: // another account or program
			c := m.calls[r.IntN(len(m.calls))]
			raw[start+c.from-1-r.IntN(len(c.accounts)+3)] = byte(r.IntN(len(m.keys) + m.behind + 1))
		default: // another amount or instruction
			c := m.calls[r.IntN(len(m.calls))]
			if len(c.data) == 0 {
				continue
			}
			at := start + c.from + r.IntN(len(c.data))
			raw[at] = []byte{0, 1, 2, 3, 4, 11, 12, 0xff, raw[at] ^ 1, raw[at] ^ 64, byte(r.Uint32())}[r.IntN(11)]
		}
	}
	return raw
}

// verdict is what a transaction takes from our signer.
type verdict struct {
	scene
	*message
	us           address
	wrong        []string
	lamports     uint64
	tokens       uint64
	units, price uint64 // of computing
	limited      bool
}

// judge judges a transaction. It knows the few calls that may take something, and can't account
// for any other in which an account of ours is.
func (s scene) judge(
	t *testing.T, in *intent.Intent, signatures [][]byte, done tx.Finished,
) (wrong []string, loss uint64) {
	t.Helper()
	signed, body, m, err := parseSolana(done.Transaction)
	if err != nil {
		t.Fatalf("what comes back is no transaction: %x", done.Transaction)
	}
	for i, signature := range signatures {
		at := in.Signatures[i].At
		if !bytes.Equal(signed[at], signature) || !ed25519.Verify(m.keys[at][:], body, signature) {
			t.Errorf("signature %d is none of this transaction: %x", at, done.Transaction)
		}
	}
	v := &verdict{scene: s, message: m, us: s.named["us"]}
	for at, c := range m.calls {
		v.call(at, c)
	}
	v.fee()
	if v.lamports > solanaLoss || v.tokens > tokenLoss {
		v.wrong = append(v.wrong, above)
	}
	return v.wrong, v.lamports
}

func (v *verdict) fail(kind string, unless bool) {
	if !unless {
		v.wrong = append(v.wrong, kind)
	}
}

func (v *verdict) fee() {
	if v.keys[0] != v.us {
		return
	}
	cost := uint64(v.required)*5000 + uint64(float64(min(v.units, 1_400_000))*float64(v.price)/1e6)
	v.lamports += cost
	v.fail(fee, cost <= solanaFee)
}

// account is one of a call's. One behind a lookup table is nobody's that is known.
func (v *verdict) account(c call, i int) (a address) {
	if i < len(c.accounts) && int(c.accounts[i]) < len(v.keys) {
		a = v.keys[c.accounts[i]]
	}
	return a
}

func (v *verdict) call(at int, c call) {
	program, data := v.keys[c.program], &reader{b: c.data}
	if program != v.named["budget"] && !v.limited {
		v.units += 200_000
	}
	account := func(i int) address { return v.account(c, i) }
	ours := slices.ContainsFunc(c.accounts, func(a byte) bool { return int(a) < len(v.keys) && v.keys[a] == v.us })
	nonce := program == v.named["system"] && bytes.HasPrefix(c.data, []byte{4, 0, 0, 0})
	switch {
	case nonce:
		v.fail(unreadable, account(0) == v.named["nonce"] && at == 0)
	case program == v.named["budget"]:
		switch data.uint(1) {
		case 2:
			v.units, v.limited = data.uint(4), true
		case 3:
			v.price = data.uint(8)
		}
	case !ours, program == v.named["memo"]:
	case program == v.named["system"]:
		by, to, lamports := v.moves(c)
		if v.fail(unreadable, by >= 0); by >= 0 && account(by) == v.us {
			v.lamports += lamports
			v.fail(destination, account(to) == v.named["payee"])
		}
	case program == v.named["token"] || program == v.named["token2022"]:
		kind, to := data.uint(1), account(2)
		v.fail(unreadable, kind == 12 || kind == 26 && program == v.named["token2022"] && data.uint(1) == 1)
		// Of the payee's accounts, each is of one program only: the other has it fail.
		v.fail(destination, account(3) == v.us && account(1) == v.named["mint"] &&
			(to == v.named["ata"] || to == v.named["ata2022"]))
		v.tokens += data.uint(8)
	case program == v.named["associated"]:
		v.fail(unreadable, len(c.data) == 0 || c.data[0] < 2)
		v.fail(destination, account(0) == v.us && account(2) == v.named["payee"])
		v.lamports += 2_039_280 // rent for 165 bytes at least
	default:
		v.fail(unreadable, false)
	}
}

// moves reads a call of the System program that moves lamports: by whose authority, and to
// whom, as places among its accounts; -1 if it is none.
func (v *verdict) moves(c call) (by, to int, lamports uint64) {
	data := &reader{b: c.data}
	switch data.uint(4) {
	case 0, 2: // CreateAccount, Transfer
		by, to, lamports = 0, 1, data.uint(8)
	case 3: // CreateAccountWithSeed
		data.take(32)
		data.take(data.uint(8))
		by, to, lamports = 0, 1, data.uint(8)
	case 5: // WithdrawNonceAccount
		by, to, lamports = 4, 1, data.uint(8)
	case 11: // TransferWithSeed
		by, to, lamports = 1, 2, data.uint(8)
	default:
		return -1, 0, 0
	}
	if data.bad {
		return -1, 0, 0
	}
	return by, to, lamports
}

// TestSolana: no mutant of a transaction is signed that pays somebody who may not be paid, or
// costs more than it may.
func TestSolana(t *testing.T) {
	t.Parallel()
	s := readScene(t)
	us := s.named["us"]
	c := chain{
		kind: intent.SolanaTransaction, policy: s.policyOf(), mutant: s.mutant, judge: s.judge, daily: solanaDaily,
		roots: []intent.Root{{ID: "us", Key: derive.Key{Suite: frost.Ed25519, PublicKey: us[:], ChainCode: us}}},
		sign:  func(_ *testing.T, sig intent.Signature) []byte { return ed25519.Sign(secret("us"), sig.Message) },
	}
	c.test(t, []string{destination, fee, above, inADay, unreadable},
		[]string{policy.CodeDestination, policy.CodeFee, policy.CodeAboveLimit, policy.CodeLimitReached,
			intent.NotUnderstood})
}
