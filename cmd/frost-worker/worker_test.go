package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/selftest"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/kmstest"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// call runs frost-worker in this process.
func call(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRootCommand()
	root.SilenceUsage = true
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	err = root.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

// must runs it and wants it to go well.
func must(t *testing.T, args ...string) (stdout string) {
	t.Helper()
	stdout, stderr, err := call(t, "", args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, stdout, stderr)
	}
	return stdout
}

// node writes a node's file with a section for its key provider, in a folder
// whose path leaves room for a socket.
func node(t *testing.T, section string) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "worker")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "node.toml")
	rewrite(t, path, section)
	return path
}

func rewrite(t *testing.T, path, section string) {
	t.Helper()
	text := `[network]
type = "regtest"
[server]
role = "node"
port = 0
[node]
index = 0
storage_path = "data"
max_signers = 1
min_signers = 1
[node.key_provider]
` + section
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hardware gives the section of a node's file for each provider with fresh
// keys, made by frost-worker itself where it may.
func hardware(t *testing.T) map[string]string {
	hsm := softhsm.New(t)
	token := hsm.Token(t, "selftest")
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	return map[string]string{
		"software": "type = \"software\"\nkey_file = \"key.json\"\n",
		"pkcs11": fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = \"selftest\"\nkey_label = \"i\"\nderivation_key_label = \"d\"\npin = %q\n",
			hsm.Library(), token.PIN),
		"aws-kms": fmt.Sprintf("type = \"aws-kms\"\nendpoint = %q\nkey_id = %q\nderivation_key_id = %q\n",
			kms.Endpoint(), kms.CreateKey(kmstest.Identity), kms.CreateKey(kmstest.Derivation)),
	}
}

// TestFromKeysToManifest walks every provider from no keys to a node that fits
// its manifest: provision, selftest, enroll, selftest again.
func TestFromKeysToManifest(t *testing.T) {
	for name, section := range hardware(t) {
		t.Run(name, func(t *testing.T) {
			path := node(t, section)
			if name != "aws-kms" {
				must(t, "provision", "--config", path)
			}
			if out := must(t, "selftest", "--enrolling", "--config", path); !strings.Contains(out, "manifest      skipped") {
				t.Errorf("printed %s", out)
			}
			_, stderr, err := call(t, "", "selftest", "--config", path)
			if err == nil || !strings.Contains(err.Error(), "failed: manifest file, access list") {
				t.Errorf("without a manifest: %v, %s", err, stderr)
			}
			card, err := wire.ParseCard([]byte(must(t, "enroll", "--config", path, "--fleet", "test")))
			if err != nil {
				t.Fatal(err)
			}
			if card.Fleet != "test" || card.Network != "regtest" || card.N != 1 || card.T != 1 || card.Epoch != 1 {
				t.Errorf("card %+v", card)
			}
			writeManifest(t, path, &wire.Manifest{Version: 1, Fleet: "test", Network: "regtest", N: 1, T: 1, Epoch: 1, Nodes: []wire.NodeCard{card.NodeCard}})

			var report selftest.Report
			if err := json.Unmarshal([]byte(must(t, "selftest", "--json", "--config", path)), &report); err != nil {
				t.Fatal(err)
			}
			if !report.OK || report.Provider != name || len(report.Steps) != 16 || len(report.Timings) != 2 {
				t.Errorf("%+v", report)
			}
			for _, s := range report.Steps {
				if !s.OK || s.Status != selftest.Passed {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func writeManifest(t *testing.T, path string, m *wire.Manifest) {
	t.Helper()
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(filepath.Dir(path), "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	access := fmt.Sprintf("version = 1\n[[gateway]]\nname = \"gateway0\"\npublic_key = \"%x\"\n", public)
	for name, data := range map[string][]byte{"manifest.json": data, "access.toml": []byte(access)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSelftestFindsWhatIsWrong: with real providers, the step that fails says
// what to do.
func TestSelftestFindsWhatIsWrong(t *testing.T) {
	hsm := softhsm.New(t)
	token := hsm.Token(t, "no keys")
	hsm.Token(t, "wrong PIN") // which remembers it
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	identity, mac := kms.CreateKey(kmstest.Identity), kms.CreateKey(kmstest.Derivation)
	disabled, denied := kms.CreateKey(kmstest.Identity), kms.CreateKey(kmstest.Identity)
	kms.Disable(disabled)
	kms.Deny(denied, "kms:Sign")
	rsa := kms.CreateKey(kmstest.Key{Spec: "RSA_2048", Usage: "SIGN_VERIFY"})
	inKMS := func(identity, mac string) string {
		section := fmt.Sprintf("type = \"aws-kms\"\nendpoint = %q\nkey_id = %q\n", kms.Endpoint(), identity)
		if mac != "" {
			section += fmt.Sprintf("derivation_key_id = %q\n", mac)
		}
		return section
	}
	onToken := func(library, label, pin string) string {
		return fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = %q\nkey_label = \"i\"\nderivation_key_label = \"d\"\npin = %q\n", library, label, pin)
	}
	for name, test := range map[string]struct{ section, step, reason, remedy string }{
		"no derivation key":   {inKMS(identity, ""), "keys", "cannot_derive", "aws kms create-key"},
		"disabled":            {inKMS(disabled, mac), "reach", "disabled", "aws kms enable-key"},
		"denied":              {inKMS(denied, mac), "sign", "denied", "check IAM permissions"},
		"RSA":                 {inKMS(rsa, mac), "reach", "wrong_key", "must be ECC_NIST_P256 with SIGN_VERIFY"},
		"no library":          {onToken("/none.so", "no keys", token.PIN), "keys", "", ""},
		"no token":            {onToken(hsm.Library(), "none", token.PIN), "reach", "not_found", "softhsm2-util --show-slots"},
		"no keys":             {onToken(hsm.Library(), "no keys", token.PIN), "reach", "not_found", "frost-worker provision"},
		"a wrong PIN":         {onToken(hsm.Library(), "wrong PIN", "9876543210"), "reach", "pin", "frost-worker unlock"},
		"a file with no keys": {"type = \"software\"\nkey_file = \"none.json\"\n", "keys", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, _, err := call(t, "", "selftest", "--enrolling", "--json", "--config", node(t, test.section))
			if err == nil || !strings.Contains(err.Error(), "failed: "+test.step) {
				t.Errorf("got %v", err)
			}
			var report selftest.Report
			if err := json.Unmarshal([]byte(stdout), &report); err != nil || report.OK {
				t.Fatalf("%v: %s", err, stdout)
			}
			for _, s := range report.Steps {
				if s.Name == test.step && (s.Error == "" || string(s.Reason) != test.reason || !strings.Contains(s.Remedy, test.remedy)) {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

// TestEnrollRefuses: a node that could not work prints no card.
func TestEnrollRefuses(t *testing.T) {
	kmstest.Setenv(t)
	kms := kmstest.StartFaultKMS(t)
	path := node(t, fmt.Sprintf("type = \"aws-kms\"\nendpoint = %q\nkey_id = %q\n", kms.Endpoint(), kms.CreateKey(kmstest.Identity)))
	stdout, _, err := call(t, "", "enroll", "--config", path, "--fleet", "test")
	if stdout != "" || !errors.Is(err, keyprovider.ErrCannotDerive) || !strings.Contains(err.Error(), "derivation_key_id") {
		t.Errorf("printed %q, %v", stdout, err)
	}
}

// TestProvisionPrintsAScript: for keys that it must not make.
func TestProvisionPrintsAScript(t *testing.T) {
	path := node(t, "type = \"aws-kms\"\nkey_id = \"alias/frost-node-0\"\n")
	const role = "arn:aws:iam::123456789012:role/frost"
	if out := must(t, "provision", "--config", path, "--role-arn", role); !strings.HasPrefix(out, "#!/bin/sh\n") || strings.Count(out, role) != 3 {
		t.Errorf("printed %s", out)
	}
	var result struct {
		Documents []struct{ Name string }
		Commands  []string
	}
	if err := json.Unmarshal([]byte(must(t, "provision", "--config", path, "--json")), &result); err != nil || len(result.Documents) != 2 || len(result.Commands) != 4 {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestUnlock: a token that was given a wrong PIN works again
// after unlock, and not before.
func TestUnlock(t *testing.T) {
	hsm := softhsm.New(t)
	token := hsm.Token(t, "unlock alone")
	section := func(pin string) string {
		return fmt.Sprintf("type = \"pkcs11\"\npkcs11_library = %q\ntoken_label = \"unlock alone\"\nkey_label = \"i\"\nderivation_key_label = \"d\"\n%s\n", hsm.Library(), pin)
	}
	right := section(fmt.Sprintf("pin = %q", token.PIN))
	path := node(t, right)
	must(t, "provision", "--config", path)
	rewrite(t, path, section(`pin = "9876543210"`))
	if _, _, err := call(t, "", "enroll", "--config", path, "--fleet", "test"); keyprovider.ReasonOf(err) != keyprovider.PIN {
		t.Fatal(err)
	}
	rewrite(t, path, right)
	if _, _, err := call(t, "", "enroll", "--config", path, "--fleet", "test"); err == nil || !strings.Contains(err.Error(), "frost-worker unlock") {
		t.Fatal(err)
	}

	stdout, _, err := call(t, "", "unlock", "--config", path)
	if err != nil || !strings.Contains(stdout, "the token took the PIN, and forgets wrong ones") {
		t.Errorf("printed %q, %v", stdout, err)
	}
	must(t, "enroll", "--config", path, "--fleet", "test")
	rewrite(t, path, section(""))
	if _, _, err := call(t, "", "unlock", "--config", path); err == nil || !strings.Contains(err.Error(), "start this at a terminal") {
		t.Errorf("got %v", err)
	}
}

// TestArguments: what is wrong with the command line is said.
func TestArguments(t *testing.T) {
	software := node(t, "type = \"software\"\nkey_file = \"key.json\"\n")
	for args, says := range map[string]string{
		"selftest":                        "required flag",
		"provision x --config y":          "unknown command",
		"enroll --config y":               "fleet",
		"unlock --config /none.toml":      "/none.toml",
		"enroll --fleet x -c " + software: "key.json",
	} {
		stdout, _, err := call(t, "", strings.Fields(args)...)
		if err == nil || stdout != "" || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: printed %q, %v; want %q", args, stdout, err, says)
		}
	}
}
