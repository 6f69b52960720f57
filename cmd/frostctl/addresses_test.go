package main

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"

	"github.com/frostfleet/frostfleet/client"
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
