package protocol

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signPhase is how far a node is with a signing session.
type signPhase int

const (
	signStandby   signPhase = iota // waits whether it is needed, and spends nothing till then
	signLoading                    // the keystore is asked for the keys, and the items are checked
	signDrawing                    // the nonces are being drawn
	signCommitted                  // the public nonces are out, the secret ones in memory
	signComputing                  // the nonces are used up; the shares are being computed
	signDone                       // the shares are out
	signOut                        // this node has no part in the session (any more)
)

// signMoves lists the legal moves. There is none back to drawing: a session
// draws nonces once.
var signMoves = map[signPhase][]signPhase{
	signStandby:   {signLoading, signOut},
	signLoading:   {signDrawing, signOut},
	signDrawing:   {signCommitted, signOut},
	signCommitted: {signComputing, signOut},
	signComputing: {signDone, signOut},
	signDone:      {signOut},
}

// signer runs a node's signing sessions.
type signer struct {
	*nodeCore
	sessions map[string]*signing
	finished *finishedSessions
	early    *earlyMessages
	rate     attemptRate
	branches *derive.Cache
	judge    judge
	nonces   struct{ drawn, used, dropped uint64 }
}

// signing is one signing session at one node (docs/protocol.md, section 6).
type signing struct {
	node    *signer
	id      string
	request *signRequest // nil once the session is over
	count   int          // items
	size    int          // signRequest.work
	suite   frost.Suite  // of all items; 0 until they are checked
	started time.Time    // by this node's clock

	phase   signPhase
	commits commitSet
	items   []frost.Item
	nonces  *frost.Nonces // only between drawing and use
	points  []byte        // what this node committed to
	promise *Publish      // its commitment, while that waits for the ledger
	set     []frost.NonceCommitment
	loads   int
	sealed  []byte          // this node's commitment as it went to the log
	waiting sessionMessages // standby: what came meanwhile
	shared  []int           // standby: nodes with something in the slot of their share
	trace   string
	asked   *Asked
	debt    *debt  // of a job that is not charged here; nil: nothing is to be counted
	saved   uint64 // the state of the ledger that has to be on the disk before a commitment leaves
}

func (s *signing) to(next signPhase) { s.phase = move(signMoves, s.phase, next, s.id) }

// urgent reports whether a client waits for this session.
func (s *signing) urgent() bool { return s.size <= wire.InteractiveItems }

// report is a report of this session.
func (s *signing) report(what ReportKind) Report {
	job := jobKey(s.request.client, s.request.job.ID)
	return Report{What: what, Kind: wire.KindSign, ID: s.id, Job: job, Trace: s.trace, Culprit: -1, Asked: s.asked}
}

// counted is a report with the signatures in it.
func (s *signing) counted(what ReportKind) Report {
	r := s.report(what)
	r.Suite, r.Count = s.suite, s.count
	return r
}

// sitOut ends this node's part without a word in the log.
func (s *signing) sitOut(why string) []Effect {
	if s.phase == signOut || s.phase == signDone {
		return nil
	}
	report := s.report(ReportSatOut)
	report.Reason = why
	s.drop()
	return []Effect{report}
}

// refuse ends this node's part and publishes why.
func (s *signing) refuse(code wire.Code, reason string) []Effect {
	report := s.report(ReportRefused)
	report.Code, report.Reason = code, reason
	c := wire.Complaint{Session: s.request.session, Code: code, Reason: wire.Clip(reason)}
	publish := s.publish(wire.SlotRefuse, wire.Encode(&c))
	s.drop()
	return []Effect{publish, report}
}

// publish is a message of this session. Nonces and shares must not leave the node
// once the job or the attempt is over, its client or gateway may be revoked, or another policy is in
// force; that a node refuses may be said for longer.
func (s *signing) publish(kind wire.SlotKind, body []byte) Publish {
	p := Publish{Slot: wire.Slot{Kind: kind, ID: s.id, Node: s.node.cfg.Index}, Body: body, Trace: s.trace}
	if kind != wire.SlotRefuse {
		p.Expires, p.Access, p.Policy = s.request.until(), s.node.cfg.Access, s.node.judge.policy.Hash()
		p.work = sessionWork{s.request.client, s.request.keys}
	}
	return p
}

// drop wipes the nonces and forgets the shares; the session stays known, so
// that the same task does not start it again.
func (s *signing) drop() {
	if s.phase == signDrawing {
		s.items = nil // the computation still reads the shares; onNonces wipes them
	}
	s.phase = signOut
	if s.nonces != nil {
		s.node.nonces.dropped += uint64(s.count)
	}
	s.nonces.Wipe()
	s.nonces, s.points = nil, nil
	s.release()
}

// release wipes the keys' shares and lets go of what the session held.
func (s *signing) release() {
	wipeItems(s.items)
	s.items, s.request, s.promise, s.set, s.sealed, s.commits.arrivals = nil, nil, nil, nil, nil, nil
	s.waiting = sessionMessages{}
	s.node.judge.keep(s.debt)
}
