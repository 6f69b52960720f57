package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/reading"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// draftOf is a PSBT that spends from two keys, of one a child.
func draftOf(t testing.TB, keys []wire.Key) []byte {
	t.Helper()
	root := func(k wire.Key) derive.Key {
		return derive.Key{Suite: frost.Secp256k1TR, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}
	}
	raw, err := draft.NewPSBT().Spend(root(keys[0]), derive.Path{0, 5}, 60_000).Spend(root(keys[1]), nil, 50_000).
		Pay(draft.Payee(), 70_000).Change(root(keys[0]), derive.Path{1, 0}, 39_000).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTxShow: whatever a file holds, it shows what nodes will read.
func TestTxShow(t *testing.T) {
	bitcoin, solana := offline(t, "regtest")
	raw := draftOf(t, bitcoin)
	folded := base64.StdEncoding.EncodeToString(raw)
	folded = folded[:40] + "\r\n" + folded[40:] + "\n"
	write(t, "binary.psbt", raw)
	write(t, "folded.psbt", []byte(folded))
	transfer := draft.Transfer(solana[1].PublicKey, solana[0].PublicKey, 5, [32]byte{1})
	write(t, "transfer.txt", []byte(base64.StdEncoding.EncodeToString(transfer)))

	first, _, code := call(t, "", "tx", "show", "binary.psbt", "--manifest", "manifest.json")
	for _, want := range []string{
		`spends +input 0 +0\.00060000 BTC of key ` + bitcoin[0].ID + " at 0/5\n",
		`input 1 +0\.00050000 BTC of key ` + bitcoin[1].ID + "\n", `pays +output 0 +0\.00070000 BTC to bcrt1q`,
		`change +output 1 +0\.00039000 BTC to bcrt1p`, `fee +0\.00001000 BTC, `,
	} {
		if code != 0 || !regexp.MustCompile(want).MatchString(first) {
			t.Errorf("exit code %d, no %q in\n%s", code, want, first)
		}
	}
	for _, args := range [][]string{
		{"folded.psbt"}, {"folded.psbt", "--key", bitcoin[0].ID + "," + bitcoin[1].ID},
		{"binary.psbt", "--keys", "bitcoin.jsonl"},
	} {
		again, stderr, code := call(t, "", append([]string{"tx", "show", "--manifest", "manifest.json"}, args...)...)
		if again != first || code != 0 {
			t.Errorf("%v: exit code %d, %s\n%s", args, code, stderr, again)
		}
	}
	if again, _, code := call(t, folded, "tx", "show", "-", "--manifest", "manifest.json"); again != first || code != 0 {
		t.Errorf("standard input: exit code %d\n%s", code, again)
	}
	var line reading.Meaning
	text, _, code := call(t, "", "tx", "show", "binary.psbt", "--manifest", "manifest.json", "--json", "--key", bitcoin[1].ID)
	if err := json.Unmarshal([]byte(text), &line); err != nil || code != 0 || line.Foreign != 1 || len(line.Payments) != 2 ||
		line.Signatures[0].Key != bitcoin[1].ID {
		t.Errorf("exit code %d, %v: %s", code, err, text)
	}
	text, _, code = call(t, "", "tx", "show", "transfer.txt", "--manifest", "manifest.json")
	if code != 0 || !strings.Contains(text, "instruction 0  0.000000005 SOL to ") {
		t.Errorf("exit code %d, %s", code, text)
	}
}

// TestRequestFiles: what a file of a wallet can't be is an error that says so.
func TestRequestFiles(t *testing.T) {
	bitcoin, solana := offline(t, "regtest")
	write(t, "payment.psbt", draftOf(t, bitcoin))
	write(t, "transfer.txt", []byte(base64.StdEncoding.EncodeToString(
		draft.Transfer(bytes.Repeat([]byte{8}, 32), bytes.Repeat([]byte{9}, 32), 5, [32]byte{1}))))
	write(t, "words.txt", []byte("pay them all"))
	for args, want := range map[string]struct {
		says string
		code int
	}{
		"tx show words.txt":                                            {"neither a PSBT", exitError},
		"tx show transfer.txt":                                         {"name the keys that are to sign (--key)", exitError},
		"tx show none.psbt":                                            {"none.psbt", exitError},
		"tx show payment.psbt --keys none":                             {"none", exitError},
		"tx show payment.psbt --keys solana.jsonl":                     {"no key of solana.jsonl is named", exitError},
		"tx show payment.psbt --key x":                                 {"32 hexadecimal digits", exitUsage},
		"tx show payment.psbt --key " + bitcoin[0].ID + "/0/1":         {"a PSBT says which children", exitUsage},
		"tx show payment.psbt --key " + solana[0].ID:                   {"bad_message", exitRefused},
		"tx show payment.psbt --key " + strings.Repeat("0", 32) + ".0": {"is not in keys.jsonl", exitError},
		"tx show transfer.txt --key " + solana[0].ID:                   {"no_input", exitRefused},
		"tx show transfer.txt --key " + solana[0].ID + "/0h":           {"hardened", exitUsage},
		"tx show - --keys -":                                           {"only one of them", exitUsage},
	} {
		stdout, stderr, code := call(t, "", append(strings.Fields(args), "--manifest", "manifest.json")...)
		if stdout != "" || code != want.code || !strings.Contains(stderr, want.says) {
			t.Errorf("%s: exit code %d, %q; want %d and %q", args, code, stderr, want.code, want.says)
		}
	}
}

// savedSign saves a job of alice's.
func savedSign(t testing.TB, file string, keys []wire.Key, life time.Duration) (*client.Manifest, *client.SignJob) {
	t.Helper()
	m, err := client.LoadManifest("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("bitcoin.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	_, proven, err := verifyProof(text, m)
	if err != nil {
		t.Fatal(err)
	}
	job, err := client.SignPSBTRequest{PSBT: draftOf(t, keys), Keys: proven, Expires: time.Now().Add(life)}.Job(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := createSignFile(file, m, "alice", job); err != nil {
		t.Fatal(err)
	}
	return m, job
}

// TestApprove: whoever approves sees what it is, answers, and signs this job and no other.
func TestApprove(t *testing.T) {
	bitcoin, _ := offline(t, "regtest")
	m, job := savedSign(t, "payment.job", bitcoin, time.Hour)
	entry := map[string]string{}
	for _, name := range []string{"carol", "dave"} {
		stdout, stderr, code := call(t, "", "fleet", "key", name+".key", "--approver", name)
		if code != 0 || !strings.HasPrefix(stdout, "[[approver]]\nname = \""+name+"\"\npublic_key = \"") {
			t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
		}
		entry[name] = stdout
	}
	write(t, "policy.toml", []byte(`version = 1
[[rule]]
name = "payments"
clients = ["alice"]
keys = ["*"]
kinds = ["psbt"]
sighash = ["default"]
assets = ["btc"]
max_fee = ["0.001 BTC"]
[rule.approvals]
require = 2
from = ["carol", "dave"]
always = true
`+entry["carol"]+entry["dave"]))
	approve := func(stdin, file, name string, more ...string) (string, string, int) {
		return call(t, stdin, append([]string{"approve", file, "--manifest", "manifest.json", "--approver", name,
			"--approver-key", name + ".key"}, more...)...)
	}
	before, err := os.ReadFile("payment.job")
	if err != nil {
		t.Fatal(err)
	}
	write(t, "apart.job", before)
	for _, answer := range []string{"", "no\n", "y", "yes please\n"} {
		stdout, stderr, code := approve(answer, "payment.job", "carol")
		after, err := os.ReadFile("payment.job")
		if code != exitError || stdout != "" || !strings.Contains(stderr, "pays") || err != nil || string(after) != string(before) {
			t.Errorf("answer %q: exit code %d, %s, file\n%s", answer, code, stderr, after)
		}
	}
	_, stderr, code := approve("yes\n", "payment.job", "carol", "--policy", "policy.toml")
	if code != 0 || !strings.Contains(stderr, "0.00070000 BTC to bcrt1q") || !strings.Contains(stderr, "Needs approvals") ||
		!strings.Contains(stderr, "job "+job.ID+" of client alice, fleet ") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	stdout, stderr, code := approve("", "payment.job", "dave", "--yes", "--json", "--policy", "policy.toml")
	if code != 0 || !strings.Contains(stdout, `"approvals":["carol","dave"]`) || !strings.Contains(stderr, "Allowed") ||
		!strings.Contains(stderr, "said to be approved by carol") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if _, stderr, code = approve("", "apart.job", "dave", "--yes"); code != 0 {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	for _, files := range [][]string{{"payment.job"}, {"payment.job", "apart.job"}, {"apart.job", "payment.job"}} {
		f, err := readSignFiles(files...)
		if err != nil {
			t.Fatal(err)
		}
		again, err := client.ParseSignJob(m, f.Payload, nil)
		if err == nil {
			t.Errorf("read without keys: %+v", again)
		}
		if names := approversOf(t, m, f); strings.Join(names, " ") != "carol dave" {
			t.Errorf("%v: approved by %v", files, names)
		}
	}
	if names := approversOf(t, m, mustRead(t, "apart.job")); strings.Join(names, " ") != "dave" {
		t.Errorf("approved by %v", names)
	}
}

func mustRead(t testing.TB, file string) signFile {
	t.Helper()
	f, err := readSignFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// approversOf are those whose approvals in a file verify.
func approversOf(t testing.TB, m *client.Manifest, f signFile) []string {
	t.Helper()
	text, err := os.ReadFile("bitcoin.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	_, proven, err := verifyProof(text, m)
	if err != nil {
		t.Fatal(err)
	}
	job, err := f.job(m, proven)
	if err != nil {
		t.Fatal(err)
	}
	return job.ApprovedBy(m, "alice", publicKeys(t, "carol", "dave"))
}

// TestApproveRefuses: what is not the job, or can't be approved any more.
func TestApproveRefuses(t *testing.T) {
	bitcoin, _ := offline(t, "regtest")
	savedSign(t, "payment.job", bitcoin, time.Hour)
	savedSign(t, "other.job", bitcoin, time.Hour)
	if _, stderr, code := call(t, "", "fleet", "key", "carol.key", "--approver", "carol"); code != 0 {
		t.Fatal(stderr)
	}
	text, err := os.ReadFile("payment.job")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	write(t, "short.job", []byte(lines[0]))
	write(t, "cut.job", text[:len(text)-1])
	write(t, "foreign.job", []byte(strings.Replace(string(text), `"network":"regtest"`, `"network":"mainnet"`, 1)))
	write(t, "keygen.job", []byte(goodHead+"\n"+goodLine(t, 1, "bitcoin")+"\n"))
	write(t, "false.job", []byte(string(text)+`{"approver":"dave","signature":"00"}`+"\n"))
	payload := mustRead(t, "payment.job").Payload
	old, err := json.Marshal(savedLine{strings.Replace(payload, `"expires":"2`, `"expires":"1`, 1)})
	if err != nil {
		t.Fatal(err)
	}
	write(t, "expired.job", []byte(lines[0]+string(old)+"\n"))
	write(t, "policy.toml", []byte("version = 1\nnonsense = 1\n"))
	for args, want := range map[string]struct {
		says string
		code int
	}{
		"short.job":                             {"not a file of a sign job", exitError},
		"cut.job":                               {"not a file of a sign job", exitError},
		"keygen.job":                            {"not a file of a sign job", exitError},
		"none.job":                              {"none.job", exitError},
		"foreign.job":                           {"on \"mainnet\"", exitError},
		"false.job":                             {"approval", exitError},
		"expired.job":                           {"expired at", exitError},
		"payment.job --keys none":               {"none", exitError},
		"payment.job --policy none":             {"none", exitError},
		"payment.job --policy policy.toml":      {"nonsense", exitError},
		"payment.job --approver two+words":      {"--approver", exitUsage},
		"payment.job --approver-key none":       {"none", exitError},
		"payment.job --approver-key keys.jsonl": {"keys.jsonl", exitError},
	} {
		all := append([]string{"approve", "--manifest", "manifest.json", "--approver", "carol", "--approver-key", "carol.key",
			"--yes"}, strings.Fields(args)...)
		stdout, stderr, code := call(t, "", all...)
		if stdout != "" || code != want.code || !strings.Contains(stderr, want.says) {
			t.Errorf("%s: exit code %d, %q; want %d and %q", args, code, stderr, want.code, want.says)
		}
	}
	if _, err := readSignFiles("payment.job", "other.job"); err == nil || !strings.Contains(err.Error(), "another job") {
		t.Errorf("approvals of two jobs: %v", err)
	}
}

// FuzzParseRequest: what is taken for a transaction has bytes, and a PSBT begins as one.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("psbt\xff\x00"))
	f.Add([]byte("cHNidP8A\r\n"))
	f.Add([]byte("AQID"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRequest(data)
		if err == nil && (len(r.content) == 0 || (r.kind == "psbt") != strings.HasPrefix(string(r.content), magicPSBT)) {
			t.Errorf("%+v", r)
		}
	})
}

// publicKeys are the public halves of key files.
func publicKeys(t testing.TB, names ...string) map[string]ed25519.PublicKey {
	t.Helper()
	keys := map[string]ed25519.PublicKey{}
	for _, name := range names {
		key, err := config.LoadKey(name + ".key")
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key.Public().(ed25519.PublicKey)
	}
	return keys
}
