package client

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTaprootOutputKey: vectors of BIP 86 and of BIP 341 (wallet test vectors,
// scriptPubKey).
func TestTaprootOutputKey(t *testing.T) {
	tests := []struct{ source, internal, root, want string }{
		{"BIP 86, m/86'/0'/0'/0/0", "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115", "",
			"a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c"},
		{"BIP 86, m/86'/0'/0'/0/1", "83dfe85a3151d2517290da461fe2815591ef69f2b18a2ce63f01697a8b313145", "",
			"a82f29944d65b86ae6b5e5cc75e294ead6c59391a1edc5e016e3498c67fc7bbb"},
		{"BIP 341, no script", "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d", "",
			"53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343"},
		{"BIP 341, script", "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
			"5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
			"147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3"},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			x, root := unhex(t, tt.internal), unhex(t, tt.root)
			for _, key := range [][]byte{x, append([]byte{2}, x...), append([]byte{3}, x...)} {
				got, err := TaprootOutputKey(key, root)
				if err != nil || hex.EncodeToString(got) != tt.want {
					t.Errorf("internal key %x gives %x, %v; want %s", key, got, err, tt.want)
				}
			}
		})
	}
	good := unhex(t, tests[0].internal)
	for name, in := range map[string][2][]byte{
		"not on the curve":      {bytes.Repeat([]byte{0xff}, 32), nil},
		"short":                 {good[:31], nil},
		"wrong first byte":      {append([]byte{4}, good...), nil},
		"script root too short": {good, make([]byte, 31)},
	} {
		if got, err := TaprootOutputKey(in[0], in[1]); err == nil || got != nil {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

// TestOutputKeyAgrees compares the two implementations: the fleet's and this
// package's.
func TestOutputKeyAgrees(t *testing.T) {
	for i := range 50 {
		key, err := btcec.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		public, root := key.PubKey().SerializeCompressed(), message(byte(i))
		for _, tt := range []struct {
			tweak frost.Tweak
			root  []byte
		}{{frost.Tweak{Mode: frost.TweakBIP86}, nil}, {frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte(root)}, root}} {
			want, err := frost.OutputKey(frost.Secp256k1TR, public, tt.tweak)
			if err != nil {
				t.Fatal(err)
			}
			got, err := TaprootOutputKey(public, tt.root)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("key %x, root %x: %x, %v; the fleet has %x", public, tt.root, got, err, want)
			}
		}
	}
}

func TestVerifySignature(t *testing.T) {
	private, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	bip340, err := schnorr.Sign(private, message(1))
	if err != nil {
		t.Fatal(err)
	}
	edKey := newKey(t)
	long := bytes.Repeat([]byte("x"), 1000)
	tests := []struct {
		suite                string
		public, message, sig []byte
	}{
		{SuiteSecp256k1TR, schnorr.SerializePubKey(private.PubKey()), message(1), bip340.Serialize()},
		{SuiteEd25519, edKey.Public().(ed25519.PublicKey), long, ed25519.Sign(edKey, long)},
	}
	flip := func(b []byte, i int) []byte { c := bytes.Clone(b); c[i] ^= 1; return c }
	for _, tt := range tests {
		t.Run(tt.suite, func(t *testing.T) {
			if err := VerifySignature(tt.suite, tt.public, tt.message, tt.sig); err != nil {
				t.Fatal(err)
			}
			for _, i := range []int{0, 31, 32, 63} {
				if err := VerifySignature(tt.suite, tt.public, tt.message, flip(tt.sig, i)); !errors.Is(err, ErrSignature) {
					t.Errorf("signature with byte %d changed: %v", i, err)
				}
			}
			if err := VerifySignature(tt.suite, tt.public, flip(tt.message, 0), tt.sig); !errors.Is(err, ErrSignature) {
				t.Errorf("another message: %v", err)
			}
			if err := VerifySignature(tt.suite, tt.public, tt.message, tt.sig[:63]); err == nil {
				t.Error("a short signature verifies")
			}
			if err := VerifySignature(tt.suite, tt.public[:31], tt.message, tt.sig); err == nil {
				t.Error("a short key verifies")
			}
			if err := VerifySignature("none", tt.public, tt.message, tt.sig); err == nil {
				t.Error("an unknown suite verifies")
			}
		})
	}
	if err := VerifySignature(SuiteSecp256k1TR, tests[0].public, long, tests[0].sig); err == nil {
		t.Error("BIP 340 takes a message that is no hash")
	}
}

// TestEd25519Speccheck: the corner cases of github.com/novifinancial/ed25519-speccheck
// (Apache-2.0). Solana's verify_strict takes only case 3, which mixes
// orders; crypto/ed25519 alone would also take 0, 1, 2 and 11.
func TestEd25519Speccheck(t *testing.T) {
	data, err := os.ReadFile("testdata/ed25519-speccheck.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Message   wire.HexBytes
		PublicKey wire.HexBytes `json:"pub_key"`
		Signature wire.HexBytes
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) != 12 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for i, c := range cases {
		err := VerifySignature(SuiteEd25519, c.PublicKey, c.Message, c.Signature)
		if want := i == 3; (err == nil) != want || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("case %d: %v, want accepted: %v", i, err, want)
		}
	}
}

// TestForgedForDefaultKey: anybody can sign for Solana's Pubkey::default(), a
// point of order 4.
func TestForgedForDefaultKey(t *testing.T) {
	public := make([]byte, 32)
	for i := range 64 {
		scalar, err := new(edwards25519.Scalar).SetUniformBytes(bytes.Repeat([]byte{byte(i + 1)}, 64))
		if err != nil {
			t.Fatal(err)
		}
		forged := append(new(edwards25519.Point).ScalarBaseMult(scalar).Bytes(), scalar.Bytes()...)
		message := []byte(fmt.Sprint("message ", i))
		if !ed25519.Verify(public, message, forged) {
			continue // one in four fits
		}
		if err := VerifySignature(SuiteEd25519, public, message, forged); !errors.Is(err, ErrSignature) {
			t.Errorf("a forgery passes: %v", err)
		}
		return
	}
	t.Fatal("no forgery was found: the test tests nothing")
}

func TestCutItems(t *testing.T) {
	const key = "00112233445566778899aabbccddeeff.999"
	for _, tt := range []struct{ count, size int }{{0, 0}, {1, 32}, {1000, 32}, {1001, 32}, {2500, 32}, {1000, 4096}, {127, 4096}} {
		t.Run(fmt.Sprintf("%d of %d bytes", tt.count, tt.size), func(t *testing.T) {
			item := SignItem{Key: key, Path: strings.Repeat("/2147483647", 8)[1:], Message: make([]byte, tt.size),
				ScriptRoot: make([]byte, 32)}
			cuts := cutItems(slices.Repeat([]SignItem{item}, tt.count))
			total := 0
			for i := range cuts[1:] {
				part := slices.Repeat([]wire.JobItem{item.wire()}, cuts[i+1]-cuts[i])
				total += len(part)
				payload, err := json.Marshal(wire.Job{ID: strings.Repeat("0", 36), Kind: wire.KindSign, Items: part})
				if err != nil {
					t.Fatal(err)
				}
				if len(part) > MaxJobItems || len(payload) > wire.MaxJobSize-1024 {
					t.Errorf("a job of %d items and %d bytes", len(part), len(payload))
				}
			}
			if total != tt.count {
				t.Errorf("%d items came out of %d", total, tt.count)
			}
		})
	}
}

// FuzzProof: a proof comes from a file that anybody may have written.
func FuzzProof(f *testing.F) {
	m, nodes := newManifest(f)
	s := &gatewayStub{t: f, manifest: m, nodes: nodes, keys: map[string]any{}}
	payload, err := json.Marshal(wire.Job{ID: "0198c0de-0000-7000-8000-000000000001", Kind: wire.KindKeygen, Chain: "bitcoin", Count: 2})
	if err != nil {
		f.Fatal(err)
	}
	job := wire.SignedJob{Client: stubClient, Kind: wire.KindKeygen, Payload: payload}
	good := Proof{Client: stubClient, Job: string(payload), Result: s.result(job).Encode()}
	keys, err := good.Verify(stated(m))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.Client, good.Job, []byte(good.Result))
	f.Add(good.Client, strings.Replace(good.Job, `"count":2`, `"count":4611686018427387904`, 1), []byte(good.Result))
	f.Fuzz(func(t *testing.T, client, job string, result []byte) {
		got, err := Proof{Client: client, Job: job, Result: result}.Verify(stated(m))
		if err != nil {
			if got != nil {
				t.Errorf("keys beside an error: %v", got)
			}
			return
		}
		// Whatever JSON says it, only what the nodes certified passes.
		if fmt.Sprint(got) != fmt.Sprint(keys) {
			t.Errorf("proved %v, which nobody certified", got)
		}
	})
}
