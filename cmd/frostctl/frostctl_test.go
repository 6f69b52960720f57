package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/command"
)

// Exit codes that every program has.
const (
	exitError = command.CodeError
	exitUsage = command.CodeUsage
)

// call runs frostctl in this process.
func call(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return program.Call(t, stdin, args...)
}

func TestExitCodes(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("while: %w", errors.Join(io.EOF, err)) }
	stdout, _, _ := call(t, "", "exit-codes")
	help := "\n" + stdout
	runbook, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		err  error
		want int
	}{
		{nil, 0},
		{io.EOF, exitError},
		{client.ErrNoStream, exitError},
		{usagef("x"), exitUsage},
		{&client.JobError{Code: client.CodeNotOwner}, exitRefused},
		{&client.ProofError{Err: io.EOF}, exitUnproven},
		{&client.ProofError{Err: client.ErrSignature}, exitUnproven},
		{fmt.Errorf("job 1: %w", client.ErrDisagreement), exitUnproven},
		{client.ErrSignature, exitUnproven},
		{errUnproven, exitUnproven},
		{&client.BusyError{}, exitBusy},
		{fmt.Errorf("%w: %w", context.DeadlineExceeded, &client.BusyError{}), exitBusy},
		{client.ErrNoAnswer, exitTimeout},
		{late(context.DeadlineExceeded), exitTimeout},
		{late(fmt.Errorf("%w: %w", context.DeadlineExceeded, &client.BusyError{})), exitBusy},
		{context.DeadlineExceeded, exitError},
		{context.Canceled, command.CodeInterrupted},
	}
	for _, tt := range tests {
		got := command.ExitCode(tt.err, exits)
		wrapped := got
		if tt.err != nil {
			wrapped = command.ExitCode(wrap(tt.err), exits)
		}
		if got != tt.want || wrapped != tt.want {
			t.Errorf("%v: exit code %d, wrapped %d; want %d", tt.err, got, wrapped, tt.want)
		}
		if !strings.Contains(string(runbook), fmt.Sprintf("\n| %d | ", tt.want)) {
			t.Errorf("docs/operations.md does not explain %d", tt.want)
		}
		if !strings.Contains(help, fmt.Sprintf("\n%-4d ", tt.want)) {
			t.Errorf("exit-codes does not explain %d", tt.want)
		}
	}
}

// TestUsage: whatever is wrong with the command line is exit code 2, and the
// sentence names it.
func TestUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("FROSTCTL_CONFIG", "")
	id, word := strings.Repeat("0", 32)+".0", strings.Repeat("0", 64)
	tests := []struct {
		args string
		says string
	}{
		{"nonsense", "nonsense"},
		{"keygen", "chain"},
		{"keygen --chain bitcoin extra", "extra"},
		{"keygen --chain bitcoin --count x", "count"},
		{"keygen --chain bitcoin --count 0", "--count 0"},
		{"keygen --chain bitcoin --count 100000000000", "ask for 1 to 1000000 keys"},
		{"sign --file - --keys -", "only one of them"},
		{"keygen --chain dogecoin", "use bitcoin or solana"},
		{"keygen --chain bitcoin", "FROSTCTL_CONFIG"},
		{"keygen --chain bitcoin --resume x", "chain resume"},
		{"keygen --count 3 --resume x", "count resume"},
		{"keygen --out y --resume x", "out resume"},
		{"jobs result", "--payload FILE"},
		{"jobs result 0198c0de-7a10-7cc3-98c4-dc0c0c07398f", "--jobs FILE"},
		{"jobs result --jobs x --payload y", "jobs payload"},
		{"jobs result --jobs x nonsense", "nonsense"},
		{"jobs result --payload x 0198c0de-7a10-7cc3-98c4-dc0c0c07398f", "--payload"},
		{"keygen --chain bitcoin --nonsense", "--nonsense"},
		{"sign", "key file"},
		{"sign --key " + id, "message"},
		{"sign --key " + id + " --message 00 --file x", "file"},
		{"sign --key x --message 00", "32 hexadecimal digits"},
		{"sign --key " + id + " --message xyz", "hexadecimal"},
		{"sign --key " + id + " --message 0x00", "without 0x"},
		{"sign --file x --public-key " + word, "go with --key"},
		{"sign --file x --path 0", "go with --key"},
		{"sign --key " + id + " --message 00 --path 0'", "a hardened step"},
		{"sign --key " + id + " --message 00 --path 0/0/0/0/0/0/0/0/0", "want at most 8"},
		{"sign --key " + id + " --message 00 --path 2147483648", "want 0 to 2147483647"},
		{"sign --key " + id + " --message 00 --path m/0", "not a path"},
		{"sign --key " + id + " --message 00 --path=", "not a path"},
		{"sign psbt", "too few"},
		{"sign psbt a b", "too few or too many"},
		{"sign psbt a --save-only", "--save-only goes with --job"},
		{"sign psbt a --save-only --job b --out c", "--save-only publishes nothing"},
		{"sign psbt a --expires 2h", "at most 1h"},
		{"sign psbt a --replaces b", "not the id of a job"},
		{"sign psbt - --keys -", "only one of them"},
		{"sign psbt a --key x", "32 hexadecimal digits"},
		{"sign transaction a --key " + id + "/", "the path behind the id"},
		{"sign transaction a --finalize", "--finalize"},
		{"sign message --chain bitcoin hello", "key"},
		{"sign message --key " + id + " hello", "chain"},
		{"sign message --chain dogecoin --key " + id + " hello", "use bitcoin or solana"},
		{"sign message --chain bitcoin --key " + id + "," + id + " hello", "names 2 keys"},
		{"approve a", "approver"},
		{"approve a --approver b+c --approver-key d", "--approver"},
		{"jobs publish", "too few or too many"},
		{"tx", "needs a command"},
		{"tx show", "too few"},
		{"verify", "keys signature"},
		{"verify --keys x --signature 00 --message 00", "keys signature"},
		{"verify --signature " + word + word + " --message 00 --public-key " + word, "use bitcoin or solana"},
		{"verify --suite x --signature " + word + word + " --message 00 --public-key " + word, "secp256k1-tr or ed25519"},
		{"verify --chain solana --signature 00 --message 00 --public-key " + word, "--signature of 1 bytes"},
		{"verify --chain solana --signature 00 --message 00", "--public-key of 0 bytes"},
		{"verify --chain solana --signature 00 --message 00 --internal-key " + word, "is for bitcoin"},
		{"verify --chain bitcoin --signature 00 --message 00 --public-key " + word + " --script-root " + word, "goes with --internal-key"},
		{"verify --chain bitcoin --signature " + word + word + " --message 00 --internal-key 02" + word, "internal key"},
		{"verify --keys -", "--manifest"},
		{"test-dkg", "too few"},
		{"test-dkg --threshold 3 a.toml b.toml", "--threshold 3"},
		{"test-dkg --log-level loud a.toml", "loud"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			stdout, stderr, code := call(t, "", strings.Fields(tt.args)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit code %d, printed %q, said %q; want 2 and something about %q", code, stdout, stderr, tt.says)
			}
		})
	}
}

// TestHelp: every command of a user has an example.
func TestHelp(t *testing.T) {
	for _, name := range []string{"keygen", "sign", "verify", "addresses", "jobs", "test-dkg", "approve", "tx"} {
		stdout, _, code := call(t, "", name, "--help")
		if code != 0 || !strings.Contains(stdout, "Examples:\n  frostctl "+name) {
			t.Errorf("%s --help: exit code %d\n%s", name, code, stdout)
		}
	}
}

// TestVerifySignature: vectors made elsewhere. BIP 340, vector 1, and RFC 8032,
// 7.1, test 2.
func TestVerifySignature(t *testing.T) {
	const (
		bipKey = "dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659"
		bipMsg = "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89"
		bipSig = "6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de33418906d11ac976abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a"
		edKey  = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
		edSig  = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
	)
	tests := []struct {
		name, args string
		code       int
	}{
		{"BIP 340", "--suite secp256k1-tr --public-key " + bipKey + " --message " + bipMsg + " --signature " + bipSig, 0},
		{"BIP 340, other message", "--chain bitcoin --public-key " + bipKey + " --message " + bipKey + " --signature " + bipSig, exitUnproven},
		{"BIP 340, not a hash", "--chain bitcoin --public-key " + bipKey + " --message 00 --signature " + bipSig, exitUsage},
		{"RFC 8032", "--chain solana --public-key " + edKey + " --message 72 --signature " + edSig, 0},
		{"RFC 8032, other message", "--suite ed25519 --public-key " + edKey + " --message 73 --signature " + edSig, exitUnproven},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := call(t, "", strings.Fields("verify "+tt.args)...)
			if code != tt.code || (stdout != "") != (code == 0) {
				t.Errorf("exit code %d, want %d; printed %q, said %q", code, tt.code, stdout, stderr)
			}
			stdout, _, _ = call(t, "", strings.Fields("--json verify "+tt.args)...)
			if want := fmt.Sprintf(`{"valid":%t,`, tt.code == 0); tt.code != exitUsage && !strings.HasPrefix(stdout, want) {
				t.Errorf("JSON %s, want %s", stdout, want)
			}
		})
	}
}

// TestConfigPath: the flag, then the folder, then the environment.
func TestConfigPath(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("FROSTCTL_CONFIG", "")
	cmd := &cobra.Command{}
	addConfigFlag(cmd)
	find := func(want string) {
		t.Helper()
		if got, err := configPath(cmd); got != want || (err == nil) != (want != "") {
			t.Errorf("found %q, %v; want %q", got, err, want)
		}
	}
	find("")
	t.Setenv("FROSTCTL_CONFIG", "/somewhere/client.toml")
	find("/somewhere/client.toml")
	if err := os.WriteFile("client.toml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	find("client.toml")
	if err := cmd.Flags().Set("config", "other.toml"); err != nil {
		t.Fatal(err)
	}
	find("other.toml")
}

// TestVerifyKeysRefuses: a keys file that proves nothing is exit code 4.
func TestVerifyKeysRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, stderr, code := call(t, "", "fleet", "init", dir); code != 0 {
		t.Fatal(stderr)
	}
	manifest := filepath.Join(dir, "manifest.json")
	for name, tt := range map[string]struct {
		content string
		code    int
		says    string
	}{
		"empty":           {"\n\n", exitUnproven, "no keys"},
		"no JSON":         {"hello\n", exitError, "line 1"},
		"nothing in it":   {"\n{}\n", exitUnproven, "line 2"},
		"of other fleets": {`{"client":"a","job":"{\"kind\":\"keygen\"}","result":{"fleet":"other"}}`, exitUnproven, "ask the operators"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := call(t, tt.content, "verify", "--keys", "-", "--manifest", manifest)
			if code != tt.code || stdout != "" || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit code %d, printed %q, said %q; want %d and %q", code, stdout, stderr, tt.code, tt.says)
			}
		})
	}
}

// TestTestDKG: a throwaway fleet of the nodes whose files are given.
func TestTestDKG(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, stderr, code := call(t, "", "fleet", "init", dir); code != 0 {
		t.Fatal(stderr)
	}
	files := []string{filepath.Join(dir, "node0/node.toml"), filepath.Join(dir, "node1/node.toml")}
	stdout, stderr, code := call(t, "", append([]string{"test-dkg", "--json"}, files...)...)
	var r struct {
		N, T  int
		Keys  []struct{ Verified bool }
		Nodes []struct{ Config string }
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if r.N != 2 || r.T != 2 || len(r.Keys) != 2 || !r.Keys[0].Verified || r.Nodes[1].Config != files[1] {
		t.Errorf("%s", stdout)
	}
	if stdout, stderr, code = call(t, "", "test-dkg", filepath.Join(dir, "none.toml")); code != exitError || stdout != "" || !strings.Contains(stderr, "none.toml") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

func itemsOf(text string) ([]client.SignItem, error) {
	cmd := new(cobra.Command)
	cmd.SetIn(strings.NewReader(text))
	return readItems(cmd, "-")
}

func TestReadItems(t *testing.T) {
	id := strings.Repeat("0", 32) + ".7"
	items, err := itemsOf(`{"key":"` + id + `","message":"00ff"}` + "\n\n  " +
		`{"key":"` + id + `","path":"0/17","message":"01","script_root":"02","public_key":"03"}`)
	if err != nil || len(items) != 2 || items[0].Message[1] != 0xff || items[1].ScriptRoot[0] != 2 ||
		items[1].PublicKey[0] != 3 || items[0].Path != "" || items[1].Path != "0/17" {
		t.Fatalf("%v, %+v", err, items)
	}
	for name, text := range map[string]string{
		"not hexadecimal": `{"key":"` + id + `","message":"zz"}`,
		"bad key":         `{"key":"x","message":"00"}`,
		"hardened path":   `{"key":"` + id + `","path":"0'","message":"00"}`,
		"empty path":      `{"key":"` + id + `","path":"","message":"00"}`,
		"unknown field":   `{"key":"` + id + `","message":"00","massage":"00"}`,
		"two on a line":   `{"key":"` + id + `","message":"00"}{}`,
		"after a bracket": `{"key":"` + id + `","message":"00"}]{"key":"` + id + `","message":"01"}`,
		"an array":        `[]`,
		"a long line":     strings.Repeat("x", maxLine+1),
	} {
		if items, err := itemsOf(text); err == nil || items != nil {
			t.Errorf("%s: %v, %v", name, items, err)
		}
	}
}

func FuzzReadItems(f *testing.F) {
	f.Add(`{"key":"00000000000000000000000000000000.7","message":"00ff"}`)
	f.Add("\n\n[]")
	f.Fuzz(func(t *testing.T, text string) {
		items, err := itemsOf(text)
		if err != nil && items != nil {
			t.Error("items beside an error")
		}
		for _, it := range items {
			if len(it.Key) < 34 {
				t.Errorf("key %q", it.Key)
			}
		}
	})
}

// TestProgress: on anything but a terminal, plain lines, and JSON if asked.
func TestProgress(t *testing.T) {
	for asked, want := range map[bool]string{
		false: "5 of 10 keys\n",
		true:  `{"progress":"keys","done":5,"total":10}` + "\n",
	} {
		cmd := &cobra.Command{}
		cmd.Flags().Bool("json", asked, "")
		var errs bytes.Buffer
		cmd.SetErr(&errs)
		p := newProgress(cmd, "keys", 10)
		p.update(5, 10)
		p.finish()
		if errs.String() != want {
			t.Errorf("said %q, want %q", errs.String(), want)
		}
	}
}

func TestPrintable(t *testing.T) {
	if got := printable("a\x1b[31mb\nc\u009bd é"); got != "a[31mbcd é" {
		t.Errorf("%q", got)
	}
}

// TestPrintJobs: nobody signed a dead letter, and all of it comes from there.
func TestPrintJobs(t *testing.T) {
	const bad = "\x1b[2J"
	var out bytes.Buffer
	if err := jobGrid([]jobLine{{Job: bad, Kind: bad, Status: bad, Code: bad, Error: bad}}).write(&out, 0); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "[2J") != 5 {
		t.Errorf("%q", out.String())
	}
}

// TestKeyFileMode: a key that others can read is refused, with the command
// that fixes it.
func TestKeyFileMode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, stderr, code := call(t, "", "fleet", "init", dir); code != 0 {
		t.Fatal(stderr)
	}
	key := filepath.Join(dir, "client.key")
	if err := os.Chmod(key, 0o640); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := call(t, "", "keygen", "--chain", "solana", "--config", filepath.Join(dir, "client.toml"))
	if code != exitError || !strings.Contains(stderr, "chmod 600 "+key) {
		t.Errorf("exit code %d, said %q", code, stderr)
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32))
	if err := os.WriteFile(key, []byte(hex.EncodeToString(other.Seed())), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code = call(t, "", "keygen", "--chain", "solana", "--config", filepath.Join(dir, "client.toml"))
	if code != exitError || !strings.Contains(stderr, "is listed with public key") {
		t.Errorf("exit code %d, said %q", code, stderr)
	}
}
