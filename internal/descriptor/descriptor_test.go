package descriptor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// BIP 380's vectors of checksums, and sums that the Python in BIP 380 makes.
func TestChecksum(t *testing.T) {
	for text, want := range map[string]string{
		"raw(deadbeef)": "89f8spxm",
		"":              "7h0w2xvg", "a": "ywg0ausw", "ab": "y064n3a6",
		inputCharset:                          "fzuaxexw",
		"tr([73c5da0a]" + bip86Root + "/0/*)": "2464v4c7",
		"tr([73c5da0a]" + bip86Root + chains:  "h48p6kwm",
		"tr([73c5da0a]" + bip86Root + "/1/*)": "mpl53qgx",
	} {
		if got, err := Checksum(text); got != want || err != nil {
			t.Errorf("%q has %s, %v", text, got, err)
		}
		if got, err := cutChecksum(text + "#" + want); got != text || err != nil {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
	}
	for _, text := range []string{ // the invalid vectors, in their order
		"raw(deadbeef)", "raw(deadbeef)#", "raw(deadbeef)#89f8spxmx", "raw(deadbeef)#89f8spx",
		"raw(deedbeef)#89f8spxm", "raw(deedbeef)##9f8spxm", "raw(Ü)#00000000",
		"", "#", "#########", "raw(deadbeef)#89F8SPXM", "é",
	} {
		if got, err := cutChecksum(text); err == nil || got != "" {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// A wrong character anywhere is noticed.
func TestChecksumFindsErrors(t *testing.T) {
	good := account(t).String()
	for i := range len(good) {
		for _, c := range inputCharset {
			bad := good[:i] + string(c) + good[i+1:]
			if bad == good {
				continue
			}
			if _, err := cutChecksum(bad); err == nil {
				t.Fatalf("%s passes", bad)
			}
		}
	}
}

// account is the descriptor of BIP 86's root. Its fingerprint, 73c5da0a, is that of
// the mnemonic of the vectors, known from other wallets' tests.
func account(t testing.TB) Descriptor {
	t.Helper()
	k, err := ParseExtendedKey(bip86Root)
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Mainnet, k.Key(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDescriptor(t *testing.T) {
	d := account(t)
	if got := d.String(); got != "tr([73c5da0a]"+bip86Root+"/<0;1>/*)#h48p6kwm" {
		t.Errorf("the root is %s", got)
	}
	// BIP 389: what a multipath descriptor expands into.
	for chain, sum := range []string{"2464v4c7", "mpl53qgx"} {
		want := strings.Replace("tr([73c5da0a]"+bip86Root+"/<0;1>/*)#"+sum, "<0;1>", string(rune('0'+chain)), 1)
		if got := d.Chain(uint32(chain)); got != want {
			t.Errorf("chain %d is %s", chain, got)
		}
	}
	child, err := New(Testnet, d.Key.Key(), derive.Path{5, 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := child.String(); !strings.HasPrefix(got, "tr([73c5da0a/5/1]tpub") {
		t.Errorf("a child is %s", got)
	}
	if _, err := New(Mainnet, d.Key.Key(), make(derive.Path, 7)); !errors.Is(err, derive.ErrTooDeep) {
		t.Errorf("addresses at depth 9: %v", err)
	}
	if _, err := New(Mainnet, derive.Key{Suite: frost.Ed25519}, nil); err == nil {
		t.Error("a descriptor of an Ed25519 key")
	}
}

func TestDescriptorsAreRead(t *testing.T) {
	check := func(seed, chain [32]byte, indexes [maxPath]uint32, n uint8, test bool) bool {
		_, public := btcec.PrivKeyFromBytes(seed[:])
		root := derive.Key{Suite: frost.Secp256k1TR, PublicKey: public.SerializeCompressed(), ChainCode: chain}
		path := derive.Path(indexes[:n%(maxPath+1)])
		for i := range path {
			path[i] &= derive.MaxIndex
		}
		v, other := Mainnet, Testnet
		if test {
			v, other = other, v
		}
		d, err := New(v, root, path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(v, d.String())
		if err != nil || !same(got, d) {
			t.Logf("%s: %+v, %v", d, got, err)
			return false
		}
		_, err = Parse(other, d.String())
		return errors.Is(err, ErrNetwork)
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 40}); err != nil {
		t.Error(err)
	}
}

func same(a, b Descriptor) bool {
	return a.Root == b.Root && slices.Equal(a.Path, b.Path) && a.Key == b.Key
}

func TestDescriptorsRefused(t *testing.T) {
	root := account(t)
	child, err := New(Mainnet, root.Key.Key(), derive.Path{5})
	if err != nil {
		t.Fatal(err)
	}
	x, y := root.Key.String(), child.Key.String()
	for script, want := range map[string]error{
		"": ErrDescriptor, "tr()": ErrDescriptor, "tr([])": ErrDescriptor, "tr([]" + chains: ErrDescriptor,
		"raw(deadbeef)":                                       ErrDescriptor,
		"wpkh([73c5da0a]" + x + chains:                        ErrDescriptor,
		"wsh(tr([73c5da0a]" + x + "/<0;1>/*))":                ErrDescriptor,
		"tr(" + x + chains:                                    ErrDescriptor, // no origin
		"tr([73c5da0a]" + x + ")":                             ErrDescriptor,
		"tr([73c5da0a]" + x + "/0/*)":                         ErrDescriptor,
		"tr([73c5da0a]" + x + "/<1;0>/*)":                     ErrDescriptor,
		"tr([73c5da0a]" + x + "/<0;1;2>/*)":                   ErrDescriptor,
		"tr([73c5da0a]" + x + "/<0;1>/<2;3>/*)":               ErrDescriptor,
		"tr([73c5da0a]" + x + "/<0;1>/*h)":                    ErrDescriptor,
		"tr([73c5da0a]" + x + "/<0;1>/*,pk(" + x + "))":       ErrDescriptor,
		"tr([73c5da0a]" + x + "/3/<0;1>/*)":                   ErrExtendedKey,
		"tr([73C5DA0A]" + x + chains:                          ErrDescriptor,
		"tr([73c5da0]" + x + chains:                           ErrDescriptor,
		"tr([73c5da0a0]" + x + chains:                         ErrDescriptor,
		"tr([73c5da0a00]" + x + chains:                        ErrDescriptor,
		"tr([g3c5da0a]" + x + chains:                          ErrDescriptor,
		"tr([73c5da0b]" + x + chains:                          ErrDescriptor, // not the key's
		"tr([73c5da0a][73c5da0a]" + x + chains:                ErrExtendedKey,
		"tr([73c5da0a/]" + x + chains:                         derive.ErrMalformed,
		"tr([73c5da0a/*]" + x + chains:                        derive.ErrMalformed,
		"tr([73c5da0a/<0;1>]" + x + chains:                    derive.ErrMalformed,
		"tr([73c5da0a/86h/0h/0h]" + y + chains:                derive.ErrHardened,
		"tr([73c5da0a/86'/0'/0']" + y + chains:                derive.ErrHardened,
		"tr([73c5da0a/2147483648]" + y + chains:               derive.ErrIndex,
		"tr([73c5da0a/1/2/3/4/5/6/7]" + y + chains:            derive.ErrTooDeep,
		"tr([73c5da0a/1/2/3/4/5/6/7/8/9]" + y + chains:        derive.ErrTooDeep,
		"tr([73c5da0a/5]" + x + chains:                        ErrDescriptor, // the root is at no depth
		"tr([73c5da0a]" + y + chains:                          ErrDescriptor,
		"tr([73c5da0a/5/5]" + y + chains:                      ErrDescriptor,
		"tr([73c5da0a/4]" + y + chains:                        ErrDescriptor,
		"tr([deadbeef/5]" + y + chains:                        ErrDescriptor, // another parent
		"tr([73c5da0a]" + strings.Repeat("x", 1<<20) + chains: ErrDescriptor,
	} {
		if d, err := Parse(Mainnet, addChecksum(script)); !errors.Is(err, want) || !same(d, Descriptor{}) {
			t.Errorf("%.150s: %+v, %v; want %v", script, d, err, want)
		}
	}
	if _, err := Parse(Mainnet, "raw(Ü)#00000000"); !errors.Is(err, ErrDescriptor) {
		t.Errorf("a character outside of the alphabet: %v", err)
	}
	for _, text := range []string{"tr([73c5da0a]" + x + chains, root.String() + "x", "x" + root.String()} {
		if _, err := Parse(Mainnet, text); !errors.Is(err, ErrChecksum) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	root := account(f)
	child, err := New(Testnet, root.Key.Key(), derive.Path{5, 6})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.TrimSuffix(root.String(), "#h48p6kwm"))
	f.Add(child.text(chains))
	f.Add("tr([73c5da0a/86h]" + bip86Account + chains)
	f.Fuzz(func(t *testing.T, script string) {
		sum, err := Checksum(script) // a fuzzer finds none
		if err != nil {
			return
		}
		for _, v := range []Version{Mainnet, Testnet} {
			d, err := Parse(v, script+"#"+sum)
			if err != nil && !same(d, Descriptor{}) || err == nil && d.String() != script+"#"+sum {
				t.Fatalf("%q is %+v, %v", script, d, err)
			}
		}
	})
}
