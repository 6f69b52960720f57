package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/descriptor"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// The keys of tests: multiples of the base points that have known encodings.
var (
	secpKeys = []string{
		"0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", // G
		"02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5", // 2G
	}
	edKeys = []string{
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", // RFC 8032, 7.1, test 1
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", // test 2
	}
)

// savedKeys writes a manifest and a file of keys in the working folder, as keygen --out
// writes it: a line of bitcoin keys and one of solana keys. It returns the keys.
func savedKeys(t testing.TB, network string) (bitcoin, solana []wire.Key) {
	t.Helper()
	f := wiretest.New(t, 2, 3, map[string][]wire.Kind{"alice": {wire.KindKeygen}},
		func(m *wire.Manifest) { m.Network = network })
	manifest, err := json.Marshal(f.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	line := func(chain string, keys []string) ([]byte, []wire.Key) {
		var public [][]byte
		for _, k := range keys {
			b, err := hex.DecodeString(k)
			if err != nil {
				t.Fatal(err)
			}
			public = append(public, b)
		}
		job, r := f.Keygen(t, "alice", chain, public)
		var out bytes.Buffer
		if err := printJSON(&out, client.Proof{Client: "alice", Job: string(job.Payload), Result: r.Encode()}); err != nil {
			t.Fatal(err)
		}
		return out.Bytes(), r.Keys
	}
	first, bitcoin := line("bitcoin", secpKeys)
	second, solana := line("solana", edKeys)
	for name, content := range map[string][]byte{
		"manifest.json": manifest, defaultKeys: append(first, second...), "bitcoin.jsonl": first, "solana.jsonl": second,
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return bitcoin, solana
}

// offline is a working folder with keys in it, and no way to a fleet.
func offline(t *testing.T, network string) (bitcoin, solana []wire.Key) {
	t.Chdir(t.TempDir())
	t.Setenv("FROSTCTL_CONFIG", "")
	return savedKeys(t, network)
}

func printed(t *testing.T, args string) string {
	t.Helper()
	stdout, stderr, code := call(t, "", strings.Fields(args+" --manifest manifest.json")...)
	if code != 0 || stderr != "" {
		t.Fatalf("%s: exit code %d, said %q", args, code, stderr)
	}
	return stdout
}

// TestAddresses: all formats have the same, on every network: what btcutil derives from
// the extended public key that this program prints.
func TestAddresses(t *testing.T) {
	for network, params := range map[string]*chaincfg.Params{
		"mainnet": &chaincfg.MainNetParams, "testnet": &chaincfg.TestNet3Params,
		"signet": &chaincfg.SigNetParams, "regtest": &chaincfg.RegressionNetParams,
	} {
		t.Run(network, func(t *testing.T) {
			bitcoin, _ := offline(t, network)
			for _, k := range bitcoin {
				xpub := strings.TrimSpace(printed(t, "keys xpub --key "+k.ID))
				oracle, err := hdkeychain.NewKeyFromString(xpub)
				if err != nil || !oracle.IsForNet(params) {
					t.Fatalf("%s: %v", xpub, err)
				}
				table := strings.Split(printed(t, "addresses --from 8 --count 3 --change --key "+k.ID), "\n")
				rows, err := csv.NewReader(strings.NewReader(
					printed(t, "addresses --csv --from 8 --count 3 --change --key "+k.ID))).ReadAll()
				lines := strings.Split(printed(t, "--json addresses --from 8 --count 3 --change --key "+k.ID), "\n")
				if err != nil || len(table) != 5 || len(rows) != 4 || len(lines) != 4 ||
					table[0] != "PATH  ADDRESS" || strings.Join(rows[0], " ") != "key path address" {
					t.Fatalf("%q\n%q, %v\n%q", table, rows, err, lines)
				}
				for i := range 3 {
					path, address := fmt.Sprintf("1/%d", 8+i), childAddress(t, oracle, params, 1, uint32(8+i))
					if want := fmt.Sprintf("%-4s  %s", path, address); table[1+i] != want {
						t.Errorf("table: %q, want %q", table[1+i], want)
					}
					if want := k.ID + " " + path + " " + address; strings.Join(rows[1+i], " ") != want {
						t.Errorf("CSV: %q, want %q", rows[1+i], want)
					}
					if want := fmt.Sprintf(`{"key":%q,"path":%q,"address":%q}`, k.ID, path, address); lines[i] != want {
						t.Errorf("JSON: %s, want %s", lines[i], want)
					}
				}
			}
		})
	}
}

// TestSolanaAddresses: they are those of the package client; the key file may come from
// standard input.
func TestSolanaAddresses(t *testing.T) {
	_, solana := offline(t, "mainnet")
	file, err := os.ReadFile("solana.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	m, err := client.LoadManifest("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	_, keys, err := verifyProof(file, m)
	if err != nil {
		t.Fatal(err)
	}
	account, err := keys[1].Account()
	if err != nil {
		t.Fatal(err)
	}
	below, err := account.At("4")
	if err != nil {
		t.Fatal(err)
	}
	want, err := below.Address(client.Receive, 2147483647)
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := call(t, string(file), "addresses", "--keys", "-", "--key", solana[1].ID, "--account", "4",
		"--count", "1", "--from", "2147483647", "--manifest", "manifest.json")
	if code != 0 || stdout != "PATH            ADDRESS\n4/0/2147483647  "+want.Address+"\n" {
		t.Errorf("exit code %d, printed %q, said %q", code, stdout, stderr)
	}
}

// TestDescriptors: what keys descriptor prints is what the result has, and verify finds
// whose it is.
func TestDescriptors(t *testing.T) {
	bitcoin, _ := offline(t, "signet")
	k := bitcoin[1]
	both := printed(t, "keys descriptor --key "+k.ID)
	if both != k.Descriptor+"\n" || !strings.Contains(both, "]tpub") {
		t.Errorf("%s, the result has %s", both, k.Descriptor)
	}
	split := printed(t, "keys descriptor --split --key "+k.ID)
	var line descriptorLine
	if err := json.Unmarshal([]byte(printed(t, "--json keys descriptor --key "+k.ID)), &line); err != nil {
		t.Fatal(err)
	}
	if line.Descriptor != k.Descriptor || line.Receive+"\n"+line.Change+"\n" != split || line.Network != "signet" {
		t.Errorf("%+v\n%s", line, split)
	}
	if stdout := printed(t, "verify --keys keys.jsonl --descriptor "+k.Descriptor); !strings.HasSuffix(stdout,
		"\nthe descriptor is of key "+k.ID+"\n") {
		t.Errorf("%s", stdout)
	}
	account := strings.TrimSpace(printed(t, "keys descriptor --account 5/6 --key "+k.ID))
	if stdout := printed(t, "--json verify --keys keys.jsonl --descriptor "+account); !strings.Contains(stdout,
		`"descriptor":{"key":"`+k.ID+`","path":"5/6"}`) {
		t.Errorf("%s", stdout)
	}
	if xpub := strings.TrimSpace(printed(t, "keys xpub --account 5/6 --key "+k.ID)); !strings.Contains(account, xpub) {
		t.Errorf("%s is not in %s", xpub, account)
	}
	var x xpubLine
	if err := json.Unmarshal([]byte(printed(t, "--json keys xpub --account 5/6 --key "+k.ID)), &x); err != nil ||
		!strings.Contains(account, x.Xpub) || x.Account != "5/6" || x.Key != k.ID {
		t.Errorf("%+v, %v", x, err)
	}
}

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
		"keys":                                                              {exitUsage, "descriptor, xpub"},
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

// sink takes output, counts its rows and is asked after each write whether that is enough.
type sink struct {
	rows  int
	last  []byte // what was written last
	wrote func(rows int) error
}

func (s *sink) Write(p []byte) (int, error) {
	s.rows += bytes.Count(p, []byte("\n"))
	s.last = append(s.last[:0], p...)
	return len(p), s.wrote(s.rows)
}

// deriveInto derives all addresses that a key has, until out has enough.
func deriveInto(ctx context.Context, out *sink, args ...string) (stderr string, code int) {
	root := newRootCommand()
	var errs bytes.Buffer
	root.SetArgs(append([]string{"addresses", "--count", "2147483648", "--manifest", "manifest.json"}, args...))
	root.SetOut(out)
	root.SetErr(&errs)
	code = command.Run(ctx, root, exits...)
	return errs.String(), code
}

// TestAddressesInConstantMemory: rows come from the beginning, in every format, and
// nothing of what was printed is kept.
func TestAddressesInConstantMemory(t *testing.T) {
	bitcoin, _ := offline(t, "mainnet")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2)) // each core has a chunk in work
	const from, to, each = 5_000, 45_000, 80        // a row that were kept would take 80 bytes at least
	for _, format := range []string{"--csv=false", "--csv", "--json"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var before, after uint64
		out := &sink{wrote: func(rows int) error {
			switch {
			case before == 0 && rows >= from:
				before = liveHeap()
			case after == 0 && rows >= to:
				after = liveHeap()
				cancel()
			}
			return nil
		}}
		stderr, code := deriveInto(ctx, out, format, "--key", bitcoin[0].ID)
		if code != command.CodeInterrupted || after == 0 || after > before+(to-from)*each/2 {
			t.Errorf("%s: %d bytes in use after %d rows, %d after %d; exit code %d, said %q", format, before, from, after, to,
				code, stderr)
		}
	}
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestAddressesInterrupted: what is printed ends with a whole row, and the exit code is
// that of an interruption; a disk that is full ends it too.
func TestAddressesInterrupted(t *testing.T) {
	bitcoin, _ := offline(t, "mainnet")
	ctx, cancel := context.WithCancel(t.Context())
	out := &sink{wrote: func(int) error { cancel(); return nil }}
	stderr, code := deriveInto(ctx, out, "--csv", "--key", bitcoin[0].ID)
	if code != command.CodeInterrupted || !strings.Contains(stderr, "frostctl: interrupted\n") || out.rows < 2 ||
		!bytes.HasSuffix(out.last, []byte("\n")) {
		t.Errorf("exit code %d, said %q, printed %d rows that end with %q", code, stderr, out.rows, out.last)
	}
	full := &sink{wrote: func(int) error { return errors.New("no space left on device") }}
	if stderr, code := deriveInto(t.Context(), full, "--key", bitcoin[0].ID); code != exitError ||
		!strings.Contains(stderr, "no space left") {
		t.Errorf("a full disk: exit code %d, said %q", code, stderr)
	}
}

// childAddress is what btcutil and btcd make of an extended key.
func childAddress(t *testing.T, k *hdkeychain.ExtendedKey, params *chaincfg.Params, path ...uint32) string {
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
	output := schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(internal))
	address, err := btcutil.NewAddressTaproot(output, params)
	if err != nil {
		t.Fatal(err)
	}
	return address.EncodeAddress()
}
