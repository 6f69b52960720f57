package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// TestExplain: a node's operator sees what the node decides about a job, with the keys that
// a real fleet made, before and after people approved it.
func TestExplain(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	cfg, err := client.Load(f.ClientFile())
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	made, err := c.Keygen(t.Context(), client.KeygenRequest{Chain: "solana", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, values ...any) string {
		t.Helper()
		path := filepath.Join(dir, name)
		var text []byte
		for _, v := range values {
			line, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			text = append(append(text, line...), '\n')
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keys := write("keys.jsonl", made.Proofs[0])

	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	node := f.NodeConfig(0).Path()
	policyFile := filepath.Join(dir, "policy.toml")
	if err := os.WriteFile(policyFile, fmt.Appendf(nil, `version = 1
[[rule]]
name = "logins"
clients = ["*"]
keys = [%q]
kinds = ["solana_message"]
[rule.approvals]
require = 1
from = ["anna"]
always = true
[[approver]]
name = "anna"
public_key = %q
`, made.Keys[0].ID, hex.EncodeToString(public)), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(node)
	if err != nil {
		t.Fatal(err)
	}
	withPolicy := strings.Replace(string(text), "[node]\n", fmt.Sprintf("[node]\npolicy = %q\n", policyFile), 1)

	hello := "hello"
	hash := f.Manifest.Hash()
	head := map[string]any{"version": 1, "kind": "sign", "fleet": f.Manifest.Fleet, "network": f.Manifest.Network,
		"manifest": hex.EncodeToString(hash[:]), "client": fleettest.Client}
	job := func(key string, expires time.Duration) string {
		payload, err := json.Marshal(wire.Job{ID: uuid.NewString(), Kind: wire.KindSign, SolanaMessage: &hello,
			Expires: time.Now().Add(expires).UTC().Truncate(time.Second), Keys: []wire.SignKey{{Key: key}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(payload)
	}
	payload := job(made.Keys[0].ID, -time.Hour) // an expired one is explained as well
	saved := write("payment.job", head, map[string]string{"job": payload})
	says := func(want ...string) {
		t.Helper()
		stdout := must(t, "policy", "explain", saved, "--config", node, "--keys", keys)
		for _, w := range want {
			if !strings.Contains(stdout, w) {
				t.Errorf("no %q in:\n%s", w, stdout)
			}
		}
	}
	says("Allowed", "there is no policy")
	if err := os.WriteFile(node, []byte(withPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	says("Needs approvals", "logins", "1 more of anna")
	signed := wire.SignedJob{Client: fleettest.Client, Kind: wire.KindSign, Payload: []byte(payload)}
	forged := wire.Approve(private, "anna", f.Manifest, [32]byte{1}, time.Now())
	saved = write("forged.job", head, map[string]string{"job": payload},
		map[string]any{"approver": "anna", "signature": hex.EncodeToString(forged.Signature), "time": forged.Time})
	says("Needs approvals")
	approval := wire.Approve(private, "anna", f.Manifest, signed.Digest(f.Manifest), time.Now())
	saved = write("approved.job", head, map[string]string{"job": payload},
		map[string]any{"approver": "anna", "signature": hex.EncodeToString(approval.Signature), "time": approval.Time})
	says("Allowed", "logins")
	for ago, want := range map[time.Duration]string{time.Minute: "Allowed", time.Hour: "Needs approvals"} {
		waits, err := json.Marshal(wire.Job{ID: uuid.NewString(), Kind: wire.KindSign, SolanaMessage: &hello, ExpiresAfter: 600,
			ApproveUntil: time.Now().Add(time.Hour).UTC().Truncate(time.Second), Keys: []wire.SignKey{{Key: made.Keys[0].ID}}})
		if err != nil {
			t.Fatal(err)
		}
		signed := wire.SignedJob{Client: fleettest.Client, Kind: wire.KindSign, Payload: waits}
		a := wire.Approve(private, "anna", f.Manifest, signed.Digest(f.Manifest), time.Now().Add(-ago))
		saved = write("waits.job", head, map[string]string{"job": string(waits)},
			map[string]any{"approver": "anna", "signature": hex.EncodeToString(a.Signature), "time": a.Time})
		says(want)
	}
	saved = write("other.job", head, map[string]string{"job": job(made.Keys[1].ID, time.Minute)})
	says("Denied", "no_rule", made.Keys[1].ID)

	stdout := must(t, "policy", "explain", saved, "--config", node, "--keys", keys, "--json")
	var e struct{ Verdict, Code, Kind string }
	if err := json.Unmarshal([]byte(stdout),
		&e); err != nil || e.Verdict != "denied" || e.Code != "no_rule" || e.Kind != "solana_message" {
		t.Errorf("%+v, %v", e, err)
	}
	for name, args := range map[string][]string{
		"is not in the keys file":  {saved, "--keys", write("none.jsonl")},
		"not a file of a sign job": {keys, "--keys", keys},
		"no line of frostctl":      {saved, "--keys", saved},
	} {
		_, stderr, err := call(t, "", append([]string{"policy", "explain", "--config", node}, args...)...)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v %s, want %q", args, err, stderr, name)
		}
	}
}
