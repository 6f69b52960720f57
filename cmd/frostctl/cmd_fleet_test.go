package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// cards writes the cards of a fleet's nodes as frost-worker enroll prints them.
func cards(t *testing.T) (files []string, m *wire.Manifest) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, stderr, code := call(t, "", "fleet", "init", dir, "--name", "main"); code != 0 {
		t.Fatal(stderr)
	}
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if m, err = wire.ParseManifest(data); err != nil {
		t.Fatal(err)
	}
	for i, node := range m.Nodes {
		text, err := json.MarshalIndent(wire.Card{
			Version: wire.CardVersion, Fleet: m.Fleet, Network: m.Network, N: m.N, T: m.T, Epoch: m.Epoch, NodeCard: node,
		}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprintf("card%d.json", i))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files, m
}

// TestFleetFromCards: cards become a manifest, and the manifest a fleet.
func TestFleetFromCards(t *testing.T) {
	t.Chdir(t.TempDir())
	files, m := cards(t)
	args := append([]string{"fleet", "manifest", "--name", "main", "--network", "regtest", "--threshold", "2"}, files...)
	stdout, stderr, code := call(t, "", args...)
	if want := fmt.Sprintf("fleet main: 2 of 3 on regtest, manifest %x in manifest.json\n", m.Hash()); code != 0 || stdout != want {
		t.Fatalf("exit code %d, printed %q, said %q", code, stdout, stderr)
	}
	if _, stderr, code = call(t, "", args...); code != exitError || !strings.Contains(stderr, "not replaced") {
		t.Errorf("again: exit code %d, said %q", code, stderr)
	}
	stdout, _, code = call(t, "", append(args, "--json", "--out", "other.json")...)
	if code != 0 || !strings.Contains(stdout, fmt.Sprintf(`"hash":"%x"`, m.Hash())) {
		t.Errorf("exit code %d, printed %q", code, stdout)
	}
	if _, stderr, code = call(t, "", append(args, files[0])...); code != exitError || !strings.Contains(stderr, "both of node 0") {
		t.Errorf("a card twice: exit code %d, said %q", code, stderr)
	}
	stdout, stderr, code = call(t, "", "fleet", "init", "fleet", "--manifest", "manifest.json", "--bus-url", "nats://127.0.0.1:4222")
	if code != 0 || !strings.Contains(stdout, "give every node fleet/manifest.json and fleet/access.toml") {
		t.Errorf("exit code %d, printed %q, said %q", code, stdout, stderr)
	}
	if _, err := os.Stat("fleet/node0"); err == nil {
		t.Error("a node was written")
	}
}

func TestFleetUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for args, says := range map[string]string{
		"fleet manifest --name a --network regtest --threshold 1":     "too few",
		"fleet manifest card.json":                                    "name",
		"fleet init x --manifest m.json --nodes 3":                    "nodes",
		"fleet init x --nodes -1":                                     "--nodes -1",
		"fleet init x --nodes 129":                                    "at most 128",
		"fleet init x --threshold 4":                                  "--threshold 4",
		"fleet init x --threshold -1":                                 "--threshold -1",
		"fleet init x --bus-port 0":                                   "--bus-port",
		"fleet init x --server-port 65534":                            "above 65535",
		"fleet init x --network moon":                                 "use mainnet, testnet, signet or regtest",
		"fleet key":                                                   "too few",
		"fleet key k":                                                 "gateway client",
		"fleet key k --gateway a --client b":                          "gateway client",
		"fleet key k --gateway a --kinds sign":                        "kinds",
		"fleet key k --client a --kinds ":                             "--kinds is empty",
		"fleet manifest --name a --network b --threshold x card.json": "threshold",
	} {
		if stdout, stderr, code := call(t, "", strings.Split(args, " ")...); code != exitUsage || stdout != "" || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit code %d, printed %q, said %q", args, code, stdout, stderr)
		}
	}
	if _, err := os.Stat("k"); err == nil {
		t.Error("there is a key")
	}
	if _, stderr, code := call(t, "", "fleet", "manifest", "--name", "A", "--network", "moon", "--threshold", "1", "none.json"); code != exitError || !strings.Contains(stderr, "none.json") {
		t.Errorf("exit code %d, said %q", code, stderr)
	}
}

func TestFleetKey(t *testing.T) {
	t.Chdir(t.TempDir())
	stdout, stderr, code := call(t, "", "fleet", "key", "g.key", "--gateway", "gateway1")
	if code != 0 || !strings.HasPrefix(stdout, "[[gateway]]\nname = \"gateway1\"\npublic_key = \"") {
		t.Errorf("exit code %d, printed %q, said %q", code, stdout, stderr)
	}
	stdout, _, code = call(t, "", "fleet", "key", "c.key", "--client", "deposits", "--kinds", "keygen")
	if code != 0 || !strings.HasPrefix(stdout, "[[client]]\n") || !strings.HasSuffix(stdout, "kinds = [\"keygen\"]\n") {
		t.Errorf("exit code %d, printed %q", code, stdout)
	}
	if info, err := os.Stat("c.key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if _, stderr, code = call(t, "", "fleet", "key", "c.key", "--client", "deposits"); code != exitError || !strings.Contains(stderr, "exists") {
		t.Errorf("exit code %d, said %q", code, stderr)
	}
	stdout, _, code = call(t, "", "fleet", "key", "j.key", "--client", "x", "--json")
	if code != 0 || !strings.HasPrefix(stdout, `{"entry":"[[client]]`) {
		t.Errorf("exit code %d, printed %q", code, stdout)
	}
}
