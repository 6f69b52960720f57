package worker

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// startAudited runs a node with an audit log.
func (w *world) startAudited(dir string, p *policy.Policy) (*Worker, *machinetest.Program) {
	w.Helper()
	cfg := w.config()
	cfg.AuditPath, cfg.Build, cfg.Policy = dir, "v7", p
	node, err := New(w.Context(), cfg)
	if err != nil {
		w.Fatal(err)
	}
	r := machinetest.Run(w, node.Run)
	eventually(w, "the node is ready", func() bool { return node.Ready() == nil })
	return node, r
}

// records reads a log that verifies, with heads that others heard.
func (w *world) records(dir string, heads ...audit.Head) (all []audit.Record) {
	w.Helper()
	files, err := audit.Files(dir)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := audit.Verify(w.Context(), files, audit.Options{Heads: heads, Each: func(_ audit.File, r *audit.Record) error {
		all = append(all, *r)
		return nil
	}}); err != nil {
		w.Fatal(err)
	}
	return all
}

// heartbeat is the node's last one.
func (w *world) heartbeat() *wire.Heartbeat {
	w.Helper()
	msg, found, err := w.Bus.LastAtLeader(w.Context(), bus.Presence, w.Manifest.NodePresence(0))
	if err != nil || !found {
		w.Fatal(found, err)
	}
	h, err := wire.DecodeHeartbeat(wire.UnverifiedBody(msg.Data))
	if err != nil {
		w.Fatal(err)
	}
	return h
}

// TestAudit: what a node signed and refused is in its log, under the job's digest, and its
// heartbeats tell where the log ends.
func TestAudit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "audit")
	w.startGateway()
	p := twoADay(t)
	node, r := w.startAudited(dir, p)
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	w.sign(key)
	node.run.Step(protocol.TaskMessage{LogMessage: wire.LogMessage{Subject: "work.interactive.x", Data: []byte("junk")}})
	eventually(t, "a heartbeat tells of the log", func() bool { return w.heartbeat().Audit.Seq >= 5 })
	heard := w.heartbeat()
	if heard.Policy != p.Hash() {
		t.Errorf("policy %x", heard.Policy)
	}
	r.Stop()
	last := w.heartbeat()
	if head := node.Audit().Head(); audit.Head(last.Audit) != head || !last.Leaving {
		t.Errorf("the last heartbeat tells of %d, and the log ends with %s", last.Audit.Seq, head)
	}
	found := map[string]audit.Record{}
	for _, r := range w.records(dir, audit.Head(heard.Audit), audit.Head(last.Audit)) {
		found[string(r.Event)+" "+r.Kind+" "+string(r.Decision)] = r
		if r.By != "worker-0" {
			t.Errorf("%+v", r)
		}
	}
	for _, what := range []string{"log  ", "start  ", "job keygen certified", "job sign approved", "job sign signed",
		"task  refused", "stop  "} {
		if _, ok := found[what]; !ok {
			t.Errorf("no record %q in %v", what, found)
		}
	}
	if start := found["start  "]; start.Build != "v7" || start.Policy != hashText(p.Hash()) {
		t.Errorf("%+v", start)
	}
	signed, approved := found["job sign signed"], found["job sign approved"]
	if signed.Client == "" || signed.Job == "" || len(signed.Digest) != 64 || signed.Digest != approved.Digest ||
		signed.Session != approved.Session || signed.Count != 1 || len(signed.Nodes) != 1 || signed.Nodes[0] != 0 {
		t.Errorf("%+v\n%+v", approved, signed)
	}
	if made := found["job keygen certified"]; made.Client != signed.Client || len(made.Digest) != 64 || made.Count != 1 {
		t.Errorf("%+v", made)
	}
}

// TestAuditOfAPolicy: what a policy decided is in the log, with the rule, and which policy
// it was.
func TestAuditOfAPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "audit")
	w.startGateway()
	rules := twoADay(t)
	node, r := w.startAudited(dir, rules)
	w.publish(machinetest.Keygen())
	key := w.result().Keys[0]
	w.sign(key)
	w.sign(key)
	w.denied(key, "few")
	if err := node.SetPolicy(rules); err != nil { // which it has
		t.Fatal(err)
	}
	other, err := policy.Parse([]byte("version = 1\n[[rule]]\nname = \"all\"\nclients = [\"*\"]\nkeys = [\"*\"]\n"+
		"kinds = [\"raw\"]\n"), "regtest")
	if err != nil {
		t.Fatal(err)
	}
	if err := node.SetPolicy(other); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a heartbeat tells of the policy", func() bool { return w.heartbeat().Policy == other.Hash() })
	r.Stop()
	count, policies := map[string]int{}, []string(nil)
	for _, r := range w.records(dir) {
		if r.Policy != "" {
			policies = append(policies, r.Policy)
		}
		if r.Kind == string(wire.KindSign) {
			count[string(r.Decision)+" "+r.Rule]++
		}
		if r.Decision == audit.Denied && (r.Code != string(wire.CodePolicyDenied) || r.Reason == "" || len(r.Digest) != 64) {
			t.Errorf("%+v", r)
		}
	}
	if count["approved few"] != 2 || count["signed few"] != 2 || count["denied few"] == 0 {
		t.Errorf("%v", count)
	}
	if want := []string{hashText(rules.Hash()), hashText(other.Hash())}; !slices.Equal(policies, want) {
		t.Errorf("policies %v, want %v", policies, want)
	}
}

// TestAuditReports: what a report says is in its record.
func TestAuditReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "audit")
	cfg := w.config()
	cfg.AuditPath = dir
	node, err := New(w.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	asked := &protocol.Asked{
		Digest: [32]byte{1}, Form: "psbt", Decision: protocol.NeedsApproval, Rule: "large", Approvers: []string{"alice"},
		Outflow: []protocol.Outflow{{Asset: "btc", Units: 7}},
	}
	report := protocol.Report{
		What: protocol.ReportRefused, Kind: wire.KindSign, ID: "session", Job: "treasury/job", Code: "policy_denied",
		Reason: "too much", Asked: asked,
	}
	node.report(report)
	report.What = protocol.ReportSatOut
	node.report(report)
	report.What, report.Asked = protocol.ReportRefused, nil
	node.report(report)
	for range maxBadTasks + 5 { // some may be of the next second
		node.report(protocol.Report{What: protocol.ReportBadTask, ID: "work.x", Reason: "junk"})
	}
	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	all := w.records(dir)
	if len(all) < 3+maxBadTasks || len(all) > 3+maxBadTasks+5 {
		t.Fatalf("%d records", len(all))
	}
	first, second := all[1], all[2]
	if first.Client != "treasury" || first.Job != "job" || first.Decision != audit.NeedsApproval || first.Rule != "large" ||
		first.Code != "policy_denied" || first.Reason != "too much" || first.Form != "psbt" || first.Session != "session" ||
		first.Outflow[0] != (audit.Amount{Asset: "btc", Units: 7}) || first.Approved[0] != "alice" || first.Digest[:2] != "01" {
		t.Errorf("%+v", first)
	}
	if second.Decision != audit.Failed || second.Digest != "" {
		t.Errorf("%+v", second)
	}
}

func TestBadTasksAreBounded(t *testing.T) {
	t.Parallel()
	var b badTasks
	taken := 0
	for range 1000 {
		if _, ok := b.take(7); ok {
			taken++
		}
	}
	if others, ok := b.take(8); taken != maxBadTasks || !ok || others != 1000-maxBadTasks {
		t.Errorf("%d were taken, and then the others are %d, %t", taken, others, ok)
	}
}

// TestUnaudited: a node whose audit log has no room says nothing that it could not write
// down, and refuses all the same.
func TestUnaudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config()
	cfg.AuditPath = filepath.Join(t.TempDir(), "audit")
	node, err := New(w.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = node.Close() }()
	if node.unaudited(wire.SlotShare) {
		t.Error("an empty queue has no room")
	}
	full := &audit.Writer{} // nobody writes what it gets
	for full.Room() {
		full.Append(audit.Record{Event: audit.EventJob})
	}
	log := node.audit
	node.audit = full
	for kind, want := range map[wire.SlotKind]bool{
		wire.SlotCommit: true, wire.SlotShare: true, wire.SlotRefuse: false, wire.SlotCert: false,
	} {
		if node.unaudited(kind) != want {
			t.Errorf("%s: %t", kind, !want)
		}
	}
	node.audit = log
}

// TestSecondAuditor: a log has one writer.
func TestSecondAuditor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "audit")
	first, err := audit.Open(audit.Config{Dir: dir, By: "worker-0", Role: "worker", Log: w.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	cfg := w.config()
	cfg.AuditPath = dir
	if _, err := New(w.Context(), cfg); !errors.Is(err, audit.ErrLocked) {
		t.Errorf("%v", err)
	}
}

// TestAuditOfFreezes: what administrators froze, and what was lifted, is in the log once,
// with who did it and why.
func TestAuditOfFreezes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, dir := w.administrator(), filepath.Join(t.TempDir(), "audit")
	node, r := w.startAudited(dir, nil)
	w.says(key, wholeFleet)
	eventually(t, "the node obeys", func() bool { return node.Frozen().Count(wire.FreezeFleet) == 1 })
	r.Stop()
	_, r = w.startAudited(dir, nil)
	r.Stop()
	var reasons []string
	for _, one := range w.records(dir) {
		if one.Event == audit.EventFreeze {
			reasons = append(reasons, one.Reason)
		}
	}
	if len(reasons) != 1 || !strings.HasPrefix(reasons[0], "frozen ") ||
		!strings.HasSuffix(reasons[0], ": the fleet, by administrator x: why") {
		t.Errorf("freezes in the log: %q", reasons)
	}
}
