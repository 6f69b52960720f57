package worker

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// twoADay lets a client have two jobs of items signed a day.
func twoADay(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(`version = 1
[[rule]]
name = "few"
clients = ["*"]
keys = ["*"]
kinds = ["raw"]
[[rule.limit]]
amount = "2 jobs"
per = "day"
`), "regtest")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// startPoliced runs the node under a policy.
func (w *world) startPoliced(p *policy.Policy) (*Worker, *machinetest.Program) {
	w.Helper()
	cfg := w.config()
	cfg.Policy = p
	node, err := New(w.Context(), cfg)
	if err != nil {
		w.Fatal(err)
	}
	r := machinetest.Run(w, node.Run)
	eventually(w, "the node is ready", func() bool { return node.Ready() == nil })
	return node, r
}

// denied has one message refused by the policy.
func (w *world) denied(key wire.Key, says string) {
	w.Helper()
	w.publish(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: key.ID, Message: []byte("a message")}}})
	r := w.Result("")
	if r.Status != wire.StatusDenied || r.Code != wire.CodePolicyDenied || !strings.Contains(r.Error, says) {
		w.Fatalf("%s: %s: %s, want it denied: %s", r.Status, r.Code, r.Error, says)
	}
}

// TestLedger: what a policy let through is counted over an orderly end, and a ledger that
// is lost or damaged denies for a window. A node that never had one begins with nothing.
func TestLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	_, r := w.startNode() // without a policy
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	r.Stop()
	path := filepath.Join(w.Storage, LedgerFile)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a ledger without a policy: %v", err)
	}

	p := twoADay(t)
	node, r := w.startPoliced(p)
	if node.PolicyHash() != p.Hash() {
		t.Error("another policy's hash")
	}
	w.sign(key)
	r.Stop()
	_, r = w.startPoliced(p)
	w.sign(key)
	w.denied(key, "limit_reached")
	r.Stop()

	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, good[:len(good)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	_, r = w.startPoliced(p)
	w.denied(key, "could not be read")
	r.Stop()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, r = w.startPoliced(p)
	w.denied(key, "was lost")
	r.Stop()

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := w.config()
	cfg.Policy = p
	if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a ledger that others may read: %v", err)
	}
}

// TestLedgerNotStored: a state that can't be stored is tried again, and the node says so
// meanwhile.
func TestLedgerNotStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, r := w.startPoliced(twoADay(t))
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	away := w.Storage + ".away"
	// A folder in the file's place: it can't be replaced.
	path := filepath.Join(w.Storage, LedgerFile)
	if err := errors.Join(os.Rename(path, away), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	w.publish(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: key.ID, Message: []byte("a message")}}})
	eventually(t, "the node says that it can't store its ledger", func() bool {
		err := node.Keystore()
		return err != nil && strings.Contains(err.Error(), "ledger")
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.result()
	eventually(t, "it is stored", func() bool { return node.Keystore() == nil })
	r.Stop()
}

// TestSetPolicy: another policy is in force at once, and the counters go on.
func TestSetPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.startGateway()
	node, _ := w.startPoliced(twoADay(t))
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	w.sign(key)
	other, err := policy.Parse([]byte("version = 1\n[[rule]]\nname = \"none\"\nclients = [\"*\"]\nkeys = [\"*\"]\n"+
		"kinds = [\"psbt\"]\nmax_fee = [\"0.01 BTC\"]\ndestinations = [\"fleet:"+key.ID+"\"]\n"), "regtest")
	if err != nil {
		t.Fatal(err)
	}
	if err := node.SetPolicy(other); err != nil {
		t.Fatal(err)
	}
	if node.PolicyHash() != other.Hash() {
		t.Error("another policy's hash")
	}
	w.denied(key, "kind_not_allowed")
	if r := node.rules.Load(); len(r.known) != 1 {
		t.Errorf("keys of the policy that the node knows: %v", r.known)
	}
	if err := node.SetPolicy(twoADay(t)); err != nil {
		t.Fatal(err)
	}
	w.sign(key)
	w.denied(key, "limit_reached")
}
