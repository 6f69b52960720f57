package protocol

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// activeSign is a sign job in work.
type activeSign struct {
	*activeJob
	items    []frost.Item   // nil until all keys are found
	left     []uint32       // items to sign yet
	sigs     [][]byte       // by item
	next     int            // attempt
	tries    int            // attempts that this gateway opened
	loads    int            // looks for a key that is not there
	bad      map[int]string // nodes proven faulty: out for this job
	missing  map[int]bool   // nodes that held an attempt up: out until they answer it
	everyone bool           // but those proven faulty take part in the next attempt
	pauses   int            // between attempts
	attempts []*attempt     // of this gateway; the last one counts for what is said of the job

	flying bool // it counts as in flight
	alone  bool // hardly anything else was when it began
}

// attempt is one signing session seen from the gateway.
type attempt struct {
	job      *activeSign
	id       string
	session  [32]byte
	which    []uint32 // of the job's items
	items    []frost.Item
	commits  commitSet
	set      []frost.NonceCommitment // nil while it is open
	setHash  [32]byte
	shares   map[int]storedShare
	refusals map[int]*wire.Complaint
	closed   bool // answered, or hopeless
	number   uint32
	sent     time.Time // when WORK stored its task; zero until that was seen
	waits    int       // timers that found it late

	aggregating bool // all shares are there and being summed
}

// storedShare is a share message and when SIGN stored it.
type storedShare struct {
	*wire.ShareBody
	at time.Time
}

func newAttempt(j *activeSign, task *wire.Task, m *wire.Manifest, o *wire.Opener) *attempt {
	a := &attempt{
		job: j, session: task.Session(m), which: task.Items, number: task.Attempt,
		shares: map[int]storedShare{}, refusals: map[int]*wire.Complaint{},
	}
	a.id = wire.ShortID(a.session)
	a.commits = commitSet{opener: o, session: a.session, exclude: task.Exclude}
	for _, i := range task.Items {
		a.items = append(a.items, j.items[i])
	}
	return a
}

// perItemWait is the time that an attempt gets for each of its items while nothing was measured.
const perItemWait = 20 * time.Millisecond

// attemptLife is how long an attempt may take, from the moment that WORK stores its
// task. Nodes know it too: nobody works for one that is over.
func attemptLife(items int) time.Duration {
	return 10*time.Second + 2*perItemWait*time.Duration(items)
}

func (a *attempt) suite() frost.Suite { return a.items[0].Key.Suite }

// badMember returns a member of the set that is proven faulty, -1 if none is.
// Who is no member can't hold an attempt up, and must not end one.
func (a *attempt) badMember() int {
	for _, c := range a.set {
		if _, bad := a.job.bad[c.Index]; bad {
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

// take keeps the signatures and notes who is to blame for what is missing.
func (a *attempt) take(sigs [][]byte, blame []frost.Blame) {
	s := a.job
	for _, b := range blame {
		s.bad[b.Index] = b.Reason
	}
	for i, w := range a.which {
		if i < len(sigs) && sigs[i] != nil {
			s.sigs[w] = sigs[i]
		}
	}
	s.left = slices.DeleteFunc(s.left, func(i uint32) bool { return s.sigs[i] != nil })
}

// leaveOut keeps nodes out of all later attempts of a job.
func (s *activeSign) leaveOut(revoked []int) {
	for _, node := range revoked {
		s.bad[node] = "revoked in the access list"
	}
}

// late lists the nodes that hold the attempt up: leaders without a commitment, or members without a share. It is
// nobody in particular if nobody answered.
func (a *attempt) late(n, t int) (nodes []int) {
	answered := 0
	if a.set == nil {
		leaders := ranking(a.session, a.commits.exclude, n)
		for _, node := range leaders[:min(t, len(leaders))] {
			if a.commits.has(node) || a.refusals[node] != nil {
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
func (s *activeSign) failureSummary(t int) string {
	var words []string
	for node, reason := range s.bad {
		words = append(words, fmt.Sprintf("node %d: %s", node, reason))
	}
	for node := range s.missing {
		words = append(words, fmt.Sprintf("node %d did not answer in time", node))
	}
	if a := s.last(); a != nil {
		for node, r := range a.refusals {
			words = append(words, fmt.Sprintf("node %d refused: %s: %s", node, r.Code, r.Reason))
		}
		if a.set == nil {
			words = append(words, fmt.Sprintf("%d of %d commitments arrived", a.commits.maybeValid(), t))
		}
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}
