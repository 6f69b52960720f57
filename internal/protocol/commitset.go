package protocol

import (
	"bytes"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// commitSet finds a session's signing set: the nodes of the first t valid
// commitments in log order. Workers and gateways run the same code over the
// same messages and get the same set. Checking points costs, so it is done
// elsewhere and its answers may come in any order; the set waits for them.
type commitSet struct {
	opener   *wire.Opener
	session  [32]byte
	exclude  []uint8
	arrivals []arrival
}

type arrival struct {
	frost.NonceCommitment
	state checkState
	// Gateways only: when it was stored, and when the gateway heard of it.
	at, heard time.Time
}

type checkState int

const (
	checkPending checkState = iota
	checkValid
	checkBad
)

// add takes a node's commitment message in log order and returns its
// position and the points to check. Only a node's first message counts.
func (c *commitSet) add(node int, body []byte) (pos int, points []byte, ok bool) {
	if c.has(node) || slices.Contains(c.exclude, uint8(node)) {
		return 0, nil, false
	}
	a := arrival{NonceCommitment: frost.NonceCommitment{Index: node}, state: checkBad}
	commit, err := c.opener.DecodeCommit(body, c.session, node)
	if err == nil {
		a.Points, a.state = bytes.Clone(commit.Points), checkPending
	}
	c.arrivals = append(c.arrivals, a)
	return len(c.arrivals) - 1, a.Points, err == nil
}

// addOwn is add for what this very process made, attested and sealed: there is
// nothing in it to check.
func (c *commitSet) addOwn(node int, points []byte) {
	c.arrivals = append(c.arrivals, arrival{
		NonceCommitment: frost.NonceCommitment{Index: node, Points: bytes.Clone(points)}, state: checkValid,
	})
}

func (c *commitSet) has(node int) bool { return c.of(node) != nil }

// good reports whether a node's commitment is there and not known to be bad.
func (c *commitSet) good(node int) bool {
	a := c.of(node)
	return a != nil && a.state != checkBad
}

func (c *commitSet) of(node int) *arrival {
	for i := range c.arrivals {
		if c.arrivals[i].Index == node {
			return &c.arrivals[i]
		}
	}
	return nil
}

func (c *commitSet) checked(pos int, err error) {
	if pos >= len(c.arrivals) {
		return // the session let go of them
	}
	c.arrivals[pos].state = checkValid
	if err != nil {
		c.arrivals[pos].state = checkBad
	}
}

// maybeValid counts the commitments that are valid or may turn out so.
func (c *commitSet) maybeValid() (count int) {
	for _, a := range c.arrivals {
		if a.state != checkBad {
			count++
		}
	}
	return count
}

// set is the signing set in log order, or nil while it is open.
func (c *commitSet) set(t int) []frost.NonceCommitment {
	var set []frost.NonceCommitment
	for _, a := range c.arrivals {
		switch a.state {
		case checkPending:
			return nil
		case checkValid:
			if set = append(set, a.NonceCommitment); len(set) == t {
				return set
			}
		}
	}
	return nil
}

func setIndices(set []frost.NonceCommitment) []uint8 {
	indices := make([]uint8, len(set))
	for i, c := range set {
		indices[i] = uint8(c.Index)
	}
	return indices
}
