// Package crosscheck has another implementation check a sample of what this program made for
// ed25519: one session in a hundred, of a node its own signature shares, of a gateway its own
// signatures. It sees public data only, and works off the critical path: one goroutine, one
// session that waits, at most a thirtieth of one processor.
//
// A disagreement over what this program made stops ed25519 here until it is started again: one of
// two implementations is wrong, and nobody knows which signs money away. What others sent decides
// nothing. Their share may be false, and is blamed elsewhere; their nonces or their deals may be
// such that the other implementation refuses to look: that is not comparable.
package crosscheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/oracle"
)

const (
	// every is of how many sessions one is checked.
	every = 100
	// maxItems bounds the items of a session that are checked.
	maxItems = 4
	// rest is how many times as long as a check took the next one waits at least: by the clock on
	// the wall, so a check that others held up rests for longer.
	rest = 33
	// longestRest is what it waits at most: a check that took longer than seconds was held up, as a
	// machine is that sleeps or is moved, and costs no more for that.
	longestRest = 10 * time.Minute
)

// Result is what became of a session that was picked.
type Result string

// Results.
const (
	Agrees        Result = "agrees"
	Disagrees     Result = "disagrees"
	NotComparable Result = "not_comparable" // the other implementation refused to look
	Dropped       Result = "dropped"        // another session was being checked
)

var results = [...]Result{Agrees, Disagrees, NotComparable, Dropped}

// ErrDisagrees means that ed25519 is stopped here.
var ErrDisagrees = errors.New("ed25519 is stopped here until this program is started again: another implementation " +
	"came to another result than this one, which must not sign (FrostfleetCrosscheck in docs/operations.md)")

// Checker checks. Its methods may be called at the same time.
type Checker struct {
	log     *slog.Logger
	queue   chan []claim
	stopped atomic.Pointer[error]
	counts  [len(results)]atomic.Uint64
	pick    func() bool // whether a session is one in a hundred
}

// New returns a checker that checks nothing before Run.
func New(log *slog.Logger) *Checker {
	return &Checker{
		log: log, queue: make(chan []claim, 1), pick: func() bool { return rand.IntN(every) == 0 },
	}
}

// Counts tells what became of the sessions that were picked.
func (c *Checker) Counts() map[Result]uint64 {
	counts := make(map[Result]uint64, len(results))
	for i, r := range results {
		counts[r] = c.counts[i].Load()
	}
	return counts
}

func (c *Checker) count(r Result) { c.counts[slices.Index(results[:], r)].Add(1) }

// Stopped returns why nothing may be signed with ed25519 here any more; nil if nothing is against
// it.
func (c *Checker) Stopped() error {
	if err := c.stopped.Load(); err != nil {
		return *err
	}
	return nil
}

// claim is something that this program made of public data, and that the oracle can check.
type claim struct {
	what    string
	session oracle.Session
	holds   func(*oracle.Session) error
}

// Shares offers what the node index is about to publish for items that it signs with the nodes of a
// set. It keeps nothing of them but public data, of which it makes copies.
func (c *Checker) Shares(form frost.Form, items []frost.Item, set []frost.NonceCommitment, index int, shares []byte) {
	c.offer(form, items, set, func(i int) (string, func(*oracle.Session) error) {
		own := [frost.ScalarSize]byte(shares[i*frost.ScalarSize:])
		return fmt.Sprintf("signature share of node %d", index), func(s *oracle.Session) error {
			return s.VerifyShare(uint16(index+1), own[:])
		}
	})
}

// Signatures offers what this gateway added up: shares are those of the nodes of the set, in its
// order. Items without a signature are no business of it: somebody else's share was false.
func (c *Checker) Signatures(
	form frost.Form, items []frost.Item, set []frost.NonceCommitment, shares [][]byte, sigs []frost.Signature,
) {
	order := byIndex(set)
	c.offer(form, items, set, func(i int) (string, func(*oracle.Session) error) {
		if i >= len(sigs) || sigs[i].Bytes == nil {
			return "", nil
		}
		sig := [64]byte(sigs[i].Bytes)
		var sum [][]byte
		for _, j := range order {
			sum = append(sum, append([]byte(nil), shares[j][i*frost.ScalarSize:][:frost.ScalarSize]...))
		}
		return "signature", func(s *oracle.Session) error { return s.VerifySum(sum, sig[:]) }
	})
}

// offer queues some items of one session in a hundred, if nothing waits there.
func (c *Checker) offer(
	form frost.Form, items []frost.Item, set []frost.NonceCommitment, made func(i int) (string, func(*oracle.Session) error),
) {
	if len(items) == 0 || items[0].Key.Suite != frost.Ed25519 || !c.pick() {
		return
	}
	var claims []claim
	for _, i := range rand.Perm(len(items))[:min(len(items), maxItems)] {
		if what, holds := made(i); holds != nil {
			claims = append(claims, claim{what, sessionOf(form, items[i], set, i), holds})
		}
	}
	if claims == nil {
		return
	}
	select {
	case c.queue <- claims:
	default:
		c.count(Dropped)
	}
}

// Run checks until ctx ends.
func (c *Checker) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case claims := <-c.queue:
			begin := time.Now()
			c.check(claims)
			select {
			case <-ctx.Done():
				return
			case <-time.After(min(rest*time.Since(begin), longestRest)):
			}
		}
	}
}

// check looks at one session.
func (c *Checker) check(claims []claim) {
	result := Agrees
	for i := range claims {
		claim := &claims[i]
		switch err := claim.holds(&claim.session); {
		case errors.Is(err, oracle.ErrDisagrees):
			result = Disagrees
			c.stop(claim, err)
		case err != nil && result == Agrees:
			result = NotComparable
			c.log.Info("the other implementation does not look at a session of ed25519", "err", err)
		}
	}
	c.count(result)
}

// stop ends ed25519 here. All that is logged was public, or about to be.
func (c *Checker) stop(claim *claim, err error) {
	stopped := fmt.Errorf("%w: own %s: %w", ErrDisagrees, claim.what, err)
	c.stopped.CompareAndSwap(nil, &stopped)
	s := &claim.session
	c.log.Error("ED25519 IS STOPPED: what this program made is not what another implementation makes of the same",
		"what", claim.what, "err", err, "key", fmt.Sprintf("%x", s.Commitments[:32]), "message", fmt.Sprintf("%x", s.Message),
		"signers", s.Signers, "nonces", fmt.Sprintf("%x", s.Nonces))
}
