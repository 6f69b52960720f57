package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/audit"
)

// auditLog writes a log of three jobs.
func auditLog(t *testing.T, dir, by string, more ...audit.Record) audit.Head {
	t.Helper()
	w, err := audit.Open(audit.Config{
		Dir: dir, By: by, Role: "worker", Manifest: strings.Repeat("0", 64), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append([]audit.Record{
		{Event: audit.EventJob, Client: "treasury", Job: "one", Kind: "sign", Form: "psbt", Decision: audit.Approved,
			Rule: "daily", Count: 2, Suite: "secp256k1-tr", Outflow: []audit.Amount{{Asset: "btc", Units: 70000}},
			Approved: []string{"alice", "bob"}},
		{Event: audit.EventJob, Client: "treasury", Job: "one", Kind: "sign", Decision: audit.Signed, Nodes: []int{0, 2}},
		{Event: audit.EventJob, Client: "deposits", Job: "two", Kind: "sign", Decision: audit.Denied, Rule: "destinations",
			Code: "policy_denied", Reason: "output 1 pays bc1q\x1b[2J"},
	}, more...) {
		w.Append(r)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.Head()
}

func TestAuditVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	head := auditLog(t, dir, "worker-0")
	out, stderr, code := call(t, "", "audit", "verify", dir)
	if code != 0 || !strings.Contains(out, "verified: 4 records of worker worker-0 in 1 files") ||
		!strings.Contains(out, head.String()) || !strings.Contains(out, "no head was compared") {
		t.Errorf("%d: %s%s", code, out, stderr)
	}
	out, stderr, code = call(t, "", "audit", "verify", dir, "--head", head.String(), "--json")
	var line struct {
		OK      bool
		Head    string
		Records int
		Heads   int `json:"heads_compared"`
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil || code != 0 || !line.OK || line.Head != head.String() ||
		line.Records != 4 || line.Heads != 1 {
		t.Errorf("%d: %s%s, %v", code, out, stderr, err)
	}

	gateway := filepath.Join(t.TempDir(), "gateway")
	auditLog(t, gateway, "gateway0", audit.Record{Event: audit.EventHeads, Heads: []audit.Seen{
		{By: "worker-1", Head: audit.Head{Seq: 99}.String()}, {By: "worker-0", Head: head.String()},
		{By: "worker-0 of epoch 2", Head: audit.Head{Seq: 99}.String()}, // of another machine
	}})
	if out, stderr, code := call(t, "", "audit", "verify", dir, "--heads-from", gateway); code != 0 ||
		strings.Contains(out, "no head") {
		t.Errorf("%d: %s%s", code, out, stderr)
	}

	if _, stderr, code := call(t, "", "audit", "verify", dir, "--heads-from", gateway, "--epoch", "2"); code != exitUnproven ||
		!strings.Contains(stderr, "its end was cut") {
		t.Errorf("%d: %s", code, stderr)
	}

	path := filepath.Join(dir, "audit-000001.jsonl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1])
	if out, _, code := call(t, "", "audit", "verify", dir); code != 0 {
		t.Errorf("a cut end without a head: %d: %s", code, out)
	}
	for _, args := range [][]string{{"--head", head.String()}, {"--heads-from", gateway}} {
		_, stderr, code := call(t, "", append([]string{"audit", "verify", dir}, args...)...)
		if code != exitUnproven || !strings.Contains(stderr, "its end was cut") {
			t.Errorf("%s: %d: %s", args, code, stderr)
		}
	}
	write(bytes.Replace(text, []byte("70000"), []byte("70001"), 1))
	for _, args := range [][]string{{"verify"}, {"verify", "--json"}, {"show"}} {
		out, stderr, code := call(t, "", append([]string{"audit", args[0], dir}, args[1:]...)...)
		if code != exitUnproven || !strings.Contains(stderr, "audit-000001.jsonl, line 2: ") || strings.Contains(out, "treasury") {
			t.Errorf("%s: %d: %s%s", args, code, out, stderr)
		}
		if args[len(args)-1] == "--json" && !strings.Contains(out, `"line":2`) {
			t.Errorf("%s", out)
		}
	}
}

func TestAuditShow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	auditLog(t, dir, "worker-0")
	for name, tt := range map[string]struct {
		args  string
		lines int
		says  string
	}{
		"all":       {"", 4, "approved  treasury/one  sign psbt  2 of secp256k1-tr  out 70000 btc  approved by alice, bob  rule daily\n"},
		"client":    {"--client deposits", 1, "policy_denied: output 1 pays bc1q?[2J\n"},
		"job":       {"--job one", 2, "signed    treasury/one  sign  by nodes 0 2\n"},
		"decisions": {"--decision denied --decision signed", 2, ""},
		"event":     {"--event log", 1, "file 1 of worker"},
		"rule":      {"--rule daily", 1, ""},
		"since":     {"--since 1h", 4, ""},
		"later":     {"--since " + time.Now().Add(time.Hour).Format(time.RFC3339), 0, ""},
		"json":      {"--json --job two", 1, `"decision":"denied"`},
	} {
		out, stderr, code := call(t, "", append([]string{"audit", "show", dir}, strings.Fields(tt.args)...)...)
		if code != 0 || strings.Count(out, "\n") != tt.lines || !strings.Contains(out, tt.says) {
			t.Errorf("%s: %d:\n%s%s", name, code, out, stderr)
		}
	}
}

func TestAuditUsage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	auditLog(t, dir, "worker-0")
	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"audit", exitUsage, "heads, show, verify"},
		{"audit verify", exitUsage, ""},
		{"audit verify " + dir + " --head 5", exitUsage, "SEQ:HASH"},
		{"audit show " + dir + " --decision maybe", exitUsage, "approved"},
		{"audit show " + dir + " --event maybe", exitUsage, "access"},
		{"audit show " + dir + " --since yesterday", exitUsage, "36h"},
		{"audit heads", exitUsage, "manifest"},
		{"audit verify " + t.TempDir(), exitError, "no audit log here"},
		{"audit verify " + dir + "/lock", exitError, "not the name of a log's file"},
		{"audit show " + dir + "/none", exitError, "no such file"},
	} {
		if _, stderr, code := call(t, "", strings.Fields(tt.args)...); code != tt.code || !strings.Contains(stderr, tt.says) {
			t.Errorf("%s: %d: %s", tt.args, code, stderr)
		}
	}
}
