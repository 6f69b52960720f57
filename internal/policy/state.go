package policy

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// stateVersion is the version of stored ledgers.
const stateVersion = 1

// maxState bounds a state in bytes: full bounds are half of it.
const maxState = 32 << 20

// ErrState means that a stored ledger can't be read: see LostLedger.
var ErrState = errors.New("the ledger's state can't be read")

// A state is SHA-256 of its body, and the body: deterministic CBOR.
type state struct {
	_        struct{} `cbor:",toarray"`
	Version  uint
	Seq      uint64
	Clean    bool  // the process ended in order
	Wall     int64 // the node's clock, in seconds of Unix time
	Time     int64 // the ledger's
	Limits   []limitState
	Events   []eventState
	Counters []counterState
	Seen     []seenState
}

// limitState is a limit and its block: of the policy in force, or 0 of one that only has
// counters left.
type limitState struct {
	_     struct{} `cbor:",toarray"`
	ID    string
	Per   string
	Block uint64
}

type eventState struct {
	_      struct{} `cbor:",toarray"`
	At     int64
	Why    string
	Known  bool // what was used at most is in Blocks
	Blocks []blockState
}

type blockState struct {
	_     struct{} `cbor:",toarray"`
	ID    string
	Units uint64
}

type counterState struct {
	_       struct{} `cbor:",toarray"`
	Limit   uint     // in Limits
	Subject string
	Head    int64
	Steps   []stepState
}

type stepState struct {
	_     struct{} `cbor:",toarray"`
	Back  uint     // steps before the head
	Units uint64
}

type seenState struct {
	_     struct{} `cbor:",toarray"`
	Key   string
	Index uint32
}

var (
	encoder = must(cbor.CoreDetEncOptions().EncMode())
	decoder = must(cbor.DecOptions{
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  6,
		MaxArrayElements: maxCounters + maxRules*maxLimits,
		MaxMapPairs:      16,
		UTF8:             cbor.UTF8DecodeInvalid, // a name that is none must not cost the ledger
	}.DecMode())
)

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err) // options are constants: only a wrong program gets here
	}
	return mode
}

// snapshot is a copy of what is to be stored.
type snapshot struct {
	state
	counters []copied
	seen     []seenState
}

type copied struct {
	counterKey
	counter
}

// snapshot copies the ledger: what takes longer is left to Encode.
func (l *Ledger) snapshot(clean bool) *snapshot {
	l.bound()
	s := &snapshot{
		state:    state{Version: stateVersion, Seq: l.saves.last, Clean: clean, Wall: l.last.Unix(), Time: l.time},
		counters: make([]copied, 0, len(l.counters)), seen: make([]seenState, 0, len(l.seen)),
	}
	for _, id := range slices.Sorted(maps.Keys(l.taken)) {
		s.Limits = append(s.Limits, limitState{ID: id, Per: l.limits[id].window.name, Block: l.taken[id]})
	}
	for _, e := range l.events {
		s.Events = append(s.Events, eventState{At: e.at, Why: e.why, Known: e.blocks != nil, Blocks: blocksOf(e.blocks)})
	}
	for key, n := range l.counters {
		if n.window.kept() {
			s.counters = append(s.counters, copied{key, *n})
		}
	}
	for key, m := range l.seen {
		s.seen = append(s.seen, seenState{Key: key, Index: m.index})
	}
	return s
}

// Encode gives the bytes to store. It takes a microsecond or two for each counter, and
// nothing of the ledger: another goroutine may do it.
func (s Save) Encode() []byte {
	of := s.taken.state
	at := map[string]uint{}
	for i, one := range of.Limits {
		at[one.ID] = uint(i)
	}
	copies := slices.SortedFunc(slices.Values(s.taken.counters), func(a, b copied) int {
		return cmp.Or(cmp.Compare(a.limit, b.limit), cmp.Compare(a.subject, b.subject))
	})
	for i := range copies {
		n := &copies[i]
		c := n.state(of.Time)
		if len(c.Steps) == 0 {
			continue
		}
		if _, ok := at[n.limit]; !ok { // of a limit that is no more
			at[n.limit] = uint(len(of.Limits))
			of.Limits = append(slices.Clip(of.Limits), limitState{ID: n.limit, Per: n.window.name})
		}
		c.Limit, c.Subject = at[n.limit], n.subject
		of.Counters = append(of.Counters, c)
	}
	of.Seen = slices.SortedFunc(slices.Values(s.taken.seen), func(a, b seenState) int { return cmp.Compare(a.Key, b.Key) })
	body := must(encoder.Marshal(of))
	sum := sha256.Sum256(body)
	return append(sum[:], body...)
}

func blocksOf(blocks map[string]uint64) (list []blockState) {
	for _, id := range slices.Sorted(maps.Keys(blocks)) {
		list = append(list, blockState{ID: id, Units: blocks[id]})
	}
	return list
}

// state has the steps that still count.
func (n *counter) state(now int64) (c counterState) {
	n.roll(now)
	c.Head = n.head
	for back := range len(n.steps) {
		if units := n.steps[n.index(n.head-int64(back))]; units > 0 {
			c.Steps = append(c.Steps, stepState{Back: uint(back), Units: units})
		}
	}
	return c
}

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
	if len(stored) < sha256.Size || len(stored) > maxState {
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
