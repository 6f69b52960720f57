package client

import (
	"fmt"
	"runtime"
	"testing"

	"filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// randomKey is a key as if it were proven.
func randomKey(t testing.TB, chain, network string) Key {
	t.Helper()
	key, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	k := Key{ID: "x", Chain: chain, PublicKey: key.PubKey().SerializeCompressed(), ChainCode: message(9), network: network}
	if chain == wire.Solana {
		s, err := edwards25519.NewScalar().SetUniformBytes(append(key.Serialize(), make([]byte, 32)...))
		if err != nil {
			t.Fatal(err)
		}
		k.PublicKey = new(edwards25519.Point).ScalarBaseMult(s).Bytes()
	}
	return k
}

// Another library, given the account's extended key, has the same addresses: at the ends
// of runs, and where there are no more.
func TestAddressesAgreeWithHdkeychain(t *testing.T) {
	for network, params := range map[string]*chaincfg.Params{
		"mainnet": &chaincfg.MainNetParams, "testnet": &chaincfg.TestNet3Params,
		"signet": &chaincfg.SigNetParams, "regtest": &chaincfg.RegressionNetParams,
	} {
		root := accountOf(t, randomKey(t, wire.Bitcoin, network))
		below, err := root.At("3/2147483647")
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []*Account{root, below} {
			text, err := a.ExtendedKey()
			if err != nil {
				t.Fatal(err)
			}
			oracle, err := hdkeychain.NewKeyFromString(text)
			if err != nil || !oracle.IsForNet(params) {
				t.Fatalf("%s: %s, %v", network, text, err)
			}
			for _, run := range []struct {
				branch Branch
				first  uint32
				count  int
			}{{Receive, 0, 3}, {Change, 7, chunk*runtime.GOMAXPROCS(0) + 1}, {Receive, MaxIndex - chunk, chunk + 1}} {
				got := all(t, a, run.branch, run.first, run.count)
				if len(got) != run.count {
					t.Fatalf("%d addresses, want %d", len(got), run.count)
				}
				for _, i := range []int{0, 1, run.count / 2, run.count - 2, run.count - 1} {
					index := run.first + uint32(i)
					path := fmt.Sprintf("%d/%d", run.branch, index)
					if a.Path() != "" {
						path = a.Path() + "/" + path
					}
					if want := (Address{path, hdAddress(t, oracle, params, uint32(run.branch), index)}); got[i] != want {
						t.Errorf("%s: %v, want %v", network, got[i], want)
					}
				}
			}
		}
	}
}

// hdAddress is what btcutil and btcd make of an extended key.
func hdAddress(t testing.TB, k *hdkeychain.ExtendedKey, params *chaincfg.Params, path ...uint32) string {
	t.Helper()
	for _, index := range path {
		var err error
		if k, err = k.Derive(index); err != nil {
			t.Fatal(err)
		}
	}
	internal, err := k.ECPubKey()
	if err != nil {
		t.Fatal(err)
	}
	output := txscript.ComputeTaprootKeyNoScript(internal)
	address, err := btcutil.NewAddressTaproot(schnorr.SerializePubKey(output), params)
	if err != nil {
		t.Fatal(err)
	}
	return address.EncodeAddress()
}

// The order is that of the indexes, and no index is twice there or missing, however the
// cores divide the work.
func TestAddressesInOrder(t *testing.T) {
	for _, chain := range wire.ChainNames() {
		a := accountOf(t, randomKey(t, chain, "regtest"))
		const first, count = 990, 4*chunk + 17
		seen := map[string]bool{}
		for i, got := range all(t, a, Change, first, count) {
			if want := fmt.Sprintf("1/%d", first+i); got.Path != want || seen[got.Address] {
				t.Fatalf("%s: number %d is %v, want path %s; twice: %v", chain, i, got, want, seen[got.Address])
			}
			seen[got.Address] = true
		}
		if len(seen) != count {
			t.Errorf("%s: %d addresses, want %d", chain, len(seen), count)
		}
	}
}

// All addresses that there are can be asked for: they come as they are read, and what
// was read is let go.
func TestAddressesInConstantMemory(t *testing.T) {
	// An address that were kept would take 80 bytes at least. What a chunk in work takes, a megabyte, may be in
	// use at one of the two looks and not at the other.
	const from, to, each = 2_000, 52_000, 80
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // each core has a chunk in work
	for _, chain := range wire.ChainNames() {
		a := accountOf(t, randomKey(t, chain, "mainnet"))
		done := 0
		var before, after uint64
		for _, err := range a.Addresses(Receive, 0, MaxIndex+1) {
			if err != nil {
				t.Fatal(err)
			}
			if done++; done == from {
				before = liveHeap()
			}
			if done == to {
				after = liveHeap()
				break
			}
		}
		if after > before+(to-from)*each/2 {
			t.Errorf("%s: %d bytes in use after %d addresses, %d after %d", chain, before, from, after, to)
		}
	}
}

// liveHeap is how many bytes are in use.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkAddresses is what a user gets, with all cores that -cpu gives.
func BenchmarkAddresses(b *testing.B) {
	for _, chain := range wire.ChainNames() {
		b.Run(chain, func(b *testing.B) {
			a := accountOf(b, randomKey(b, chain, "mainnet"))
			b.ResetTimer()
			for _, err := range a.Addresses(Receive, 0, b.N) {
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
