package protocol

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// signRun is a sign job in work: what is left to sign and who may take part.
type signRun struct {
	placed   bool // has one of the places for bulk sign jobs
	items    []frost.Item
	left     []uint32
	sigs     [][]byte
	next     int // attempt
	tries    int
	loads    int
	bad      map[int]string // proven faulty: out for this job
	missing  map[int]bool   // no share in time: out until it arrives
	late     map[int]int    // how often
	current  *attempt
	sessions []string
}

// attempt is one signing session seen from the gateway.
type attempt struct {
	c        *Coordinator
	run      *run
	id       string
	session  [32]byte
	which    []uint32
	items    []frost.Item
	commits  commitSet
	set      []frost.Commitment
	shares   map[int]storedShare
	refusals map[int]*wire.Complaint
	closed   bool // answered, or replaced by a later attempt

	aggregating bool // all shares are there and being summed
	waits       int  // share timers that found it so
}

// maxLate is how often a node may be late before a share that arrives after
// all does not bring it back: two that take turns would use up all attempts.
const maxLate = 2

// maxAggregateWaits is for how many share timers an aggregation may go on.
const maxAggregateWaits = 5

// spareAttempts is how many attempts a job gets besides one for each node that
// may be faulty: a restart of a member costs one, and so do two seconds without
// the bus.
const spareAttempts = 12

// rebuildPause is how long a gateway waits for nodes that lack a key.
const rebuildPause = time.Second

// openAttempt asks for signatures of all that is left, from whoever is
// neither proven faulty nor missing.
func (c *Coordinator) openAttempt(r *run) []Effect {
	s := r.sign
	if s.current != nil {
		s.current.closed = true
	}
	for node := range s.bad {
		delete(s.missing, node)
	}
	if c.Manifest.N-len(s.bad)-len(s.missing) < c.Manifest.T {
		clear(s.missing)
	}
	if c.Manifest.N-len(s.bad) < c.Manifest.T || s.next > wire.MaxAttempts || s.tries >= c.Manifest.N-c.Manifest.T+spareAttempts {
		return c.endFailed(r, wire.Refuse(wire.CodeSigningFailed, "given up after %d attempts with %d of %d signatures missing: %s", s.tries, len(s.left), len(r.job.Items), s.trouble()))
	}
	var exclude []uint8
	for i := range c.Manifest.N {
		if _, bad := s.bad[i]; bad || s.missing[i] {
			exclude = append(exclude, uint8(i))
		}
	}
	task := wire.SignTask(r.signed, s.next, slices.Clone(s.left), exclude)
	s.next++
	s.tries++
	a := &attempt{c: c, run: r, session: task.Session(c.Manifest), which: task.Items, shares: map[int]storedShare{}, refusals: map[int]*wire.Complaint{}}
	a.id = wire.ShortID(a.session)
	a.commits = commitSet{attested: c.attested, session: a.session, exclude: exclude}
	for _, i := range task.Items {
		a.items = append(a.items, s.items[i])
	}
	s.current = a
	s.sessions = append(s.sessions, a.id)
	c.attempts[a.id] = a
	return []Effect{
		PublishTask{Subject: wire.TaskSubject(task, r.job.ID), Body: wire.Encode(task), Trace: r.signed.Trace},
		After{Delay: c.CommitWait + a.sizeWait(), Timer: Timer{a.id, timerCommits}},
	}
}

func (a *attempt) sizeWait() time.Duration { return time.Duration(len(a.items)) * perItemWait }

func (c *Coordinator) onSign(msg wire.LogMessage) []Effect {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Node >= c.Manifest.N {
		return nil
	}
	a := c.attempts[slot.ID]
	if a == nil {
		return nil // another gateway's, or one that is over
	}
	body, err := c.opener.FromNode(slot.Node, msg.Subject, msg.Time, msg.Data)
	if err != nil {
		return nil // junk
	}
	switch slot.Kind {
	case wire.SlotCommit:
		return a.onCommit(slot.Node, body, msg.Time)
	case wire.SlotShare:
		return a.onShare(slot.Node, body, msg.Time)
	case wire.SlotRefuse:
		return a.onRefusal(slot.Node, body)
	}
	return nil
}

func (a *attempt) onCommit(node int, body []byte, at time.Time) []Effect {
	pos, points, ok := a.commits.add(node, body)
	if !ok || a.closed {
		return nil
	}
	a.commits.arrivals[pos].at = at
	suite, count := a.items[0].Key.Suite, len(a.items)
	run := func() Event { return attemptChecked{a: a, pos: pos, err: frost.CheckCommitment(suite, count, points)} }
	if count <= inlineChecks {
		return a.onChecked(run().(attemptChecked))
	}
	return []Effect{Compute{Urgent: count <= wire.InteractiveItems, Run: run}}
}

func (a *attempt) onChecked(e attemptChecked) []Effect {
	a.commits.checked(e.pos, e.err)
	if e.err != nil {
		a.run.sign.bad[a.commits.arrivals[e.pos].Index] = "commitment: " + e.err.Error()
	}
	if a.set != nil || a.closed {
		return nil
	}
	if a.set = a.commits.set(a.c.Manifest.T); a.set == nil {
		return nil
	}
	if effects := a.retryIfBad(); effects != nil {
		return effects
	}
	var last time.Time
	for _, commitment := range a.set {
		last = later(last, a.commits.of(commitment.Index).at)
	}
	effects := append(a.round(RoundCommitments, last), a.shareTimer())
	return append(effects, a.aggregate()...)
}

func (a *attempt) round(round RoundKind, at time.Time) []Effect {
	return a.run.round(round, a.id, a.items[0].Key.Suite, at)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (a *attempt) shareTimer() Effect {
	return After{Delay: a.c.ShareWait + a.sizeWait(), Timer: Timer{a.id, timerShares}}
}

// storedShare is a share message and when SIGN stored it.
type storedShare struct {
	*wire.ShareBody
	at time.Time
}

// onShare keeps a node's first share message. One that arrives after its
// attempt was given up shows that the node is back.
func (a *attempt) onShare(node int, body []byte, at time.Time) []Effect {
	if a.run.sign.late[node] < maxLate {
		delete(a.run.sign.missing, node)
	}
	if a.closed || a.shares[node].ShareBody != nil || slices.Contains(a.commits.exclude, uint8(node)) {
		return nil
	}
	share, err := wire.DecodeShare(body, a.session)
	if err != nil || len(share.Shares) != len(a.items)*frost.ScalarSize {
		a.run.sign.bad[node] = "share message malformed"
		return a.retryIfBad()
	}
	a.shares[node] = storedShare{share, at}
	return a.aggregate()
}

// retryIfBad opens the next attempt if a member of the set is proven faulty.
// Who is no member can't hold an attempt up, and must not end one.
func (a *attempt) retryIfBad() []Effect {
	for _, commitment := range a.set {
		if _, bad := a.run.sign.bad[commitment.Index]; bad {
			return a.c.retry(a.run, commitment.Index)
		}
	}
	return nil
}

// aggregate sums the shares once the set and all its shares are there. A
// share for another set is no fault of its node (the bus showed it another
// log) and no help: its node counts as missing.
func (a *attempt) aggregate() []Effect {
	if a.set == nil || a.closed || a.aggregating {
		return nil
	}
	want := wire.SetHash(a.set)
	shares := make([][]byte, len(a.set))
	var last time.Time
	for i, commitment := range a.set {
		share := a.shares[commitment.Index]
		if share.ShareBody == nil || share.Set != want {
			return nil
		}
		shares[i] = share.Shares
		last = later(last, share.at)
	}
	a.aggregating = true
	items, set := a.items, a.set
	return append(a.round(RoundShares, last), Compute{Urgent: len(items) <= wire.InteractiveItems, Name: "aggregate", Trace: a.run.signed.Trace, Run: func() Event {
		sigs, blame, err := frost.Aggregate(items, set, shares)
		return aggregated{a: a, sigs: sigs, blame: blame, err: err}
	}})
}

func (a *attempt) onAggregated(e aggregated) []Effect {
	s := a.run.sign
	if s.current != a || a.closed {
		return nil
	}
	a.closed = true
	for _, b := range e.blame {
		s.bad[b.Index] = b.Reason
	}
	s.left = nil
	for i, w := range a.which {
		if i < len(e.sigs) && e.sigs[i] != nil {
			s.sigs[w] = e.sigs[i]
		} else {
			s.left = append(s.left, w)
		}
	}
	if len(s.left) > 0 {
		culprit := -1
		if len(e.blame) > 0 {
			culprit = e.blame[0].Index
		}
		return a.c.retry(a.run, culprit)
	}
	result, err := a.c.signResult(a.run)
	if err != nil {
		return a.c.endFailed(a.run, wire.Refuse(wire.CodeInternal, "%v", err))
	}
	return a.c.end(a.run, result)
}

func (c *Coordinator) retry(r *run, culprit int) []Effect {
	report := c.retried(r, wire.CodeSigningFailed, r.sign.trouble(), culprit)
	return append([]Effect{report}, c.openAttempt(r)...)
}

// onRefusal ends the job when so many nodes refuse that t can't be found.
func (a *attempt) onRefusal(node int, body []byte) []Effect {
	refusal, err := wire.DecodeComplaint(body)
	if err != nil || refusal.Session != a.session || a.closed || slices.Contains(a.commits.exclude, uint8(node)) {
		return nil
	}
	a.refusals[node] = refusal
	if len(a.refusals) <= a.c.Manifest.N-a.c.Manifest.T {
		return nil
	}
	switch refusal.Code {
	case wire.CodeInternal:
		return a.c.retry(a.run, node)
	case wire.CodeUnknownKey:
		// All n nodes certified the key: those that lack it are still reading
		// the log, or rebuild their storage. That takes its time, and is no
		// failed attempt.
		a.closed = true
		a.run.sign.tries--
		return []Effect{After{Delay: rebuildPause, Timer: Timer{a.id, timerRetry}}}
	}
	code := refusal.Code
	if !slices.Contains(wire.JobCodes, code) {
		code = wire.CodeSigningFailed // a node's own invention
	}
	return a.c.endFailed(a.run, wire.Refuse(code, "node %d refused: %s", node, refusal.Reason))
}

// onTimeout opens the next attempt without those that did not answer.
func (a *attempt) onTimeout(kind TimerKind) []Effect {
	if a.closed || kind == timerCommits && a.set != nil {
		return nil
	}
	if a.aggregating && a.waits < maxAggregateWaits {
		a.waits++ // a busy gateway; one whose computation is lost asks again in the end
		return []Effect{a.shareTimer()}
	}
	if a.set == nil {
		// Who is left does not suffice: whoever was missing is asked again.
		clear(a.run.sign.missing)
	}
	for _, commitment := range a.set {
		if share := a.shares[commitment.Index]; share.ShareBody == nil || share.Set != wire.SetHash(a.set) {
			a.run.sign.missing[commitment.Index] = true
			a.run.sign.late[commitment.Index]++
		}
	}
	return a.c.retry(a.run, -1)
}

// trouble says what is known of why signing takes so long.
func (s *signRun) trouble() string {
	var words []string
	for node, why := range s.bad {
		words = append(words, fmt.Sprintf("node %d: %s", node, why))
	}
	for node := range s.missing {
		words = append(words, fmt.Sprintf("node %d sent no share in time", node))
	}
	if a := s.current; a != nil {
		for node, r := range a.refusals {
			words = append(words, fmt.Sprintf("node %d refused: %s: %s", node, r.Code, r.Reason))
		}
		if a.set == nil {
			words = append(words, fmt.Sprintf("%d of %d commitments arrived", a.commits.maybeValid(), a.c.Manifest.T))
		}
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}

func (c *Coordinator) signResult(r *run) (*wire.Result, error) {
	res := c.result(r.signed, r.job.ID, nil)
	res.Suite, res.Attempts = r.sign.items[0].Key.Suite.String(), r.sign.tries
	for i, item := range r.sign.items {
		out, err := frost.OutputKey(item.Key.Suite, item.Key.PublicKey, item.Tweak)
		if err != nil {
			return nil, err
		}
		res.Sigs = append(res.Sigs, wire.Signed{Key: r.job.Items[i].Key, PublicKey: out, Signature: r.sign.sigs[i]})
	}
	return res, nil
}
