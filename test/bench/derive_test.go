package bench_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/benchreport"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

const (
	derivedAddresses   = 100_000 // of a round
	hdkeychainFraction = 5       // so many times fewer by the other library, which is slower
)

// BenchmarkDerive derives addresses of keys that are certified as a fleet certifies
// them, with all cores: as a user does it with client.Account, and with btcutil's
// hdkeychain and btcd from the same extended key. No fleet takes part.
func BenchmarkDerive(b *testing.B) {
	p := newProofs(b)
	taproot, solana := p.account(b, wire.Bitcoin), p.account(b, wire.Solana)
	other := newHdkeychain(b, taproot)
	var ours, ed25519, ratio []float64
	for range rounds {
		mine, theirs := rate(b, taproot), other.rate(b)
		ours, ratio = append(ours, mine), append(ratio, mine/theirs)
		ed25519 = append(ed25519, rate(b, solana))
		results.Say("derived addresses a second: taproot %.0f, ed25519 %.0f, taproot by hdkeychain %.0f", mine,
			ed25519[len(ed25519)-1], theirs)
	}
	results.RecordSpeed("derived_taproot_addresses_per_second", benchreport.Median(ours), "a second", ">= 60000")
	results.RecordSpeed("derived_ed25519_addresses_per_second", benchreport.Median(ed25519), "a second", ">= 60000")
	results.Record("derived_ratio_to_hdkeychain", benchreport.Median(ratio), "ratio", ">= 3")
	b.Run("list", p.benchList)
}

// rate is how many addresses a second a program gets that does nothing else.
func rate(b *testing.B, a *client.Account) float64 {
	b.Helper()
	start := time.Now()
	for _, err := range a.Addresses(client.Receive, 0, derivedAddresses) {
		if err != nil {
			b.Fatal(err)
		}
	}
	return derivedAddresses / time.Since(start).Seconds()
}

// proofs are a manifest and a key of each chain, as files.
type proofs struct {
	dir      string
	manifest *client.Manifest
	lines    map[string]client.Proof // by chain
	ids      map[string]string
}

func newProofs(b *testing.B) *proofs {
	b.Helper()
	f := wiretest.New(b, 2, 3, map[string][]wire.Kind{"bench": {wire.KindKeygen}},
		func(m *wire.Manifest) { m.Network = "mainnet" })
	p := &proofs{dir: b.TempDir(), lines: map[string]client.Proof{}, ids: map[string]string{}}
	manifest := encode(b, f.Manifest)
	var err error
	if p.manifest, err = client.ParseManifest(manifest); err != nil {
		b.Fatal(err)
	}
	var all []byte
	for chain, key := range map[string]string{ // G, and the key of RFC 8032's first vector
		wire.Bitcoin: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
		wire.Solana:  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
	} {
		public, err := hex.DecodeString(key)
		if err != nil {
			b.Fatal(err)
		}
		job, r := f.Keygen(b, "bench", chain, [][]byte{public})
		p.lines[chain] = client.Proof{Client: "bench", Job: string(job.Payload), Result: r.Encode()}
		p.ids[chain] = r.Keys[0].ID
		all = append(append(all, encode(b, p.lines[chain])...), '\n')
	}
	for name, content := range map[string][]byte{"manifest.json": manifest, "keys.jsonl": all} {
		if err := os.WriteFile(filepath.Join(p.dir, name), content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

func encode(b *testing.B, v any) []byte {
	b.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

func (p *proofs) account(b *testing.B, chain string) *client.Account {
	b.Helper()
	keys, err := p.lines[chain].Verify(p.manifest)
	if err != nil {
		b.Fatal(err)
	}
	a, err := keys[0].Account()
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// hdkeychainBranch derives the same addresses with btcutil and btcd.
type hdkeychainBranch struct {
	branch *hdkeychain.ExtendedKey
	cores  int
}

func newHdkeychain(b *testing.B, a *client.Account) *hdkeychainBranch {
	b.Helper()
	xpub, err := a.ExtendedKey()
	if err != nil {
		b.Fatal(err)
	}
	root, err := hdkeychain.NewKeyFromString(xpub)
	if err != nil {
		b.Fatal(err)
	}
	branch, err := root.Derive(0)
	if err != nil {
		b.Fatal(err)
	}
	h := &hdkeychainBranch{branch, cores}
	want, err := a.Address(client.Receive, 7)
	if err != nil {
		b.Fatal(err)
	}
	if got, err := h.address(7); err != nil || got != want.Address {
		b.Fatalf("hdkeychain has %s, %v; want %s", got, err, want.Address)
	}
	return h
}

func (h *hdkeychainBranch) address(index uint32) (string, error) {
	child, err := h.branch.Derive(index)
	if err != nil {
		return "", err
	}
	public, err := child.ECPubKey()
	if err != nil {
		return "", err
	}
	output := schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(public))
	address, err := btcutil.NewAddressTaproot(output, &chaincfg.MainNetParams)
	if err != nil {
		return "", err
	}
	return address.EncodeAddress(), nil
}

// rate is how many addresses a second all cores derive together.
func (h *hdkeychainBranch) rate(b *testing.B) float64 {
	b.Helper()
	const count = derivedAddresses / hdkeychainFraction
	errs := make([]error, h.cores)
	start := time.Now()
	var wg sync.WaitGroup
	for core := range h.cores {
		wg.Go(func() {
			for i := core; i < count && errs[core] == nil; i += h.cores {
				_, errs[core] = h.address(uint32(i))
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
	return count / took.Seconds()
}
