package protocol

import (
	"fmt"
	"slices"
	"time"

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

// signing is one signing session at one node (docs/protocol.md, section 6).
type signing struct {
	node    *Node
	id      string
	request *signRequest // nil once the session is over
	count   int          // items
	suite   frost.Suite  // of all items; 0 until they are checked
	started time.Time    // by this node's clock

	phase   signPhase
	commits commitSet
	items   []frost.Item
	nonces  *frost.Nonces // only between drawing and use
	points  []byte        // what this node committed to
	set     []frost.NonceCommitment
	loads   int
	sealed  []byte          // this node's commitment as it went to the log
	waiting sessionMessages // standby: what came meanwhile
	shared  []int           // standby: nodes with something in the slot of their share
	trace   string
}

// signRequest is what a task asks of a session. It does not change, so that
// computations may read it.
type signRequest struct {
	session [32]byte
	job     *wire.Job
	client  string
	trace   string
	draft   string       // of BIP 445, as the task names it
	which   []uint32     // the job's items in this session
	keys    []wire.KeyID // of these
}

func (s *signing) to(next signPhase) {
	if !slices.Contains(signMoves[s.phase], next) {
		panic(fmt.Sprintf("session %s: no move from phase %d to %d", s.id, s.phase, next))
	}
	s.phase = next
}

// startSigning begins a signing task.
func (n *Node) startSigning(r *signRequest, exclude []uint8) []Effect {
	id := wire.ShortID(r.session)
	if n.finished.has(id) || n.sessions[id] != nil {
		return nil // a session is begun once in a process, however often its task is shown
	}
	s := &signing{
		node: n, id: id, request: r, count: len(r.which), started: n.now, trace: r.trace,
		commits: commitSet{opener: n.opener, session: r.session, exclude: exclude},
	}
	n.sessions[id] = s
	s.waiting = n.early.take(id)
	switch rank := rankOf(r.session, exclude, n.cfg.Manifest.N, n.cfg.Index); {
	case rank < 0:
		return s.sitOut("excluded from this attempt")
	case rank < n.cfg.Manifest.T:
		return s.begin()
	}
	// Most sessions end without this node, so it spends nothing on them yet.
	delay := n.cfg.StandbyDelay + time.Duration(s.count)*time.Millisecond
	return []Effect{After{Delay: delay, Timer: Timer{s.id, timerStandby}}}
}

// urgent reports whether a client waits for this session.
func (s *signing) urgent() bool { return s.count <= wire.InteractiveItems }

func (s *signing) onTimer(kind TimerKind) []Effect {
	switch {
	case kind == timerLoad && s.phase == signLoading:
		return []Effect{s.load()}
	case kind == timerStandby && s.phase == signStandby:
		return s.begin()
	}
	return nil
}

// begin looks at what the log has of the session, and goes for the keys
// unless enough others have committed.
func (s *signing) begin() (effects []Effect) {
	s.to(signLoading)
	waiting := s.waiting
	s.waiting = sessionMessages{}
	for _, msg := range waiting.messages {
		if slot, err := wire.ParseSlot(msg.Subject); err == nil {
			effects = append(effects, s.onLog(slot, msg)...)
		}
	}
	switch {
	case s.phase != signLoading:
		return effects
	case s.commits.maybeValid() >= s.node.cfg.Manifest.T:
		return append(effects, s.sitOut("enough others have committed")...)
	}
	return append(effects, s.load())
}

// onSealed keeps how a message of this node goes to the log, so that it need not
// be verified when it comes back.
func (s *signing) onSealed(e Sealed) {
	if e.Slot.Kind == wire.SlotCommit && s.phase == signCommitted {
		s.sealed = e.Data
	}
}

// report is a report of this session.
func (s *signing) report(what ReportKind) Report {
	r := Report{What: what, Kind: wire.KindSign, ID: s.id, Trace: s.trace, Culprit: -1}
	if s.request != nil {
		r.Job = jobKey(s.request.client, s.request.job.ID)
	}
	return r
}

// counted is a report with the signatures in it.
func (s *signing) counted(what ReportKind) Report {
	r := s.report(what)
	r.Suite, r.Count = s.suite, s.count
	return r
}
