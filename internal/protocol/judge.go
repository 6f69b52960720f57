package protocol

import (
	"crypto/ed25519"
	"maps"
	"time"

	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// judge is a node's policy, and what it has let through. A job is judged after it was read
// and before anything is drawn for it, and charged in the same step. It is charged once,
// however many sessions it takes. No commitment, and so no share, leaves before the ledger is
// on the disk as far as it has to be (docs/protocol.md, section 12).
type judge struct {
	policy  *policy.Policy // nil: none is in force
	ledger  *policy.Ledger
	tallies map[string]*tally // jobs that others sign and that are being read, by what is loaded
	owing   []*debt           // of sessions that are over, the oldest first; some are settled
	owed    int               // their sizes
	most    int               // maxOwed
}

// Sizes of debts, in bytes. A client may have large requests denied as fast as it can
// publish them.
const (
	maxOwed  = 64 << 20
	debtSize = 1 << 10 // and its request
)

// PolicyChanged puts another policy in force: the machine started with one.
type PolicyChanged struct{ Policy *policy.Policy }

// LedgerSaved answers SaveLedger, once the state is on the disk.
type LedgerSaved struct{ Seq uint64 }

// SaveLedger asks for a state of the ledger to be put in the place of the one before, and
// synced. There is one at a time. What can't be written is to be tried again: the
// commitments that wait for it wait.
type SaveLedger struct{ policy.Save }

func (PolicyChanged) event() {}
func (LedgerSaved) event()   {}
func (SaveLedger) effect()   {}

// judgment is what a job is judged by, besides the ledger and the time.
type judgment struct {
	means    *intent.Intent
	roots    []intent.Root
	approved []string
	expires  time.Time // of the job, as the approvals that count have it
}

// judged makes what the policy is asked. It belongs to a computation, as approvals are
// verified and items counted.
func (r *signRequest) judged(
	m *wire.Manifest, access *wire.Access, p *policy.Policy, means *intent.Intent, now time.Time,
) *judgment {
	j := &judgment{means: means}
	for _, k := range r.job.Keys {
		j.roots = append(j.roots, intent.Root{ID: k.Key})
	}
	if means == nil {
		j.means, j.roots = r.job.RawIntent()
	}
	keys := p.ApproversOf(r.client, j.roots)
	// Who asks does not approve, whatever the policy says.
	maps.DeleteFunc(keys, func(_ string, key ed25519.PublicKey) bool { return access.IsClient(r.client, key) })
	j.approved, j.expires = r.job.Approved(r.approvals, keys, m, r.digest, now)
	return j
}

// ask is what the policy is asked of a job.
func (r *signRequest) ask(j *judgment, now time.Time) *policy.Ask {
	return &policy.Ask{
		Client: r.client, Job: r.job.ID, Digest: r.digest, Intent: j.means, Roots: j.roots, Replaces: r.job.Replaces,
		Approved: j.approved, Now: now,
	}
}

// denied is a decision against a job, as a refusal.
func denied(d *policy.Decision) *wire.JobError {
	code := wire.CodePolicyDenied
	if d.Verdict == policy.NeedsApproval {
		code = wire.CodeApprovalRequired
	}
	if d.Rule == "" {
		return wire.Refuse(code, "%s: %s", d.Code, d.Reason)
	}
	return wire.Refuse(code, "rule %s: %s: %s", d.Rule, d.Code, d.Reason)
}

// askedOf is a decision, as reports have it.
func askedOf(ask *policy.Ask, d *policy.Decision) *Asked {
	asked := &Asked{
		Digest: ask.Digest, Form: string(ask.Intent.Kind), Rule: d.Rule, Approvers: ask.Approved,
		Decision: map[policy.Verdict]Decision{
			policy.Allowed: Approved, policy.Denied: Denied, policy.NeedsApproval: NeedsApproval,
		}[d.Verdict],
	}
	if ask.Intent.Kind == intent.Raw {
		asked.Form = ""
	}
	for _, a := range ask.Intent.Outflow {
		asked.Outflow = append(asked.Outflow, Outflow{Asset: a.Asset, Units: a.Units})
	}
	return asked
}

// saving is the effect of a state that is to be stored, if there is one.
func saving(save *policy.Save) []Effect {
	if save == nil {
		return nil
	}
	return []Effect{SaveLedger{*save}}
}

// debt is a job that this node has not charged. Once t nodes have committed to it, it will
// be signed, whatever this node does; so it counts here as well. A gateway that leaves nodes
// out, and nodes that stand by, would otherwise multiply what a limit lets through.
type debt struct {
	nodes    []int     // with something in the slots of their commitments, which is not opened
	until    time.Time // when nobody signs it any more, in this session
	request  *signRequest
	ask      *policy.Ask // what was decided against, in the place of the request
	decision *policy.Decision
	size     int
	kept     bool // among those that are bounded
}

// counts reports whether others may still sign.
func (d *debt) counts(now time.Time) bool { return d != nil && now.Before(d.until) }

// keep notes that a session is over, and that what its job has is held for its debt alone.
func (j *judge) keep(d *debt) {
	if d == nil || d.kept {
		return
	}
	d.kept = true
	j.owed += d.size
	j.owing = append(j.owing, d)
}

// settled lets go of what a debt held.
func (j *judge) settled(d *debt) {
	if d == nil {
		return
	}
	if d.kept {
		j.owed -= d.size
	}
	*d = debt{}
}

// tally is a job that others sign, until it is read.
type tally struct {
	request *signRequest
	loads   int
}

// maxTallies is how many of them may wait for keys of other nodes.
const maxTallies = 256
