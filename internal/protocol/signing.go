package protocol

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signPhase is how far a node is with a signing session.
type signPhase int

const (
	signStandby   signPhase = iota // waits whether it is needed, and spends nothing till then
	signLoading                    // the keystore is asked for the keys
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

// signing is one signing session at one node (docs/protocol.md).
type signing struct {
	node    *Node
	id      string
	session [32]byte
	job     *wire.Job
	client  string
	trace   string
	which   []uint32 // the job's items in this session
	draft   string   // of BIP 445, as the task names it
	urgent  bool
	started time.Time // by this node's clock

	phase   signPhase
	commits commitSet
	items   []frost.Item
	nonces  *frost.Nonces // only between drawing and use
	points  []byte        // what this node committed to
	set     []frost.NonceCommitment
	loads   int
	sealed  []byte // this node's commitment as it went to the log
	held    box    // standby: what came meanwhile
	shared  []int  // standby: nodes with something in the slot of their share
}

// How often a node looks for keys that it does not have yet. Another node may
// have seen the batch's last certificate earlier.
const (
	loadRetries = 60
	loadDelay   = 50 * time.Millisecond
)

// inlineChecks is up to how many items a commitment is checked on the spot: a
// detour over the pool would cost more.
const inlineChecks = 2

func (s *signing) to(next signPhase) {
	if !slices.Contains(signMoves[s.phase], next) {
		panic(fmt.Sprintf("session %s: no move from phase %d to %d", s.id, s.phase, next))
	}
	s.phase = next
}

// startSigning begins a signing task.
func (n *Node) startSigning(task *wire.Task, job *wire.Job) []Effect {
	if task.Part != 0 || len(task.Items) == 0 || int(task.Items[len(task.Items)-1]) >= len(job.Items) {
		return badTask("sign task "+job.ID, fmt.Errorf("part %d or items out of range", task.Part))
	}
	if task.Draft == "" {
		return badTask("sign task "+job.ID, fmt.Errorf("the task names no draft of BIP 445, so its gateway runs a version "+
			"from before drafts were named; this node signs by draft %s: run one version everywhere", bip445.Draft))
	}
	ctx := task.Session(n.Manifest)
	id := wire.ShortID(ctx)
	if n.spent.has(id) || n.sessions[id] != nil {
		return nil // a session is begun once in a process, however often its task is shown
	}
	s := &signing{
		node: n, id: id, session: ctx, job: job, client: task.Job.Client, trace: task.Job.Trace,
		which: task.Items, draft: task.Draft,
		urgent: len(task.Items) <= wire.InteractiveItems, started: n.now,
		commits: commitSet{attested: n.attested, session: ctx, exclude: task.Exclude},
	}
	n.sessions[id] = s
	s.held = n.mail.take(id)
	place := rank(ctx, task.Exclude, n.Manifest.N, n.Index)
	switch {
	case place < 0:
		return s.sitOut("excluded from this attempt")
	case place < n.Manifest.T:
		return s.begin()
	}
	// Most sessions end without this node, so it spends nothing on them yet.
	delay := n.Delay + time.Duration(len(s.which))*time.Millisecond
	return []Effect{After{Delay: delay, Timer: Timer{s.id, timerHedge}}}
}

// begin looks at what the log says of the session, and goes for the keys
// unless enough others have committed.
func (s *signing) begin() (effects []Effect) {
	s.to(signLoading)
	held := s.held
	s.held = box{}
	for _, msg := range held.messages {
		if slot, err := wire.ParseSlot(msg.Subject); err == nil {
			effects = append(effects, s.onLog(slot, msg)...)
		}
	}
	switch {
	case s.phase != signLoading:
		return effects
	case s.commits.hopeful() >= s.node.Manifest.T:
		return append(effects, s.sitOut("enough others have committed")...)
	}
	return append(effects, s.load())
}

func (s *signing) load() Effect {
	s.loads++
	ids := make([]wire.KeyID, len(s.which))
	for i, w := range s.which {
		ids[i], _ = wire.ParseKeyID(s.job.Items[w].Key) // Parse has checked it
	}
	return Load{ID: s.id, Keys: ids}
}

// onLoaded validates every item before anything is drawn for it: what the
// nonces will be spent on is fixed here.
func (s *signing) onLoaded(keys []LoadedKey) []Effect {
	if s.phase != signLoading {
		wipeLoaded(keys)
		return nil
	}
	items, refusal := s.validate(keys)
	if refusal != nil {
		wipeLoaded(keys)
		if refusal.Code == wire.CodeUnknownKey && s.loads < loadRetries {
			return []Effect{After{Delay: loadDelay, Timer: Timer{s.id, timerLoad}}}
		}
		return s.refuse(refusal.Code, refusal.Reason)
	}
	s.items = items
	var effects []Effect
	for pos := range s.commits.arrivals {
		effects = append(effects, s.check(pos)...)
		if s.phase != signLoading {
			return effects // the set is complete without this node
		}
	}
	if s.commits.hopeful() >= s.node.Manifest.T {
		return append(effects, s.sitOut("enough others have committed")...)
	}
	return append(effects, s.draw()...)
}

func (s *signing) onTimer(kind TimerKind) []Effect {
	switch {
	case kind == timerLoad && s.phase == signLoading:
		return []Effect{s.load()}
	case kind == timerHedge && s.phase == signStandby:
		return s.begin()
	}
	return nil
}

// draw makes the nonces. They come from the system's generator, mixed with
// the shares as BIP 445 and RFC 9591 say, and from nothing of the session.
func (s *signing) draw() []Effect {
	if s.commits.has(s.node.Index) {
		return s.sitOut("this node committed in an earlier life and has no nonces for it")
	}
	s.to(signDrawing)
	items, rand := s.items, s.node.Rand
	return []Effect{Compute{Urgent: s.urgent, Name: "draw nonces", Trace: s.trace, Run: func() Event {
		nonces, points, err := frost.Commit(rand, items)
		return noncesMade{s: s, nonces: nonces, points: points, err: err}
	}}}
}

func (s *signing) onNonces(e noncesMade) []Effect {
	counts := &s.node.nonces
	if e.err == nil {
		counts.drawn += uint64(len(s.which))
	}
	if s.phase != signDrawing {
		if e.err == nil {
			counts.dropped += uint64(len(s.which))
		}
		e.nonces.Wipe()
		return nil
	}
	if e.err != nil {
		return s.refuse(wire.CodeInternal, "commit: "+e.err.Error())
	}
	s.to(signCommitted)
	s.nonces, s.points = e.nonces, e.points
	body := wire.CommitBody{Session: s.session, Points: e.points}
	p := Publish{Slot: wire.Slot{Kind: wire.SlotCommit, ID: s.id, Node: s.node.Index}, Trace: s.trace}
	if s.node.Manifest.AttestSigning {
		leaf := wire.CommitLeaf(s.node.Manifest, s.session, s.node.Index, e.points)
		p.Leaf, p.With = &leaf, func(a *wire.Attestation) []byte {
			body.Attestation = a
			return wire.Encode(&body)
		}
	} else {
		p.Body = wire.Encode(&body)
	}
	return []Effect{p, s.counted(ReportCommitted)}
}

// onLog takes a message of this session in log order.
func (s *signing) onLog(slot wire.Slot, msg wire.LogMessage) []Effect {
	if s.phase == signStandby && slot.Kind == wire.SlotShare {
		return s.onOthersShare(slot.Node)
	}
	if slot.Kind != wire.SlotCommit || s.phase >= signDone || s.commits.has(slot.Node) {
		return nil
	}
	if s.ownBytes(slot, msg) {
		s.commits.addOwn(slot.Node, s.points)
		return s.complete()
	}
	if s.phase == signStandby {
		s.held.add(slot.Node, msg)
		return nil
	}
	body, err := s.node.opener.FromNode(slot.Node, msg.Subject, msg.Time, msg.Data)
	if err != nil {
		return nil // junk
	}
	pos, _, ok := s.commits.add(slot.Node, body)
	if !ok {
		return nil
	}
	if slot.Node == s.node.Index && !s.ownCommit(pos) {
		return s.sitOut("this node committed in an earlier life and has no nonces for it")
	}
	if s.items == nil {
		return nil // checked once the keys tell the suite
	}
	return s.check(pos)
}

// onOthersShare ends a standby once t nodes have put something into the slots
// of their shares: they need no further commitment. Nothing is opened for that.
// If it was junk, the gateway opens another attempt.
func (s *signing) onOthersShare(node int) []Effect {
	if !slices.Contains(s.shared, node) {
		s.shared = append(s.shared, node)
	}
	if len(s.shared) < s.node.Manifest.T {
		return nil
	}
	return s.sitOut("enough others have answered")
}

// ownBytes reports whether a message is the commitment of this process, byte
// for byte, and came in time. Its signatures need no checking then.
func (s *signing) ownBytes(slot wire.Slot, msg wire.LogMessage) bool {
	if slot.Node != s.node.Index || s.phase != signCommitted || s.sealed == nil || !bytes.Equal(msg.Data, s.sealed) {
		return false
	}
	body, err := s.node.opener.ClaimedBody(slot.Node, msg.Time, msg.Data)
	return err == nil && bytes.Contains(body, s.points)
}

// ownCommit reports whether the commitment in the log is the one that this
// process holds the nonces of.
func (s *signing) ownCommit(pos int) bool {
	return s.nonces != nil && bytes.Equal(s.commits.arrivals[pos].Points, s.points)
}

func (s *signing) check(pos int) []Effect {
	a := s.commits.arrivals[pos]
	if a.state != checkPending {
		return nil
	}
	if a.Index == s.node.Index {
		return s.onChecked(commitChecked{s: s, pos: pos})
	}
	suite, count := s.items[0].Key.Suite, len(s.items)
	run := func() Event {
		return commitChecked{s: s, pos: pos, err: frost.CheckCommitment(suite, count, a.Points)}
	}
	if count <= inlineChecks {
		return s.onChecked(run().(commitChecked))
	}
	return []Effect{Compute{Urgent: s.urgent, Run: run}}
}

func (s *signing) onChecked(e commitChecked) []Effect {
	if s.phase >= signDone {
		return nil
	}
	s.commits.checked(e.pos, e.err)
	return s.complete()
}

// complete signs once the set is whole.
func (s *signing) complete() []Effect {
	if s.set != nil {
		return nil
	}
	if s.set = s.commits.set(s.node.Manifest.T); s.set == nil {
		return nil
	}
	return s.sign()
}

// sign spends the nonces on the set, if this node is in it. They are taken
// out of the session first: whatever comes of the computation, and whatever
// the log says later, they are gone.
func (s *signing) sign() []Effect {
	if s.phase == signOut {
		return nil
	}
	if !slices.Contains(setIndices(s.set), uint8(s.node.Index)) || s.phase != signCommitted {
		return s.sitOut("not in the signing set")
	}
	s.to(signComputing)
	nonces, set := s.nonces, s.set
	s.nonces = nil
	s.node.nonces.used += uint64(len(s.which))
	return []Effect{Compute{Urgent: s.urgent, Name: "make shares", Trace: s.trace, Run: func() Event {
		shares, err := nonces.Sign(set)
		return sharesMade{s: s, shares: shares, err: err}
	}}}
}

func (s *signing) onShares(e sharesMade) []Effect {
	if s.phase != signComputing {
		return nil
	}
	if e.err != nil {
		return s.refuse(wire.CodeInternal, "sign: "+e.err.Error())
	}
	s.to(signDone)
	body := wire.ShareBody{Session: s.session, Set: wire.SetHash(s.set), Shares: e.shares}
	report := s.counted(ReportShared)
	s.release()
	return []Effect{Publish{Slot: wire.Slot{Kind: wire.SlotShare, ID: s.id, Node: s.node.Index}, Body: wire.Encode(&body), Trace: s.trace}, report}
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

// report is a report of this session.
func (s *signing) report(what ReportKind) Report {
	r := Report{What: what, Kind: wire.KindSign, ID: s.id, Trace: s.trace, Culprit: -1}
	if s.job != nil {
		r.Job = jobKey(s.client, s.job.ID)
	}
	return r
}

// counted is a report with the signatures in it.
func (s *signing) counted(what ReportKind) Report {
	r := s.report(what)
	r.Suite, r.Count = s.items[0].Key.Suite, len(s.items)
	return r
}

// refuse ends this node's part and says why.
func (s *signing) refuse(code wire.Code, reason string) []Effect {
	report := s.report(ReportRefused)
	report.Code, report.Reason = code, reason
	s.drop()
	return []Effect{
		Publish{Slot: wire.Slot{Kind: wire.SlotRefuse, ID: s.id, Node: s.node.Index}, Body: wire.Encode(&wire.Complaint{Session: s.session, Code: code, Reason: wire.Clip(reason)}), Trace: s.trace},
		report,
	}
}

// drop wipes the nonces and forgets the shares; the session stays known, so
// that the same task does not start it again.
func (s *signing) drop() {
	busy := s.phase == signDrawing || s.phase == signComputing
	s.phase = signOut
	if s.nonces != nil {
		s.node.nonces.dropped += uint64(len(s.which))
	}
	s.nonces.Wipe()
	s.nonces, s.points = nil, nil
	if busy {
		s.items = nil // a computation still reads the shares
	}
	s.release()
}

// release wipes the keys' shares and lets go of what the session held.
func (s *signing) release() {
	for _, it := range s.items {
		it.Key.Share.Wipe()
	}
	s.items, s.job, s.set, s.sealed, s.held, s.commits.arrivals = nil, nil, nil, nil, box{}, nil
}
