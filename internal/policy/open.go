package policy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// OpenLedger is the ledger of a stored state. If the process that stored it did not end in
// order, a block of each limit counts as used. An error is ErrState: see LostLedger. Its
// own state is to be saved before anything is charged at once.
//
// It can't tell that the state is an old one which somebody put back, or that the clock was
// put forward while the node was down: see Seq and Doubt.
func OpenLedger(p *Policy, stored []byte, now time.Time) (*Ledger, Save, error) {
	s, err := decodeState(stored)
	if err != nil {
		return nil, Save{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	l, _ := NewLedger(p, now)
	l.saves = saves{last: s.Seq, stored: s.Seq}
	passed := now.Unix() - s.Wall
	l.time = s.Time + max(0, passed)
	l.restore(s)
	if passed < -int64(tolerance/time.Second) {
		l.doubt("the clock went back by " + (time.Duration(-passed) * time.Second).String() + " while the node was down")
	}
	if !s.Clean {
		blocks := map[string]uint64{}
		for _, one := range s.Limits {
			blocks[one.ID] = one.Block
		}
		l.events = append(l.events, event{at: l.time, why: "the node did not end in order", blocks: blocks})
	}
	l.bound()
	return l, *l.save(false), nil
}

// ReadLedger is a stored ledger to look at, beside the process that it is of: it is as that
// stored it, and nothing may be charged. Errors are ErrState.
func ReadLedger(p *Policy, stored []byte, now time.Time) (*Ledger, error) {
	s, err := decodeState(stored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	l, _ := NewLedger(p, now)
	l.time = s.Time + max(0, now.Unix()-s.Wall)
	l.restore(s)
	return l, nil
}

func (l *Ledger) restore(s *state) {
	for _, e := range s.Events {
		one := event{at: e.At, why: e.Why}
		if e.Known {
			one.blocks = map[string]uint64{}
		}
		for _, b := range e.Blocks {
			one.blocks[b.ID] = b.Units
		}
		l.events = append(l.events, one)
	}
	for _, c := range s.Counters {
		w, _ := windowOf(s.Limits[c.Limit].Per)
		n := &counter{window: w, head: c.Head}
		for _, step := range c.Steps {
			n.steps[n.index(c.Head-int64(step.Back))] = step.Units
		}
		l.counters[counterKey{s.Limits[c.Limit].ID, c.Subject}] = n
	}
	for _, one := range s.Seen {
		l.seen[one.Key] = &mark{one.Index, one.Index}
	}
}

func windowOf(name string) (window, bool) {
	i := slices.IndexFunc(windows, func(w window) bool { return w.name == name && w.kept() })
	if i < 0 {
		return window{}, false
	}
	return windows[i], true
}

// decodeState reads a state, and accepts only what encode makes.
func decodeState(stored []byte) (*state, error) {
	if len(stored) < sha256.Size || len(stored) > MaxState {
		return nil, fmt.Errorf("it has %d bytes", len(stored))
	}
	sum, body := stored[:sha256.Size], stored[sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(want[:], sum) {
		return nil, errors.New("its checksum is wrong")
	}
	var s state
	if err := decoder.Unmarshal(body, &s); err != nil {
		return nil, err
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("it is of version %d, and this program reads %d", s.Version, stateVersion)
	}
	if again := must(encoder.Marshal(s)); !bytes.Equal(again, body) {
		return nil, errors.New("it is not in the canonical form")
	}
	return &s, s.check()
}

// horizon bounds times, so that sums of them don't go round.
const horizon = 1 << 40

func (s *state) check() error {
	wrong := func(what string) error { return errors.New("it has a wrong " + what) }
	if s.Time < 0 || s.Time > horizon || s.Wall < -horizon || s.Wall > horizon {
		return wrong("time")
	}
	if len(s.Counters) > maxCounters || len(s.Seen) > maxSeen || len(s.Events) > maxEvents {
		return wrong("number of entries")
	}
	for _, one := range s.Limits {
		if _, ok := windowOf(one.Per); !ok {
			return wrong("limit")
		}
	}
	for _, e := range s.Events {
		if e.At < 0 || e.At > s.Time || !e.Known && len(e.Blocks) > 0 {
			return wrong("event")
		}
	}
	for _, c := range s.Counters {
		if c.Limit >= uint(len(s.Limits)) {
			return wrong("counter")
		}
		w, _ := windowOf(s.Limits[c.Limit].Per)
		if c.Head != s.Time/w.step() || len(c.Steps) > parts+1 {
			return wrong("counter")
		}
		for _, step := range c.Steps {
			if step.Back > parts {
				return wrong("counter")
			}
		}
	}
	return nil
}
