package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Questions wait in lanes, which take turns: one for each gateway that signs, one for
// the administrator where an account of its own shows who that is, and one for everybody
// else. So whoever asks in a loop waits for itself, and draws no lane by a new token.

const (
	maxAsks = 64 // that wait in a lane; others are lost, and asked again
	// maxSeen bounds the numbers that are remembered of a gateway. It is more than a
	// node answers within twice ClockSkew.
	maxSeen = 1 << 14
)

// askLane is who asks: a gateway by its signature, the administrator, or nobody known.
type askLane struct {
	gateway       string
	administrator bool
}

// asks are the questions that wait. Its zero value is ready.
type asks struct {
	mu      sync.Mutex
	waiting map[askLane][]*wire.Ask
	turns   []askLane // that have some waiting
	arrived chan struct{}
	seen    map[string]*seenAsks // by gateway
}

// seenAsks are the numbers of a gateway's questions. They follow its clock.
type seenAsks struct {
	floor   uint64 // what is not above it counts as seen
	numbers map[uint64]struct{}
}

// add has a question wait in its gateway's lane, if it is signed, of now, and no copy of
// one that came before. Others have no lane of their own: clocks may be wrong.
func (a *asks) add(gateway string, ask *wire.Ask, now time.Time) {
	lane := askLane{}
	if gateway != "" && a.isNew(gateway, ask.Number, now) {
		lane.gateway = gateway
	}
	a.push(lane, ask)
}

func (a *asks) isNew(gateway string, number uint64, now time.Time) bool {
	skew, at := uint64(wire.ClockSkew), uint64(now.UnixNano())
	if number > at+skew || number < at-skew {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[string]*seenAsks{}
	}
	s := a.seen[gateway]
	if s == nil {
		s = &seenAsks{numbers: map[uint64]struct{}{}}
		a.seen[gateway] = s
	}
	if _, again := s.numbers[number]; again || number <= s.floor {
		return false
	}
	if len(s.numbers) >= maxSeen {
		s.forget(at - skew)
	}
	s.numbers[number] = struct{}{}
	return true
}

// forget raises the floor: to what is too old anyway, and further if that is not enough.
func (s *seenAsks) forget(old uint64) {
	all := make([]uint64, 0, len(s.numbers))
	for number := range s.numbers {
		all = append(all, number)
	}
	slices.Sort(all)
	s.floor = max(s.floor, old, all[len(all)/2])
	for _, number := range all {
		if number <= s.floor {
			delete(s.numbers, number)
		}
	}
}

func (a *asks) signal() chan struct{} {
	if a.arrived == nil {
		a.arrived = make(chan struct{}, 1)
	}
	return a.arrived
}

func (a *asks) full(lane askLane) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waiting[lane]) == maxAsks
}

// push has a question wait in a lane. One too many is dropped.
func (a *asks) push(lane askLane, ask *wire.Ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting = map[askLane][]*wire.Ask{}
	}
	if len(a.waiting[lane]) == maxAsks {
		return
	}
	if len(a.waiting[lane]) == 0 {
		a.turns = append(a.turns, lane)
	}
	a.waiting[lane] = append(a.waiting[lane], ask)
	select {
	case a.signal() <- struct{}{}:
	default:
	}
}

// next waits for a question, and takes the oldest of the lane whose turn it is; nil if
// ctx ends before.
func (a *asks) next(ctx context.Context) *wire.Ask {
	for ctx.Err() == nil {
		a.mu.Lock()
		arrived := a.signal()
		if len(a.turns) > 0 {
			lane := a.turns[0]
			a.turns = a.turns[1:]
			ask := a.waiting[lane][0]
			if a.waiting[lane] = a.waiting[lane][1:]; len(a.waiting[lane]) > 0 {
				a.turns = append(a.turns, lane)
			} else {
				delete(a.waiting, lane)
			}
			a.mu.Unlock()
			return ask
		}
		a.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
		}
	}
	return nil
}
