package main

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestDeriveRefuses: each has its code, its sentence and its exit code.
func TestDeriveRefuses(t *testing.T) {
	bitcoin, solana := offline(t, "mainnet")
	key, ed := " --key "+bitcoin[0].ID, " --key "+solana[0].ID
	own := bitcoin[0].Descriptor
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"addresses --count 1":                                               {exitUsage, `"key" not set`},
		"addresses" + key:                                                   {exitUsage, `"count" not set`},
		"addresses --count 1 --key x":                                       {exitUsage, "32 hexadecimal digits"},
		"addresses --count 0" + key:                                         {exitUsage, "--count 0: bad_count"},
		"addresses --count -1" + key:                                        {exitUsage, "--count -1: bad_count"},
		"addresses --count 2147483649" + key:                                {exitUsage, "bad_count: from index 0 on there are 1 to 2147483648"},
		"addresses --count 3 --from 2147483646" + key:                       {exitUsage, "there are 1 to 2"},
		"addresses --count 1 --from 2147483648" + key:                       {exitUsage, "--from 2147483648: bad_path"},
		"addresses --count 1 --from -1" + key:                               {exitUsage, "--from -1: bad_path"},
		"addresses --count 1 --csv --json" + key:                            {exitUsage, "choose one"},
		"addresses --count 1 --account 0'" + key:                            {exitUsage, "--account: bad_path: step 1: a hardened step"},
		"addresses --count 1 --account 1/2/3/4/5/6/7" + key:                 {exitUsage, "want at most 6"},
		"addresses --count 1 --account 1/2/3/4/5/6/7/8/9" + key:             {exitUsage, "too many steps"},
		"addresses --count 1 --account 2147483648" + key:                    {exitUsage, "out of range"},
		"addresses --count 1 --account m/0" + key:                           {exitUsage, "not a path"},
		"addresses --count 1 --keys solana.jsonl" + key:                     {exitError, "is not in solana.jsonl"},
		"addresses --count 1 --keys none.jsonl" + key:                       {exitError, "none.jsonl: no such file"},
		"keys xpub" + ed:                                                    {exitUsage, "no_extended_key: "},
		"keys descriptor" + ed:                                              {exitUsage, "no_extended_key: "},
		"keys":                                                              {exitUsage, "descriptor, export, label, list, show, xpub"},
		"verify --keys keys.jsonl --descriptor tr(x)":                       {exitUsage, "bad_descriptor: descriptor without its"},
		"verify --keys keys.jsonl --descriptor " + own[:60]:                 {exitUsage, "bad_descriptor"},
		"verify --keys solana.jsonl --descriptor " + own:                    {exitUnproven, "of none of the keys in solana.jsonl"},
		"verify --keys keys.jsonl --descriptor " + onTestnet(t, bitcoin[0]): {exitUnproven, "other_network: "},
	} {
		stdout, stderr, code := call(t, "", append(strings.Fields(args), "--manifest", "manifest.json")...)
		if args == "keys" {
			stdout, stderr, code = call(t, "", "keys")
		}
		if code != want.code || stdout != "" || !strings.Contains(stderr, want.says) {
			t.Errorf("%s: exit code %d, printed %q, said %q; want %d and %q", args, code, stdout, stderr, want.code,
				want.says)
		}
	}
	if _, stderr, code := call(t, "", strings.Fields("addresses --count 1"+key)...); code != exitUsage ||
		!strings.Contains(stderr, "--manifest") {
		t.Errorf("without a manifest: exit code %d, said %q", code, stderr)
	}
}

// onTestnet is the descriptor of the same key on another network.
func onTestnet(t *testing.T, k wire.Key) string {
	t.Helper()
	root := derive.Key{Suite: frost.Secp256k1TR, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}
	d, err := descriptor.New(descriptor.Testnet, root, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

// TestDeriveProves: what was tampered with derives nothing.
func TestDeriveProves(t *testing.T) {
	bitcoin, _ := offline(t, "mainnet")
	file, err := os.ReadFile("bitcoin.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	k := bitcoin[0]
	for name, change := range map[string][2]string{
		"a key":        {hex.EncodeToString(k.PublicKey), hex.EncodeToString(bitcoin[1].PublicKey)},
		"a chain code": {hex.EncodeToString(k.ChainCode), strings.Repeat("ab", 32)},
		"an address":   {k.Address, bitcoin[1].Address},
		"a descriptor": {k.Descriptor, bitcoin[1].Descriptor},
		"a count":      {`\"count\":2`, `\"count\":3`},
	} {
		tampered := strings.Replace(string(file), change[0], change[1], 1)
		if tampered == string(file) {
			t.Fatalf("%s: nothing was changed", name)
		}
		for _, args := range []string{"addresses --count 1", "keys xpub", "keys descriptor"} {
			stdout, stderr, code := call(t, tampered,
				strings.Fields(args+" --keys - --manifest manifest.json --key "+k.ID)...)
			if code != exitUnproven || stdout != "" || !strings.Contains(stderr, "does not prove what it claims") {
				t.Errorf("%s, %s: exit code %d, printed %q, said %q", args, name, code, stdout, stderr)
			}
		}
	}
	savedKeys(t, "mainnet") // another fleet's manifest
	args := strings.Fields("addresses --count 1 --keys - --manifest manifest.json --key " + k.ID)
	if _, stderr, code := call(t, string(file), args...); code != exitUnproven ||
		!strings.Contains(stderr, "ask the operators") {
		t.Errorf("another manifest: exit code %d, said %q", code, stderr)
	}
}
