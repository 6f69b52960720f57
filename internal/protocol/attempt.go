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
	missing  map[int]bool   // nodes that sent no share in time: out until it arrives
	late     map[int]int    // how often they were
	current  *attempt
	sessions []string // of all attempts

	scheduled bool // a bulk job that counts as running
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
	closed   bool // answered, or replaced by a later attempt

	aggregating bool // all shares are there and being summed
	waits       int  // share timers that found it so
}

// storedShare is a share message and when SIGN stored it.
type storedShare struct {
	*wire.ShareBody
	at time.Time
}

func newAttempt(j *activeSign, task *wire.Task, m *wire.Manifest, o *wire.Opener) *attempt {
	a := &attempt{
		job: j, session: task.Session(m), which: task.Items,
		shares: map[int]storedShare{}, refusals: map[int]*wire.Complaint{},
	}
	a.id = wire.ShortID(a.session)
	a.commits = commitSet{opener: o, session: a.session, exclude: task.Exclude}
	for _, i := range task.Items {
		a.items = append(a.items, j.items[i])
	}
	return a
}

// perItemWait is the time that an attempt gets for each of its items.
const perItemWait = 20 * time.Millisecond

func (a *attempt) sizeWait() time.Duration { return time.Duration(len(a.items)) * perItemWait }

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
	s.left = nil
	for i, w := range a.which {
		if i < len(sigs) && sigs[i] != nil {
			s.sigs[w] = sigs[i]
		} else {
			s.left = append(s.left, w)
		}
	}
}

// leaveOut keeps nodes out of all later attempts of a job.
func (s *activeSign) leaveOut(revoked []int) {
	for _, node := range revoked {
		s.bad[node] = "revoked in the access list"
	}
}

// excluded lists the nodes that sit the next attempt out, ascending.
func (s *activeSign) excluded(n int) (exclude []uint8) {
	for i := range n {
		if _, bad := s.bad[i]; bad || s.missing[i] {
			exclude = append(exclude, uint8(i))
		}
	}
	return exclude
}

// failureSummary says what is known of why signing takes so long.
func (s *activeSign) failureSummary(t int) string {
	var words []string
	for node, reason := range s.bad {
		words = append(words, fmt.Sprintf("node %d: %s", node, reason))
	}
	for node := range s.missing {
		words = append(words, fmt.Sprintf("node %d sent no share in time", node))
	}
	if a := s.current; a != nil {
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
