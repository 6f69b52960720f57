package client

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// m1 is m of BIP 32's vector 1.
const m1 = "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"

// keyOf is a key as if it were proven, from an extended public key of a vector.
func keyOf(t testing.TB, network, xpub string) Key {
	t.Helper()
	k, err := descriptor.ParseExtendedKey(xpub)
	if err != nil {
		t.Fatal(err)
	}
	return Key{ID: strings.Repeat("0", 32) + ".0", Chain: wire.Bitcoin, PublicKey: k.PublicKey[:],
		ChainCode: k.ChainCode[:], network: network}
}

func accountOf(t testing.TB, k Key) *Account {
	t.Helper()
	a, err := k.Account()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// all reads addresses to the end.
func all(t testing.TB, a *Account, branch Branch, first uint32, count int) (got []Address) {
	t.Helper()
	for address, err := range a.Addresses(branch, first, count) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, address)
	}
	return got
}

// The vectors of BIP 86: its account's addresses.
func TestAccountBIP86(t *testing.T) {
	a := accountOf(t, keyOf(t, "mainnet", "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3"+
		"VCECoY49yfdDEHGCtMMj92pReUsQ"))
	want := []Address{
		{"0/0", "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"},
		{"0/1", "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"},
	}
	if got := all(t, a, Receive, 0, 2); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	change := Address{"1/0", "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"}
	if got, err := a.Address(Change, 0); err != nil || got != change {
		t.Errorf("%v, %v; want %v", got, err, change)
	}
}

// The vectors of BIP 32: m of vector 1, and m and m/0 of vector 2.
func TestAccountBIP32(t *testing.T) {
	const (
		m2 = "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB7WEGuduB"
		c2 = "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgFxHmwMkQTPH"
	)
	for _, root := range []string{m1, m2} {
		if got, err := accountOf(t, keyOf(t, "mainnet", root)).ExtendedKey(); err != nil || got != root {
			t.Errorf("%s, %v; want %s", got, err, root)
		}
	}
	child, err := accountOf(t, keyOf(t, "mainnet", m2)).At("0")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := child.ExtendedKey(); err != nil || got != c2 || child.Path() != "0" {
		t.Errorf("%s at %q, %v; want %s", got, child.Path(), err, c2)
	}
	d, err := accountOf(t, keyOf(t, "mainnet", m1)).Descriptors()
	want := Descriptors{
		Both:    "tr([3442193e]" + m1 + "/<0;1>/*)#k0dlfa5k",
		Receive: "tr([3442193e]" + m1 + "/0/*)",
		Change:  "tr([3442193e]" + m1 + "/1/*)",
	}
	d.Receive, d.Change = d.Receive[:len(want.Receive)], d.Change[:len(want.Change)]
	if err != nil || d != want {
		t.Errorf("%+v, %v; want %+v", d, err, want)
	}
	// What bdkpython 3.1.1 has at 0/0 and 1/5 of a wallet of that descriptor.
	a := accountOf(t, keyOf(t, "mainnet", m1))
	for want, at := range map[string]struct {
		branch Branch
		index  uint32
	}{
		"bc1pgfhzycz8pckwsdspf04hn6rps5tpapgrchtzx5f3k8wlvqhmxu6qrdt83a": {Receive, 0},
		"bc1p9fpqv2u06ueq5fxc77mwmzegq0pnpfgu0zhppjr70pvw3gp0hf0qmr0ktr": {Change, 5},
	} {
		if got, err := a.Address(at.branch, at.index); err != nil || got.Address != want {
			t.Errorf("%v: %v, %v; want %s", at, got, err, want)
		}
	}
}

// An account does not change with the bytes that it was made of, or that it gave away.
func TestAccountIsItsOwn(t *testing.T) {
	k := keyOf(t, "mainnet", m1)
	a := accountOf(t, k)
	want := fmt.Sprint(all(t, a, Receive, 0, 2))
	given := a.Key()
	for _, b := range [][]byte{k.ChainCode, given.ChainCode, k.PublicKey, given.PublicKey} {
		b[len(b)-1] ^= 1
		if address, err := a.Address(Receive, 0); err != nil || !strings.Contains(want, address.Address) {
			t.Fatalf("%v, %v; want %s", address, err, want)
		}
	}
}

// The vectors of docs/protocol.md, which a second implementation is held to in
// internal/derive.
func TestAccountEd25519(t *testing.T) {
	k := Key{ID: "x", Chain: wire.Solana, network: "mainnet",
		PublicKey: unhex(t, "93d4f39523f5b26812b025b20f244c50f2ee18a5ad9184a5abd81830d047473a"),
		ChainCode: unhex(t, "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f")}
	a := accountOf(t, k)
	for want, path := range map[string]struct {
		branch Branch
		index  uint32
	}{
		"c01c8429e8a30122be6703f81b9d81d594f4588fe1d55bebca40d5dc05d288a0": {Receive, 17},
		"812e6600ebb540f9f2772e0227e96503454caf2fadabe47fb3a8b83c20a48f58": {Change, 0},
	} {
		got, err := a.Address(path.branch, path.index)
		if key, errBase := base58.Decode(got.Address); err != nil || errBase != nil || hex.EncodeToString(key) != want ||
			got.Path != fmt.Sprintf("%d/%d", path.branch, path.index) {
			t.Errorf("%v: %+v, %v", path, got, err)
		}
	}
}

func TestAccountRefuses(t *testing.T) {
	bitcoin := keyOf(t, "mainnet", m1)
	a := accountOf(t, bitcoin)
	solana := accountOf(t, Key{
		ID: "x", Chain: wire.Solana, PublicKey: make([]byte, 32), ChainCode: bitcoin.ChainCode, network: "mainnet"})
	at := func(path string) func() error {
		return func() error { _, err := a.At(path); return err }
	}
	addresses := func(a *Account, branch Branch, first uint32, count int) func() error {
		return func() (last error) {
			for address, err := range a.Addresses(branch, first, count) {
				if last = err; err == nil {
					return fmt.Errorf("there is %v", address)
				}
			}
			return last
		}
	}
	for name, tt := range map[string]struct {
		ask  func() error
		code Code
		says string
	}{
		"a hardened step":       {at("86'"), CodeBadPath, "unhardened children only"},
		"a hardened step, h":    {at("0/1h"), CodeBadPath, "unhardened"},
		"m/":                    {at("m/0"), CodeBadPath, "decimal steps"},
		"nothing":               {at(""), CodeBadPath, "decimal steps"},
		"too deep":              {at("0/1/2/3/4/5/6/7/8"), CodeBadPath, "at most 8"},
		"too deep for accounts": {at("0/1/2/3/4/5/6"), CodeBadPath, "want at most 6"},
		"an index out of range": {at("2147483648"), CodeBadPath, "0 to 2147483647"},
		"a hardened address":    {addresses(a, Receive, MaxIndex+1, 1), CodeBadPath, "0 to 2147483647"},
		"a third branch":        {addresses(a, 2, 0, 1), CodeBadPath, "branch 2"},
		"no addresses":          {addresses(a, Receive, 0, 0), CodeBadCount, "want 1 to 2147483648"},
		"fewer than none":       {addresses(a, Receive, 0, -5), CodeBadCount, "want 1 to"},
		"more than there are":   {addresses(a, Change, MaxIndex-1, 3), CodeBadCount, "want 1 to 2"},
		"without bound":         {addresses(a, Change, 0, math.MaxInt), CodeBadCount, "want 1 to 2147483648"},
		"an xpub for solana": {func() error { _, err := solana.ExtendedKey(); return err },
			CodeNoExtendedKey, "is of solana"},
		"a descriptor for solana": {func() error { _, err := solana.Descriptors(); return err },
			CodeNoExtendedKey, "is of solana"},
		"a key from nowhere": {func() error { _, err := Key{ID: "x", Chain: wire.Bitcoin}.Account(); return err },
			CodeUnprovenKey, "Proof.Verify"},
		"a key that was changed": {func() error { k := bitcoin; k.ChainCode = nil; _, err := k.Account(); return err },
			CodeUnprovenKey, "changed"},
	} {
		err := tt.ask()
		if e, ok := errors.AsType[*AccountError](err); !ok || e.Code != tt.code || !strings.Contains(err.Error(), tt.says) ||
			!strings.HasPrefix(err.Error(), string(tt.code)+": ") {
			t.Errorf("%s: %v, want %s and %q", name, err, tt.code, tt.says)
		}
	}
	if _, err := solana.Address(Receive, 0); err == nil { // of small order: anybody could sign
		t.Error("bytes that are no key have children")
	}
}

// A key of the fleet, and what is saved of it, are accounts; it does not matter whether
// the gateway says chain codes and descriptors.
func TestAccountOfProof(t *testing.T) {
	s, c := start(t)
	for _, older := range []bool{false, true} {
		for _, chain := range wire.ChainNames() {
			s.onJob(func(job wire.SignedJob) {
				r := s.result(job)
				for i := range r.Keys {
					if (r.Keys[i].Descriptor != "") != (chain == wire.Bitcoin) || len(r.Keys[i].ChainCode) != 32 {
						t.Errorf("the stub has %+v", r.Keys[i])
					}
					if older {
						r.Keys[i].Descriptor, r.Keys[i].ChainCode = "", nil
					}
				}
				s.store(r)
			})
			got, err := c.Keygen(t.Context(), KeygenRequest{Chain: chain, Count: 2})
			if err != nil {
				t.Fatal(err)
			}
			saved, err := json.Marshal(got.Proofs[0])
			if err != nil {
				t.Fatal(err)
			}
			var proof Proof
			if err := json.Unmarshal(saved, &proof); err != nil {
				t.Fatal(err)
			}
			keys, err := proof.Verify(c.Manifest())
			if err != nil {
				t.Fatal(err)
			}
			code := wire.ChainCode(stubTranscript, 1)
			one, two := accountOf(t, got.Keys[1]), accountOf(t, keys[1])
			if string(one.Key().ChainCode) != string(code[:]) {
				t.Errorf("chain code %x, want %x", one.Key().ChainCode, code)
			}
			if a, b := all(t, one, Receive, 5, 3), all(t, two, Receive, 5, 3); fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%v and %v", a, b)
			}
		}
	}
}

// A descriptor is found to be of the key that it is of, whole.
func TestDescriptorOfKey(t *testing.T) {
	k := keyOf(t, "testnet", m1)
	other := k
	other.ChainCode = make([]byte, 32) // of the same fingerprint
	solana := Key{ID: "x", Chain: wire.Solana, PublicKey: k.PublicKey[1:], ChainCode: k.ChainCode, network: "testnet"}
	m := &Manifest{Network: "testnet"}
	for _, path := range []string{"", "5", "7/2147483647"} {
		a := accountOf(t, k)
		if path != "" {
			var err error
			if a, err = a.At(path); err != nil {
				t.Fatal(err)
			}
		}
		texts, err := a.Descriptors()
		if err != nil {
			t.Fatal(err)
		}
		d, err := ParseDescriptor(m, texts.Both)
		if err != nil {
			t.Fatal(err)
		}
		found, err := d.Account(k)
		if err != nil || found == nil || found.Path() != path {
			t.Errorf("%q: %+v, %v", path, found, err)
		}
		for _, k := range []Key{other, solana, {}} {
			if found, err := d.Account(k); found != nil || err != nil {
				t.Errorf("%q is of %+v, %v", path, found, err)
			}
		}
		for text, code := range map[string]Code{
			texts.Both[:len(texts.Both)-1] + "q": CodeBadDescriptor, texts.Receive: CodeBadDescriptor, "": CodeBadDescriptor,
		} {
			if _, err := ParseDescriptor(m, text); !isCode(err, code) {
				t.Errorf("%q: %v", text, err)
			}
		}
		if _, err := ParseDescriptor(&Manifest{Network: "mainnet"}, texts.Both); !isCode(err, CodeOtherNetwork) {
			t.Errorf("on mainnet: %v", err)
		}
	}
}

func isCode(err error, code Code) bool {
	e, ok := errors.AsType[*AccountError](err)
	return ok && e.Code == code
}

// TestAccountCodes: the page for wallets explains each.
func TestAccountCodes(t *testing.T) {
	page, err := os.ReadFile("../docs/wallets.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []Code{CodeBadPath, CodeBadCount, CodeInvalidChild, CodeNoExtendedKey, CodeBadDescriptor,
		CodeOtherNetwork, CodeUnprovenKey} {
		if !strings.Contains(string(page), "\n| `"+string(code)+"` | ") {
			t.Errorf("docs/wallets.md does not explain %s", code)
		}
	}
}
