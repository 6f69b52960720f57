package protocol

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// moving is a batch on its way to the nodes of the next manifest, by one attempt.
type moving struct {
	wire.Reshare
	*history
	from    *finishedBatch
	next    *view
	attempt *board.Attempt
	begun   time.Time // by the gateway's clock
	shown   time.Time // when WORK showed the task; zero until then
	late    time.Time // when its dealers, and then its new nodes, are late; zero until it was shown
	dealt   bool      // all deals are there
	stalled bool      // new nodes are late: others need not wait for that
	summing bool      // its entry is being made, or written
}

// history is what came of a batch's attempts so far.
type history struct {
	highest uint32               // number of an attempt that was seen
	over    uint32               // number of the last one that was given up
	tries   int                  // attempts that were given up
	rests   time.Time            // until when none begins
	seen    *wire.Reshare        // the latest that WORK showed
	at      time.Time            // when it did, by the gateway's clock
	accused map[int]map[int]bool // dealers that a new node complained of, by that node
	spoiled map[uint32]bool      // numbers under which WORK has a task that comes to nothing
}

const (
	// taskLife is for how long a node that starts finds an attempt's task in WORK, at least.
	taskLife = wire.LiveAge - time.Minute
	// Times in which nodes deal, and certify, before they are late. They double with each
	// attempt at a batch.
	dealTime    = 5 * time.Second
	dealKeyTime = 10 * time.Millisecond
	// Rest of a batch that another attempt does not help.
	leastStop = time.Minute
	mostStop  = time.Hour
	// longestRest is the longest pause before an attempt that may help. A new node that gives all of them up for
	// no reason, which nobody can prove, would else have all old nodes deal all batches each minute. It also is how
	// long a batch may still rest once a fault is over.
	longestRest = 2 * time.Minute
)

// movePause is how long a batch rests after so many attempts that were given up before.
func movePause(tries int) time.Duration {
	return min(250*time.Millisecond<<min(tries, 12), longestRest)
}

func (m *moving) wait() time.Duration {
	return (dealTime + dealKeyTime*time.Duration(m.Header.K)) << min(m.tries, 4)
}

// fits reports whether an attempt is one at moving a generation to a manifest.
func fits(r *wire.Reshare, f *finishedBatch, next *view) bool {
	want := attemptAt(f, next)
	want.To, want.Dealers, want.PerSlice = r.To, r.Dealers, r.PerSlice
	return r.Check(f.view.manifest, next.manifest) == nil && r.To-r.From <= maxNumbers && r.Context() == want.Context()
}

// attemptAt is an attempt without its number, its dealers and how large its slices are.
func attemptAt(f *finishedBatch, next *view) wire.Reshare {
	return wire.Reshare{
		Version: wire.ReshareVersion, Origin: f.origin, Header: f.header, Made: f.madeBy,
		Source: f.view.manifest.Hash(), From: f.Generation, Base: f.transcript, Manifest: next.manifest.Hash(),
	}
}

// suspects are new nodes that complained of several dealers: of these at most one is
// dishonest with each complaint that is true, and the node is with each that is not.
func (p *history) suspects(node int) bool { return len(p.accused[node]) > 1 }

// isAccused reports whether a new node that is no suspect complained of a dealer.
func (p *history) isAccused(dealer int) bool {
	for node, of := range p.accused {
		if of[dealer] && !p.suspects(node) {
			return true
		}
	}
	return false
}

// dealers are as many nodes of the view as its threshold, who deal: those that are heard, deal
// in time and were not complained of, before others. Which of them, a hash decides, so that
// the work is spread. Nil: too few are left.
func (s *views) dealers(v *view, p *history, id string, number uint32) (dealers []byte) {
	type rank struct {
		node, class int
		hash        [32]byte
	}
	var all []rank
	for i := range v.manifest.N {
		if s.access.RevokesNode(v.manifest, i) {
			continue
		}
		class := 0
		switch {
		case p.isAccused(i):
			class = 2
		case v.dealing.out(i) || v.presence.out(i):
			class = 1
		}
		all = append(all, rank{i, class, sha256.Sum256(fmt.Append(nil, id, " ", number, " ", i))})
	}
	if len(all) < v.manifest.T {
		return nil
	}
	slices.SortFunc(all, func(a, b rank) int {
		return cmp.Or(cmp.Compare(a.class, b.class), slices.Compare(a.hash[:], b.hash[:]))
	})
	for _, r := range all[:v.manifest.T] {
		dealers = append(dealers, byte(r.node))
	}
	slices.Sort(dealers)
	return dealers
}

// setback is why an attempt is given up.
type setback struct {
	code    wire.Code
	reason  string
	culprit int  // proven; -1: nobody is
	stop    bool // another attempt does not help
}

// judge looks at what the rounds have of an attempt: whether its entry can be made, or why it
// has failed; neither while it goes on.
func (m *moving) judge() (done bool, failed *setback) {
	digests, dealt := m.attempt.Digests()
	if dealt {
		transcript := wire.Transcript(digests)
		for node := range m.next.manifest.N {
			c := m.attempt.Certificate(node)
			if c != nil && (c.Transcript != transcript || c.Root != m.from.root) {
				return false, &setback{wire.CodeFalseCertificate, fmt.Sprintf("node %d%s certified what does not follow from "+
					"the deals in the rounds: its own device signed that; the fleet needs another manifest", node, m.next.named()), node, true}
			}
		}
		if m.attempt.Certified() != nil {
			return true, nil
		}
	}
	aborts := m.attempt.Aborts()
	for _, node := range slices.Sorted(maps.Keys(aborts)) {
		return false, m.accuse(node, aborts[node])
	}
	return false, nil
}

// accuse notes a new node's complaint. It is only the node's word: the dealer that it names
// sits out for this batch, unless the node names one after the other.
func (m *moving) accuse(node int, c *wire.Complaint) *setback {
	s := &setback{c.Code, fmt.Sprintf("node %d%s gave up: %s", node, m.next.named(), wire.Clip(c.Reason)), -1, false}
	if c.Culprit == nil || !slices.Contains(m.Dealers, *c.Culprit) {
		return s
	}
	if m.accused[node] == nil {
		m.accused[node] = map[int]bool{}
	}
	m.accused[node][int(*c.Culprit)] = true
	s.reason += fmt.Sprintf(" (it names dealer %d%s)", *c.Culprit, m.from.view.named())
	if m.suspects(node) {
		of := slices.Sorted(maps.Keys(m.accused[node]))
		s.reason += fmt.Sprintf("; it has named dealers %v by now: it is dishonest itself, or they all are", of)
		s.stop = true
	}
	return s
}
