// Package interop_test compares what the project derives and signs with what others
// wrote: bitcoinjs-lib with bip32, @scure/btc-signer, embit and BDK for Bitcoin,
// @solana/web3.js 1.x and solders for Solana. Each library is a program of this folder
// that reads questions, a JSON object a line, and answers each with a line: how much it
// compared, and what is wrong. The keys come out of real fleets, one on each network.
package interop_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

var (
	count = flag.Int("addresses", 1000, "how many addresses each library compares")
	seed  = flag.Uint64("seed", 0, "of the choice of keys, paths and indexes (0: another each time)")
)

// random chooses. Only the fleets' keys differ from run to run of one seed.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	from := *seed
	if from == 0 {
		from = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", from)
	return rand.New(rand.NewPCG(from, 0))
}

// must returns what a call that can't fail here returns.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// TestLibraries: keys of each network, and all libraries.
func TestLibraries(t *testing.T) {
	all, core, r := start(t), startEngine(t), random(t)
	frostctl := build(t, "frostctl")
	for i, network := range networks {
		t.Run(network, func(t *testing.T) {
			f := startFleet(t, frostctl, network, keysFor(*count))
			f.random = r
			t.Run("frostctl", func(t *testing.T) { f.testFrostctl(t, all, accounts[i%2]) })
			t.Run("account", func(t *testing.T) { f.testAccount(t, all, share(*count, i)) })
			t.Run("signatures", func(t *testing.T) { f.testSignatures(t, all) })
			t.Run("wrong", func(t *testing.T) { f.testWrong(t, all) })
			t.Run("PSBTs", func(t *testing.T) { f.testPSBTs(t, all, core, i, transactionsFor(*count), manyInputs(*count)) })
			t.Run("wrong PSBTs", func(t *testing.T) { f.testWrongPSBTs(t, all, core) })
			t.Run("transactions", func(t *testing.T) { f.testTransactions(t, all, i, transactionsFor(*count)) })
			t.Run("wrong transactions", func(t *testing.T) { f.testWrongTransactions(t, all) })
			t.Run("messages", func(t *testing.T) { f.testMessages(t, all, i, transactionsFor(*count)) })
			if network == "mainnet" {
				t.Run("refused", f.testRefused)
			}
		})
	}
	t.Run("vectors", func(t *testing.T) {
		t.Run("BIP 86", func(t *testing.T) { testBIP86(t, all.of(wire.Bitcoin)) })
		t.Run("BIP 341", testBIP341)
		t.Run("BIP 386", func(t *testing.T) { testBIP386(t, all.descriptors()) })
	})
	for _, p := range append(all, core) {
		fmt.Fprintf(os.Stderr, "%-10s compared %d in %.1f s\n", p.name, p.compared, p.busy.Seconds())
	}
}

var networks = []string{"mainnet", "testnet", "signet", "regtest"}

// share is one network's part of a number.
func share(n, i int) int { return (n + i) / len(networks) }

// keysFor is how many keys of each chain a fleet generates.
func keysFor(addresses int) int { return min(20+addresses/200, 500) }

// transactionsFor is how many transactions each library makes on each network.
func transactionsFor(addresses int) int { return 1 + min(addresses/8000, 12) }

// manyInputs is how many inputs the largest PSBTs have.
func manyInputs(addresses int) int { return min(20+addresses/500, 200) }
