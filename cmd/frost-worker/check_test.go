package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/selftest"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// nobodyCalls gives the address of a server that fails the test if somebody
// connects.
func nobodyCalls(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				t.Error("somebody connected")
				conn.Close()
			}
		}
	}()
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// guide is the node's file of the AWS KMS guide, as operators have it.
const guide = `[network]
type = "mainnet"

[server]
role = "node"
host = "0.0.0.0"
port = 4000

[node]
index = 0
storage_path = "/data/frost-shares-node0"
max_signers = 3
min_signers = 2

[node.key_provider]
type = "aws-kms"
key_id = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
# or key_id = "alias/frost-node-0"
`

// TestCheckOfTheGuide: check of the guide's file fails, says why a derivation
// key is wanted and the commands that make it, and calls nobody; selftest and
// run say the same, before they call anybody.
func TestCheckOfTheGuide(t *testing.T) {
	kmstest.Setenv(t)
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://"+nobodyCalls(t))
	path := filepath.Join(t.TempDir(), "node.toml")
	if err := os.WriteFile(path, []byte(guide), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"check", "selftest", "run"} {
		args := []string{command, "--config", path}
		stdout, stderr, err := call(t, "", args...)
		if err == nil {
			t.Fatalf("%s passes", command)
		}
		text := stdout + stderr + err.Error()
		for _, want := range []string{"derivation_key_id", "A node needs a second key", "aws kms create-key --region us-east-1 --key-spec HMAC_256",
			"manifest.json", "access.toml"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", command, want, text)
			}
		}
	}
	stdout, _, err := call(t, "", "check", "--enrolling", "--json", "--config", path)
	var report selftest.Report
	if jsonErr := json.Unmarshal([]byte(stdout), &report); jsonErr != nil || err == nil || report.OK {
		t.Fatalf("%v, %v: %s", jsonErr, err, stdout)
	}
	for _, s := range report.Steps {
		switch s.Name {
		case "manifest file", "access list":
			if s.Status != selftest.Skipped {
				t.Errorf("%+v", s)
			}
		case "keys":
			if s.Status != selftest.Failed || s.Reason != "cannot_derive" || !strings.Contains(s.Remedy, "aws kms create-key") {
				t.Errorf("%+v", s)
			}
		default:
			if s.Status != selftest.Passed {
				t.Errorf("%+v", s)
			}
		}
	}
}

// TestCheck: of a good node it passes; whatever is broken of what run reads, it
// fails, selftest fails, and run does not start.
func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(dir, config string) error
		says  string
	}{
		"nothing":             {func(string, string) error { return nil }, ""},
		"access list":         {write("access.toml", "[[client]]\nname = 1\n"), "access.toml:2"},
		"access list, a kind": {write("access.toml", "[[Client]]\nname = \"a\"\n"), "access.toml:1: Client: unknown key"},
		"no access list":      {remove("access.toml"), "access.toml"},
		"manifest":            {write("manifest.json", "{"), "manifest.json"},
		"manifest, BOM":       {write("manifest.json", "\ufeff{}"), "byte-order mark"},
		"no manifest":         {remove("manifest.json"), "manifest.json"},
		"key":                 {remove("node0/key.json"), "key.json"},
		"key, mode":           {func(dir, _ string) error { return os.Chmod(filepath.Join(dir, "node0/key.json"), 0o644) }, "chmod 600"},
		"key, BOM":            {write("node0/key.json", "\ufeff{}"), "byte-order mark"},
		"CA":                  {appendTo("tls_ca = \"none.pem\"\n"), "bus.tls_ca: file"},
		"credentials":         {appendTo("credentials = \"key.json\"\n"), "bus.credentials: file"},
		"configuration":       {appendTo("Replicas = 1\n"), "bus.Replicas: unknown key: keys are in lower case: bus.replicas"},
		"storage":             {func(dir, _ string) error { return os.WriteFile(filepath.Join(dir, "node0/data"), nil, 0o600) }, "data is not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "fleet")
			if _, err := fleet.Init(t.Context(), dir, fleet.Options{Name: "test", Network: "regtest", N: 1, T: 1, BusPort: 4222, Client: "c"}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, fleet.NodeFile(0))
			if err := test.spoil(dir, path); err != nil {
				t.Fatal(err)
			}
			stdout, _, err := call(t, "", "check", "--config", path)
			if (err == nil) != (test.says == "") || !strings.Contains(stdout, test.says) {
				t.Errorf("check: %v\n%s", err, stdout)
			}
			stdout, _, err = call(t, "", "selftest", "--config", path)
			if (err == nil) != (test.says == "") || !strings.Contains(stdout, test.says) {
				t.Errorf("selftest: %v\n%s", err, stdout)
			}
			if test.says == "" || name == "storage" {
				return
			}
			if _, _, err := call(t, "", "run", "--config", path); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("run: %v", err)
			}
		})
	}
}

func write(name, text string) func(string, string) error {
	return func(dir, _ string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
}

func remove(name string) func(string, string) error {
	return func(dir, _ string) error { return os.Remove(filepath.Join(dir, name)) }
}

// appendTo adds a line to the node's file, which ends with [bus].
func appendTo(line string) func(string, string) error {
	return func(_, config string) error {
		text, err := os.ReadFile(config)
		if err != nil {
			return err
		}
		return os.WriteFile(config, fmt.Appendf(text, "%s", line), 0o600)
	}
}

// TestCheckOfAToken: the library and the PIN file are looked at, and no token.
func TestCheckOfAToken(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lib.so", "good.pin", "bad.pin"} {
		content := map[string]string{"good.pin": "87654321\n", "bad.pin": "87654321 \n"}[name]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ library, pin, says string }{
		{"lib.so", "good.pin", ""},
		{"none.so", "good.pin", "pkcs11_library"},
		{"lib.so", "bad.pin", "begins or ends with a blank"},
		{"lib.so", "none.pin", "no such file"},
		{"none.so", "bad.pin", "begins or ends with a blank"},
	} {
		path := node(t, fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = \"t\"\nkey_label = \"i\"\nderivation_key_label = \"d\"\npin_file = %q\n",
			filepath.Join(dir, test.library), filepath.Join(dir, test.pin)))
		stdout, _, err := call(t, "", "check", "--enrolling", "--config", path)
		if (err == nil) != (test.says == "") || !strings.Contains(stdout, test.says) || strings.Contains(stdout, "87654321") {
			t.Errorf("%+v: %v\n%s", test, err, stdout)
		}
	}
}
