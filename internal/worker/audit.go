package worker

import (
	"encoding/hex"
	"errors"
	"strings"
	"sync"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node writes into its audit log: every session in which it committed, made its
// shares, or refused, every batch that it certified or gave up, tasks that counted for
// nothing, and what administrators froze.

// openAudit opens the log. It comes after the keystore, whose lock is the one that tells of
// another worker of this manifest, and before the ledger of the policy: a worker of another
// manifest has another keystore, and the same log and ledger.
func (w *Worker) openAudit() (err error) {
	if w.cfg.AuditPath == "" {
		return nil
	}
	w.audit, err = OpenAudit(w.cfg.AuditPath, w.cfg.Index, w.cfg.Manifest, w.log)
	return err
}

// Audit is the log; nil if the node has none.
func (w *Worker) Audit() *audit.Writer { return w.audit }

func (w *Worker) auditStart() {
	w.audit.Append(audit.Record{Event: audit.EventStart, Build: w.cfg.Build, Policy: hashText(w.PolicyHash())})
}

// auditStop writes what is left. The last heartbeat comes after it.
func (w *Worker) auditStop() error {
	w.audit.Append(audit.Record{Event: audit.EventStop})
	return w.audit.Close()
}

// errUnaudited: memory is full of records that the disk does not take.
var errUnaudited = errors.New("no room for audit records: nothing is committed to and nothing signed")

// unaudited reports whether a message must not leave since nobody could read of it later.
func (m *member) unaudited(kind wire.SlotKind) bool {
	return (kind == wire.SlotCommit || kind == wire.SlotShare) && !m.host.audit.Room()
}

// hashText is a hash in hexadecimal; "" if it is none.
func hashText(hash [32]byte) string {
	if hash == [32]byte{} {
		return ""
	}
	return hex.EncodeToString(hash[:])
}

// report tells the metrics and the audit log.
func (m *member) report(r protocol.Report) {
	m.cfg.Observe.Report(r)
	m.auditReport(r)
}

var decided = map[protocol.ReportKind]audit.Decision{
	protocol.ReportCommitted: audit.Approved, protocol.ReportShared: audit.Signed,
	protocol.ReportCertified: audit.Certified,
	protocol.ReportRefused:   audit.Failed, protocol.ReportAborted: audit.Failed,
}

func (m *member) auditReport(r protocol.Report) {
	decision, ok := decided[r.What]
	switch {
	case r.What == protocol.ReportBadTask:
		if others, ok := m.host.badTasks.take(clock.Now().Unix()); ok {
			m.note(audit.Record{Event: audit.EventTask, Decision: audit.Refused, Session: r.ID, Reason: r.Reason, Lost: others})
		}
		return
	case r.What == protocol.ReportFrozen || r.What == protocol.ReportUnfrozen:
		if !m.hosted() { // each member hears of it
			m.host.audit.AppendFreeze(string(r.What), r.ID, r.Reason)
		}
		return
	case !ok:
		return
	}
	client, job, _ := strings.Cut(r.Job, "/")
	record := audit.Record{
		Event: audit.EventJob, Client: client, Job: job, Kind: string(r.Kind), Session: r.ID, Decision: decision,
		Code: string(r.Code), Reason: r.Reason, Count: r.Count, Nodes: r.Nodes,
	}
	if r.Count > 0 {
		record.Suite = r.Suite.String()
	}
	if a := r.Asked; a != nil {
		record.Digest, record.Form, record.Rule, record.Approved = hashText(a.Digest), a.Form, a.Rule, a.Approvers
		for _, o := range a.Outflow {
			record.Outflow = append(record.Outflow, audit.Amount(o))
		}
		if decision == audit.Failed && a.Decision != "" && a.Decision != protocol.Approved {
			record.Decision = audit.Decision(a.Decision)
		}
	}
	m.note(record)
}

// note writes a record, with the member's manifest where that is not the log's own.
func (m *member) note(r audit.Record) {
	if m.hosted() {
		r.Manifest = hashText(m.cfg.Manifest.Hash())
	}
	m.host.audit.Append(r)
}

// maxBadTasks is how many tasks that count for nothing are written down in a second. Who
// may write to WORK can make any number of them.
const maxBadTasks = 10

// badTasks counts them.
type badTasks struct {
	mu            sync.Mutex
	second, taken int64
	others        uint64 // that were not written down
}

// take reports whether one more is written down, and how many were not before it.
func (b *badTasks) take(second int64) (others uint64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if second != b.second {
		b.second, b.taken = second, 0
	}
	if b.taken >= maxBadTasks {
		b.others++
		return 0, false
	}
	b.taken++
	others, b.others = b.others, 0
	return others, true
}

func accessChanges(a, before *wire.Access) (texts []string) {
	for _, c := range a.Changes(before) {
		texts = append(texts, c.Text)
	}
	return texts
}
