package gateway

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

func (w *world) openAudit(dir string) *audit.Writer {
	w.Helper()
	log, err := audit.Open(audit.Config{Dir: dir, By: machinetest.Gateway, Role: "gateway", Log: w.Logger()})
	if err != nil {
		w.Fatal(err)
	}
	return log
}

// records reads a log that verifies.
func (w *world) records(dir string) (all []audit.Record) {
	w.Helper()
	files, err := audit.Files(dir)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := audit.Verify(w.Context(), files, audit.Options{Each: func(_ audit.File, r *audit.Record) error {
		all = append(all, *r)
		return nil
	}}); err != nil {
		w.Fatal(err)
	}
	return all
}

// TestAudit: each job that a gateway answers is in its log, with who signed, and one that
// it turns away too.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "audit")
	cfg := w.config()
	cfg.Audit = w.openAudit(dir)
	g := New(cfg)
	r := machinetest.Run(w, g.Run)
	eventually(t, "the gateway is ready", func() bool { return g.Ready() == nil })
	w.startNode()
	job, _ := w.newJob(10 * time.Minute)
	w.Publish(job)
	key := w.Result("").Keys[0]
	sign, id := w.Job(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: key.ID, Message: []byte("a message")}}}, time.Minute)
	w.Publish(sign)
	w.Result(id)
	bad, _ := w.newJob(10 * time.Minute)
	bad.Signature[0] ^= 1
	w.Publish(bad)
	eventually(t, "the log has all of them", func() bool { written, _, _ := cfg.Audit.Stats(); return written >= 4 })
	r.Stop()
	found := map[string]audit.Record{}
	for _, r := range w.records(dir) {
		found[string(r.Event)+" "+r.Kind+" "+string(r.Decision)] = r
	}
	for _, what := range []string{"start  ", "job keygen done", "job sign done", "job keygen refused", "stop  "} {
		if _, ok := found[what]; !ok {
			t.Errorf("no record %q in %v", what, found)
		}
	}
	digest := sign.Digest(w.Manifest)
	if r := found["job sign done"]; r.Job != id || r.Client != sign.Client || r.Count != 1 || !slices.Equal(r.Nodes, []int{0}) ||
		r.Digest != hexOf(digest[:]) {
		t.Errorf("%+v", r)
	}
	if r := found["job keygen refused"]; r.Code != string(wire.CodeBadSignature) || r.Reason == "" {
		t.Errorf("%+v", r)
	}
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// TestHeads: a head that goes back is noticed once, and heads are noted now and then.
func TestHeads(t *testing.T) {
	t.Parallel()
	of := func(m *wire.Manifest, seq uint64, hash byte) protocol.ManifestNodes {
		return protocol.ManifestNodes{Manifest: m, Nodes: []protocol.NodePresence{
			{}, {Last: &wire.Heartbeat{Audit: wire.AuditHead{Seq: seq, Hash: [32]byte{hash}}}},
		}}
	}
	founding := &wire.Manifest{Epoch: 1}
	at := func(seq uint64, hash byte) []protocol.ManifestNodes {
		return []protocol.ManifestNodes{of(founding, seq, hash)}
	}
	var g Gateway
	h := &g.heads
	for _, c := range []struct {
		seq  uint64
		hash byte
		back bool
		why  string
	}{
		{0, 0, false, "no log yet"},
		{5, 5, false, "the first"},
		{5, 5, false, "nothing new"},
		{9, 9, false, "it grew"},
		{8, 8, true, "it is shorter"},
		{8, 8, false, "as before"},
		{8, 7, true, "as long, and another one"},
		{0, 0, true, "it is gone"},
		{0, 0, false, "as before"},
		{3, 3, false, "a new one"},
	} {
		back, _ := h.look(at(c.seq, c.hash))
		if (len(back) > 0) != c.back {
			t.Errorf("%s: %+v", c.why, back)
		}
		if len(back) > 0 && (back[0].By != "worker-1" || !strings.HasPrefix(back[0].Head, "8:") && c.seq == 8) {
			t.Errorf("%s: %+v", c.why, back[0])
		}
	}
	h.ticks = headsEvery - 1
	if _, note := h.look(at(3, 3)); len(note) != 1 || note[0] != (audit.Seen{By: "worker-1", Head: audit.Head{Seq: 3, Hash: [32]byte{3}}.String()}) {
		t.Errorf("%+v", note)
	}
	h.ticks = headsEvery - 1
	if _, note := h.look(at(3, 3)); len(note) > 0 {
		t.Errorf("noted again: %+v", note)
	}
	// A node of the next manifest may be another machine: its log is another one.
	next := &wire.Manifest{Version: wire.SuccessorVersion, Epoch: 2, Previous: make([]byte, 32)}
	h.ticks = headsEvery - 1
	back, note := h.look([]protocol.ManifestNodes{of(founding, 3, 3), of(next, 1, 1)})
	if len(back) > 0 || len(note) != 1 || note[0].By != "worker-1 of epoch 2" {
		t.Errorf("%+v, %+v", back, note)
	}
	if back, _ = h.look([]protocol.ManifestNodes{of(next, 2, 2)}); len(back) > 0 {
		t.Errorf("%+v", back)
	}
	if n := g.AuditRewound()[1]; n != 3 {
		t.Errorf("it went back %d times", n)
	}
}

// TestOutcomes: what a result says is what the log says.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "audit")
	g := &Gateway{cfg: Config{Audit: w.openAudit(dir)}}
	g.auditJob(nil, nil) // another gateway's
	for _, r := range []wire.Result{
		{Status: wire.StatusDone}, {Status: wire.StatusPartial, Code: wire.CodeUnknownKey},
		{Status: wire.StatusFailed, Code: wire.CodeExpired}, {Status: wire.StatusDenied, Code: wire.CodePolicyDenied},
		{Status: wire.StatusDenied, Code: wire.CodeApprovalRequired},
	} {
		g.auditJob(&r, nil)
	}
	if err := g.cfg.Audit.Close(); err != nil {
		t.Fatal(err)
	}
	var got []audit.Decision
	for _, r := range w.records(dir)[1:] {
		got = append(got, r.Decision)
	}
	want := []audit.Decision{audit.Done, audit.Partial, audit.Failed, audit.Denied, audit.NeedsApproval}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestAuditOfFreezes: a gateway writes down what nodes do.
func TestAuditOfFreezes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if w.Access, err = w.Access.WithAdministrators([]wire.Administrator{{Name: "x", Key: public}}, 0); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "audit")
	cfg := w.config()
	cfg.Audit = w.openAudit(dir)
	g := New(cfg)
	r := machinetest.Run(w, g.Run)
	eventually(t, "the gateway is ready", func() bool { return g.Ready() == nil })
	statement := wire.Encode(&wire.FreezeStatement{Action: wire.ActionFreeze, Scope: wire.FreezeClient, Name: "alice", Reason: "why",
		Time: 1e9})
	message := wire.FreezeMessage(statement, wire.SignFreeze(key, w.Manifest, "x", statement))
	if _, err := w.Bus.Publish(w.Context(), wire.ControlSubject("x"), message, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gateway obeys", func() bool { return g.Frozen().Client("alice") != nil })
	r.Stop()
	for _, one := range w.records(dir) {
		if one.Event == audit.EventFreeze && strings.HasSuffix(one.Reason, ": client alice, by administrator x: why") {
			return
		}
	}
	t.Error("the log does not tell of the freeze")
}

// TestAuditOfJobsThatWait: that a job lacks approvals is in the log, and that it lapsed.
func TestAuditOfJobsThatWait(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	dir := filepath.Join(t.TempDir(), "audit")
	cfg := c.config()
	cfg.Audit = c.openAudit(dir)
	g := New(cfg)
	r := machinetest.Run(c, g.Run)
	eventually(t, "the gateway is ready", func() bool { return g.Ready() == nil })
	c.generate()
	job, id := c.message("waits", time.Hour)
	c.Publish(job)
	c.pending(id)
	past, pastID := c.message("past", -time.Hour)
	subject := wire.PendingSubject(past.Client, pastID)
	if _, err := c.Bus.Publish(t.Context(), subject, past.Payload, past.Headers()); err != nil {
		t.Fatal(err)
	}
	if _, err := g.lapse(t.Context(), subject); err != nil {
		t.Fatal(err)
	}
	r.Stop()
	found := map[string]audit.Decision{}
	for _, one := range c.records(dir) {
		found[one.Job+" "+one.Code] = one.Decision
	}
	if got := found[id+" "+string(wire.CodeApprovalRequired)]; got != audit.NeedsApproval {
		t.Errorf("the job that waits: %q in %v", got, found)
	}
	if got := found[pastID+" "+string(wire.CodeExpired)]; got != audit.Failed {
		t.Errorf("the job that waited in vain: %q in %v", got, found)
	}
}
