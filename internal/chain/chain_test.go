package chain

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/mr-tron/base58"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	out, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every chain has an address, and nothing else has one.
func TestEveryChainHasAnAddress(t *testing.T) {
	for _, c := range wire.Chains {
		if addresses[c.Name] == nil {
			t.Errorf("%s has no address", c.Name)
		}
	}
	if len(addresses) != len(wire.Chains) {
		t.Errorf("%d addresses for %d chains", len(addresses), len(wire.Chains))
	}
	for _, name := range []string{"", "Bitcoin", "ethereum", strings.Repeat("x", 1000)} {
		if _, err := Address(name, "regtest", nil); err == nil || len(err.Error()) > 200 {
			t.Errorf("%.20q gave %v", name, err)
		}
	}
}

// TestBIP86 has the vectors of BIP 86, section "Test vectors"
// (github.com/bitcoin/bips, bip-0086.mediawiki).
func TestBIP86(t *testing.T) {
	vectors := []struct{ internal, output, address string }{
		{"cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115",
			"a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c",
			"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"},
		{"83dfe85a3151d2517290da461fe2815591ef69f2b18a2ce63f01697a8b313145",
			"a82f29944d65b86ae6b5e5cc75e294ead6c59391a1edc5e016e3498c67fc7bbb",
			"bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"},
		{"399f1b2f4393f29a18c937859c5dd8a77350103157eb880f02e8c08214277cef",
			"882d74e5d0572d5a816cef0041a96b6c1de832f6f9676d9605c44d5e9a97d3dc",
			"bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"},
	}
	for _, v := range vectors {
		for _, parity := range []byte{2, 3} { // the internal key's parity doesn't matter
			got, err := Address("bitcoin", "mainnet", append([]byte{parity}, unhex(t, v.internal)...))
			if err != nil || got != v.address {
				t.Errorf("address of %d||%s is %s, %v; want %s", parity, v.internal, got, err, v.address)
			}
		}
		got, err := P2TR("mainnet", [32]byte(unhex(t, v.output)))
		if err != nil || got != v.address {
			t.Errorf("P2TR of %s is %s, %v; want %s", v.output, got, err, v.address)
		}
	}
}

// TestAgainstBtcd compares with btcd's own tweak and encoding, on every
// network, and pays to the address as btcd understands it.
func TestAgainstBtcd(t *testing.T) {
	prefix := map[string]string{"mainnet": "bc1p", "testnet": "tb1p", "signet": "tb1p", "regtest": "bcrt1p"}
	for i := range byte(50) {
		seed := sha256.Sum256([]byte{i})
		_, public := btcec.PrivKeyFromBytes(seed[:])
		output := txscript.ComputeTaprootKeyNoScript(public)
		for network, params := range bitcoinNetworks {
			got, err := Address("bitcoin", network, public.SerializeCompressed())
			if err != nil {
				t.Fatal(err)
			}
			want, err := btcutil.NewAddressTaproot(schnorr.SerializePubKey(output), params)
			if err != nil {
				t.Fatal(err)
			}
			if got != want.EncodeAddress() || !strings.HasPrefix(got, prefix[network]) {
				t.Fatalf("%s: %s, want %s", network, got, want.EncodeAddress())
			}
			decoded, err := btcutil.DecodeAddress(got, params)
			if err != nil {
				t.Fatal(err)
			}
			script, err := txscript.PayToAddrScript(decoded)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(script, append([]byte{0x51, 0x20}, schnorr.SerializePubKey(output)...)) {
				t.Fatalf("%s: script %x", network, script)
			}
		}
	}
}

func TestBadBitcoinKeys(t *testing.T) {
	good := unhex(t, "02cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115")
	offCurve := append([]byte{2}, make([]byte, 32)...)
	offCurve[32] = 5 // 5³+7 is no square
	tests := map[string]struct {
		network string
		key     []byte
	}{
		"network":      {"testnet4", good},
		"no network":   {"", good},
		"no key":       {"mainnet", nil},
		"x-only":       {"mainnet", good[1:]},
		"uncompressed": {"mainnet", append([]byte{4}, good[1:]...)},
		"off curve":    {"mainnet", offCurve},
		"overflow":     {"mainnet", append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)},
	}
	for name, c := range tests {
		if got, err := Address("bitcoin", c.network, c.key); err == nil || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, x := range [][32]byte{{}, [32]byte(offCurve[1:]), [32]byte(bytes.Repeat([]byte{0xff}, 32))} {
		if got, err := P2TR("mainnet", x); err == nil || got != "" {
			t.Errorf("P2TR(%x): %q, %v", x, got, err)
		}
	}
}

func TestSolana(t *testing.T) {
	// The system program's address is the zero key; the second is the SPL
	// Token program's (solana.com/docs/core/programs and spl.solana.com/token).
	vectors := map[string]string{
		"0000000000000000000000000000000000000000000000000000000000000000": "11111111111111111111111111111111",
		"06ddf6e1d765a193d9cbe146ceeb79ac1cb485ed5f5b37913a8cf5857eff00a9": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
	}
	for key, want := range vectors {
		if got, err := Address("solana", "mainnet", unhex(t, key)); err != nil || got != want {
			t.Errorf("address of %s is %s, %v; want %s", key, got, err, want)
		}
	}
	key := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	address, err := Address("solana", "regtest", key)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := base58.Decode(address); err != nil || !bytes.Equal(back, key) {
		t.Errorf("%s decodes to %x, %v", address, back, err)
	}
	for _, size := range []int{0, 31, 33, 64} {
		if _, err := Address("solana", "mainnet", make([]byte, size)); err == nil {
			t.Errorf("took a key of %d bytes", size)
		}
	}
}

// Many addresses at once are those of each key, and what is no key has an error.
func TestAddresses(t *testing.T) {
	for _, c := range wire.Chains {
		var keys [][]byte
		for i := range 20 {
			seed := sha256.Sum256([]byte{byte(i)})
			if c.Name == wire.Bitcoin {
				_, public := btcec.PrivKeyFromBytes(seed[:])
				keys = append(keys, public.SerializeCompressed())
			} else {
				keys = append(keys, ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
			}
		}
		keys = append(keys, nil, bytes.Repeat([]byte{255}, len(keys[0])), keys[0][1:])
		for _, network := range []string{"mainnet", "regtest", "none"} {
			got, errs := Addresses(c.Name, network, keys)
			for i, key := range keys {
				want, err := Address(c.Name, network, key)
				if got[i] != want || (errs[i] == nil) != (err == nil) {
					t.Errorf("%s, %s, %x: %q, %v; want %q, %v", c.Name, network, key, got[i], errs[i], want, err)
				}
			}
		}
	}
	if _, errs := Addresses("none", "mainnet", make([][]byte, 1)); errs[0] == nil {
		t.Error("an unknown chain has addresses")
	}
}

func BenchmarkAddresses(b *testing.B) {
	keys := make([][]byte, 1000)
	for i := range keys {
		seed := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		_, public := btcec.PrivKeyFromBytes(seed[:])
		keys[i] = public.SerializeCompressed()
	}
	for name, run := range map[string]func(){
		"together": func() { _, _ = Addresses(wire.Bitcoin, "mainnet", keys) },
		"each": func() {
			for _, key := range keys {
				_, _ = Address(wire.Bitcoin, "mainnet", key)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*len(keys)), "µs/address")
		})
	}
}
