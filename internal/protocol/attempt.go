package protocol

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// activeSign is a sign job in work.
type activeSign struct {
	*activeJob
	found    bool               // all keys, or they are refused
	roots    []rootKey          // keys of a job that is to be read when its turn has come; nil once it is
	reading  tx.Reading         // of such a job
	items    []frost.Item       // nil until they are known; without those that are refused
	children []child            // items whose offsets are computed when the job's turn has come; nil once they are
	suite    frost.Suite        // of all items
	refused  []*wire.JobError   // by item: why it is not signed; nil once it can be
	left     []uint32           // items to sign yet
	sigs     []frost.Signature  // by item
	next     int                // attempt
	tries    int                // attempts that this gateway opened
	loads    int                // looks for a key that is not there
	lacks    string             // key whose entry the register lacks, and which a node may bring back
	since    uint64             // question about the end of KEYS that shows what it had when the job came
	from     []*finishedBatch   // by item: the generation of its batch that its key is of
	trouble  map[*view]*trouble // with the nodes of each manifest
	pauses   int                // between attempts
	beside   int                // attempts that came out of the budget
	signers  map[int]bool       // nodes whose shares are in signatures of the job, by their indices
	attempts []*attempt         // of this gateway; the last one counts for what is said of the job

	place  place
	queued time.Time     // when it began to wait for its turn, by the gateway's last tick
	alone  bool          // hardly anything else was in flight when it began
	crowds int           // traffic.crowds at that time
	took   time.Duration // a part of what the fleet took for the attempt that was answered last: lane.parts
}

// place is where a job is: in one place at a time.
type place int

const (
	nowhere place = iota // it lacks keys yet, or has ended
	queued
	flying
	storing // in flight still: its result is being stored
	resting // and still, as if: the window is less than one job
	paused  // between attempts, none of which is open
)

// troubleWith is the job's trouble with the nodes of a manifest, of which some may be revoked.
func (s *activeSign) troubleWith(v *view, revoked []int) *trouble {
	if s.trouble[v] == nil {
		s.trouble[v] = newTrouble(revoked)
	}
	return s.trouble[v]
}

// group is what is left whose keys are with the nodes of one manifest: that of the first.
func (s *activeSign) group() (v *view, which []uint32) {
	v = s.from[s.left[0]].view
	for _, i := range s.left {
		if s.from[i].view == v {
			which = append(which, i)
		}
	}
	return v, which
}

// attempt is one signing session, of the nodes of one manifest, seen from the gateway.
type attempt struct {
	job      *activeSign
	view     *view
	trouble  *trouble // of the job with the nodes of the view
	id       string
	session  [32]byte
	which    []uint32 // of the job's items
	items    []frost.Item
	form     frost.Form // of its rounds
	commits  commitSet
	set      []frost.NonceCommitment // nil while it is open
	setHash  [32]byte
	shares   map[int]storedShare
	refusals map[int]*wire.Complaint
	closed   bool // answered, or hopeless
	number   uint32
	renewed  int       // of the job, when the task was made
	opened   time.Time // by the gateway's last tick
	sent     time.Time // when WORK showed its task, by the gateway's clock; zero until then
	waits    int       // timers that found it late

	aggregating bool // all shares are there and being summed
}

// storedShare is a share message, when SIGN stored it, and when the gateway heard of it.
type storedShare struct {
	*wire.ShareBody
	at, heard time.Time
}

func newAttempt(j *activeSign, v *view, t *trouble, task *wire.Task) *attempt {
	a := &attempt{
		job: j, view: v, trouble: t, session: task.Session(v.manifest), which: task.Items, number: task.Attempt, renewed: j.renewed,
		form:   frost.Form(task.Form),
		shares: map[int]storedShare{}, refusals: map[int]*wire.Complaint{},
	}
	a.id = wire.ShortID(a.session)
	a.commits = commitSet{opener: v.opener, session: a.session, exclude: task.Exclude}
	for _, i := range task.Items {
		a.items = append(a.items, j.items[i])
	}
	return a
}

func (a *attempt) suite() frost.Suite { return a.items[0].Key.Suite }

// close ends the attempt, and lets go of what only an open one needs.
func (a *attempt) close() {
	a.closed, a.shares = true, nil
	if a.set != nil {
		a.items, a.commits.arrivals = nil, nil
	}
}

// badMember returns a member of the set that is proven faulty, or refused what it
// committed to; -1 if none did. Who is no member can't hold an attempt up, and must not end one.
func (a *attempt) badMember() int {
	for _, c := range a.set {
		if _, bad := a.trouble.bad[c.Index]; bad || a.refusals[c.Index] != nil && !a.hasShare(c.Index) {
			return c.Index
		}
	}
	return -1
}

// answered returns the shares of the set in its order, and when the last was
// stored; nil while one is missing. A share for another set is no fault of its
// node (the bus showed it another log) and no help: its node counts as missing.
func (a *attempt) answered() (shares [][]byte, last time.Time) {
	for _, c := range a.set {
		if !a.hasShare(c.Index) {
			return nil, last
		}
		share := a.shares[c.Index]
		shares, last = append(shares, share.Shares), later(last, share.at)
	}
	return shares, last
}

// hasShare reports whether a node's share for this very set is there.
func (a *attempt) hasShare(node int) bool {
	share := a.shares[node]
	return share.ShareBody != nil && share.Set == a.setHash
}

// committed is when the last commitment of the set was stored.
func (a *attempt) committed() (last time.Time) {
	for _, c := range a.set {
		last = later(last, a.commits.of(c.Index).at)
	}
	return last
}

// delays is how long each leader in the set took: to its commitment, and from the last one to its share. Everything is
// measured by the gateway's clock: the leaders of WORK and SIGN may disagree by more than an attempt takes.
func (a *attempt) delays(leaders []int) map[int]time.Duration {
	var whole time.Time
	for _, c := range a.set {
		whole = later(whole, a.commits.of(c.Index).heard)
	}
	delays := map[int]time.Duration{}
	for _, c := range a.set {
		if slices.Contains(leaders, c.Index) && !a.sent.IsZero() {
			committed := a.commits.of(c.Index).heard.Sub(a.sent)
			delays[c.Index] = max(committed, 0) + max(a.shares[c.Index].heard.Sub(whole), 0)
		}
	}
	return delays
}

// leastStandby is the least time that a node of the second rank waits for the leaders.
const leastStandby = 100 * time.Millisecond

// absent lists the leaders who let others wait, so that a node of the second rank stepped in. Who was only slower than
// one that did not wait its time is not to blame: it sat out since there were enough without it. No more is who is as
// slow as all are now.
func (a *attempt) absent(leaders []int, usual time.Duration) (nodes []int) {
	var first, whole time.Time
	for _, c := range a.set {
		heard := a.commits.of(c.Index).heard
		whole = later(whole, heard)
		if slices.Contains(leaders, c.Index) && (first.IsZero() || heard.Before(first)) {
			first = heard
		}
	}
	if whole.Sub(later(a.sent, first)) < max(leastStandby, usual) {
		return nil
	}
	for _, node := range leaders {
		if !a.commits.good(node) && a.refusals[node] == nil {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// take keeps the signatures.
func (a *attempt) take(sigs []frost.Signature) {
	s, signed := a.job, false
	for i, w := range a.which {
		if i < len(sigs) && sigs[i].Bytes != nil {
			s.sigs[w] = sigs[i]
			signed = true
		}
	}
	for _, c := range a.set {
		if signed {
			s.signers[c.Index] = true
		}
	}
	s.left = slices.DeleteFunc(s.left, func(i uint32) bool { return s.sigs[i].Bytes != nil })
}

// late lists the nodes that hold the attempt up: leaders without a commitment, or members without a share. It is
// nobody in particular if nobody answered.
func (a *attempt) late() (nodes []int) {
	n, t, answered := a.view.manifest.N, a.view.manifest.T, 0
	if a.set == nil {
		leaders := ranking(a.session, a.commits.exclude, n)
		for _, node := range leaders[:min(t, len(leaders))] {
			if a.commits.good(node) || a.refusals[node] != nil {
				answered++
			} else {
				nodes = append(nodes, node)
			}
		}
	}
	for _, c := range a.set {
		if a.hasShare(c.Index) || a.refusals[c.Index] != nil {
			answered++
		} else {
			nodes = append(nodes, c.Index)
		}
	}
	if answered == 0 {
		return nil
	}
	return nodes
}

// movedFor reports whether a node refused since the keys are with the nodes of another manifest: no fault of it.
func (a *attempt) movedFor(node int) bool {
	r := a.refusals[node]
	return r != nil && r.Code == wire.CodeMoved
}

// unsigned reports whether an attempt that was answered has items left to sign.
func (a *attempt) unsigned() bool {
	return slices.ContainsFunc(a.which, func(i uint32) bool { return a.job.sigs[i].Bytes == nil })
}

// closeSigned closes the attempts whose items have all been signed by others.
func (s *activeSign) closeSigned() {
	for _, a := range s.attempts {
		if !a.closed && !a.unsigned() {
			a.close()
		}
	}
}

// spares reports whether others can do without a node more than those proven faulty.
func (a *attempt) spares() bool { return a.view.manifest.N-len(a.trouble.bad) > a.view.manifest.T }

// last is the latest attempt; nil before the first.
func (s *activeSign) last() *attempt {
	if len(s.attempts) == 0 {
		return nil
	}
	return s.attempts[len(s.attempts)-1]
}

// waits reports whether an attempt may still be answered.
func (s *activeSign) waits() bool {
	return slices.ContainsFunc(s.attempts, func(a *attempt) bool { return !a.closed })
}

// failureSummary says what is known of why signing takes so long.
func (s *activeSign) failureSummary() string {
	var words []string
	for v, t := range s.trouble {
		for node, reason := range t.bad {
			words = append(words, fmt.Sprintf("node %d%s: %s", node, v.named(), reason))
		}
		for node := range t.missing {
			words = append(words, fmt.Sprintf("node %d%s did not answer in time", node, v.named()))
		}
	}
	if a := s.last(); a != nil {
		for node, r := range a.refusals {
			words = append(words, fmt.Sprintf("node %d%s refused: %s: %s", node, a.view.named(), r.Code, r.Reason))
		}
		if a.set == nil {
			words = append(words, fmt.Sprintf("%d of %d commitments arrived", a.commits.maybeValid(), a.view.manifest.T))
		}
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}
