package chain

import (
	"fmt"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// childRoots are a root of each chain: the account of BIP 86's vectors, and the Ed25519
// key of RFC 8032's first vector.
func childRoots(t testing.TB) map[string]derive.Key {
	t.Helper()
	account, err := descriptor.ParseExtendedKey("xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3" +
		"UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]derive.Key{
		wire.Bitcoin: account.Key(),
		wire.Solana: {Suite: frost.Ed25519, ChainCode: [32]byte{1},
			PublicKey: unhex(t, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")},
	}
}

func branch(t testing.TB, root derive.Key, path ...uint32) *derive.Branch {
	t.Helper()
	b, err := derive.NewBranch(root, path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The addresses of BIP 86's vectors, from the account's extended key.
func TestBIP86Children(t *testing.T) {
	root := childRoots(t)[wire.Bitcoin]
	for chain, want := range [][]string{
		{"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
			"bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"},
		{"bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"},
	} {
		got, err := Children(wire.Bitcoin, "mainnet", branch(t, root, uint32(chain)), 0, len(want))
		if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("chain %d: %s, %v", chain, got, err)
		}
	}
}

// A run has the addresses that its children's keys have.
func TestChildrenAreAddresses(t *testing.T) {
	for chain, root := range childRoots(t) {
		b := branch(t, root, 0)
		for _, network := range []string{"mainnet", "testnet", "signet", "regtest"} {
			for _, count := range []int{1, 40} {
				const first = 990
				got, err := Children(chain, network, b, first, count)
				if err != nil || len(got) != count {
					t.Fatalf("%s, %s: %d, %v", chain, network, len(got), err)
				}
				for i := range got {
					k, err := root.Child(derive.Path{0, first + uint32(i)})
					if err != nil {
						t.Fatal(err)
					}
					if want, err := Address(chain, network, k.PublicKey); err != nil || got[i] != want {
						t.Fatalf("%s, %s, child %d: %s, want %s, %v", chain, network, i, got[i], want, err)
					}
				}
			}
		}
	}
}

func TestChildrenRefuse(t *testing.T) {
	roots := childRoots(t)
	for chain, other := range map[string]string{wire.Bitcoin: wire.Solana, wire.Solana: wire.Bitcoin} {
		if _, err := Children(chain, "mainnet", branch(t, roots[other]), 0, 1); err == nil {
			t.Errorf("%s took a key of %s", chain, other)
		}
		if _, err := Children(chain, "mainnet", branch(t, roots[chain]), derive.MaxIndex, 2); err == nil {
			t.Errorf("%s has hardened children", chain)
		}
	}
	if _, err := Children("ethereum", "mainnet", branch(t, roots[wire.Bitcoin]), 0, 1); err == nil {
		t.Error("an unknown chain")
	}
	if _, err := Children(wire.Bitcoin, "nonet", branch(t, roots[wire.Bitcoin]), 0, 1); err == nil {
		t.Error("an unknown network")
	}
	for _, c := range wire.Chains {
		if children[c.Name] == nil {
			t.Errorf("%s has no children", c.Name)
		}
	}
}

// The descriptor of a certified key is that which internal/descriptor makes of it.
func TestDescriptor(t *testing.T) {
	root := childRoots(t)[wire.Bitcoin]
	for _, network := range []string{"mainnet", "testnet", "signet", "regtest"} {
		version, err := ExtendedKeyVersion(network)
		if err != nil {
			t.Fatal(err)
		}
		want, err := descriptor.New(version, root, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Descriptor(wire.Bitcoin, network, root.PublicKey, root.ChainCode); err != nil || got != want.String() {
			t.Errorf("%s: %s, %v; want %s", network, got, err, want)
		}
		if got, err := Descriptor(wire.Solana, network, root.PublicKey[1:], root.ChainCode); err != nil || got != "" {
			t.Errorf("solana has descriptor %s, %v", got, err)
		}
	}
	for name, err := range map[string]error{
		"another network": errorOf(Descriptor(wire.Bitcoin, "nonet", root.PublicKey, root.ChainCode)),
		"a short key":     errorOf(Descriptor(wire.Bitcoin, "mainnet", root.PublicKey[1:], root.ChainCode)),
	} {
		if err == nil {
			t.Errorf("%s has a descriptor", name)
		}
	}
}

func errorOf(_ string, err error) error { return err }

func TestExtendedKeyVersion(t *testing.T) {
	for network, want := range map[string]descriptor.Version{
		"mainnet": descriptor.Mainnet, "testnet": descriptor.Testnet,
		"signet": descriptor.Testnet, "regtest": descriptor.Testnet,
	} {
		if got, err := ExtendedKeyVersion(network); err != nil || got != want {
			t.Errorf("%s: %x, %v", network, got, err)
		}
	}
	if _, err := ExtendedKeyVersion("nonet"); err == nil {
		t.Error("an unknown network has a version")
	}
}

// BenchmarkChildren is what an address of a long list costs.
func BenchmarkChildren(b *testing.B) {
	for chain, root := range childRoots(b) {
		for _, count := range []int{1, 1000} {
			b.Run(fmt.Sprintf("%s/%d", chain, count), func(b *testing.B) {
				parent := branch(b, root, 0)
				b.ResetTimer()
				for i := range b.N {
					if _, err := Children(chain, "mainnet", parent, uint32(i*count)&(derive.MaxIndex>>1), count); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/float64(b.N*count), "µs/address")
			})
		}
	}
}

// BenchmarkDescriptor is what a result's descriptor costs its gateway, and its client again.
func BenchmarkDescriptor(b *testing.B) {
	root := childRoots(b)[wire.Bitcoin]
	for b.Loop() {
		if _, err := Descriptor(wire.Bitcoin, "mainnet", root.PublicKey, root.ChainCode); err != nil {
			b.Fatal(err)
		}
	}
}
