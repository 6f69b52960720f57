package protocol

import "time"

// standings are how the nodes answered lately, over all jobs of a gateway. A node
// that holds an attempt up, while others answer, sits out for a while: longer each
// time, and it earns its good standing back slowly. No proof is needed for that, and
// none is claimed: it costs the node nothing but its part in signatures.
type standings struct {
	nodes []standing
	now   time.Time // of the last tick
}

type standing struct {
	strikes int
	good    int       // answers since the last strike, or since one was forgiven
	since   time.Time // of the last strike
	until   time.Time
}

const (
	firstPause  = 4 * time.Second // doubles with each strike
	maxStrikes  = 8               // 17 minutes
	forgiveness = 20              // answers that make up for a strike
	// maxReturns is up to how many strikes an answer that comes after all brings a
	// node back at once: one that is always late is no better than one that is mute.
	maxReturns = 2
)

func newStandings(n int) standings { return standings{nodes: make([]standing, n)} }

// missed says that a node held an attempt up. All that were open when it was last
// noticed are one and the same trouble: a second's hiccup under load is one strike.
func (s *standings) missed(node int, opened time.Time) {
	n := &s.nodes[node]
	if !n.since.IsZero() && !opened.After(n.since) {
		return
	}
	n.strikes = min(n.strikes+1, maxStrikes)
	n.good, n.since, n.until = 0, s.now, s.now.Add(firstPause<<n.strikes)
}

// answered says that a node answered an attempt in time.
func (s *standings) answered(node int) {
	n := &s.nodes[node]
	if n.good++; n.good >= forgiveness && n.strikes > 0 {
		n.strikes, n.good = n.strikes-1, 0
	}
}

// returned says that the answer of a node that was missed came after all.
func (s *standings) returned(node int) {
	if n := &s.nodes[node]; n.strikes <= maxReturns {
		n.until = time.Time{}
	}
}

// out reports whether a node sits out.
func (s *standings) out(node int) bool { return s.now.Before(s.nodes[node].until) }
