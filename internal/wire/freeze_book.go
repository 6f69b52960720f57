package wire

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Bounds of what a program remembers of freezes. Who freezes more than that should freeze
// the client, or the fleet.
const (
	MaxFreezesOfOne = 256 // in force, of one administrator
	maxInForce      = MaxAdministrators * MaxFreezesOfOne
	maxLifted       = 4096 // freezes that were lifted; older ones may be frozen anew by a copy
	maxVotesOfOne   = 256  // statements with a vote of one administrator and no quorum yet
)

// FreezeBook is what administrators said, as far as it counts: the freezes in force, and
// the votes to lift them. Messages may come in any order and more than once. A freeze that
// was lifted stays lifted, whoever says it again. It is not safe for concurrent use.
type FreezeBook struct {
	manifest *Manifest
	inForce  map[[32]byte]*Freeze
	votes    map[[32]byte]*unfreezing // by statement
	cast     map[string][][32]byte    // statements that an administrator voted for, the oldest first
	lifted   map[[32]byte]struct{}
	order    [][32]byte // of lifted, the oldest first
}

// unfreezing is a statement that has no quorum yet.
type unfreezing struct {
	*Freeze
	by map[string]string // key under which an administrator's vote verified, by name
}

// NewFreezeBook returns a book that knows of nothing.
func NewFreezeBook(m *Manifest) *FreezeBook {
	return &FreezeBook{
		manifest: m, inForce: map[[32]byte]*Freeze{}, votes: map[[32]byte]*unfreezing{},
		cast: map[string][][32]byte{}, lifted: map[[32]byte]struct{}{},
	}
}

// FreezeNews is what changed.
type FreezeNews struct {
	Frozen []*Freeze
	Lifted []*Freeze
	// Forgot says that a lifted freeze is remembered that was not known to be in force.
	Forgot bool
}

// None reports whether nothing changed that is to be kept.
func (n FreezeNews) None() bool { return len(n.Frozen)+len(n.Lifted) == 0 && !n.Forgot }

// Add takes a message of CONTROL, by the access list that counts now.
func (b *FreezeBook) Add(a *Access, subject string, data []byte) (news FreezeNews, err error) {
	f, err := OpenFreeze(b.manifest, a, subject, data)
	if err != nil {
		return news, err
	}
	if f.Action == ActionUnfreeze {
		b.vote(f)
		return b.count(a, f.ID), nil
	}
	if _, lifted := b.lifted[f.ID]; lifted || b.inForce[f.ID] != nil {
		return news, nil
	}
	if err := b.room(f.By); err != nil {
		return news, err
	}
	b.inForce[f.ID] = f
	news.Frozen = []*Freeze{f}
	return news, nil
}

// room refuses a freeze beyond the bounds. They are an administrator's own, so that nobody
// takes another's.
func (b *FreezeBook) room(by string) error {
	own := 0
	for _, f := range b.inForce {
		if f.By == by {
			own++
		}
	}
	if own >= MaxFreezesOfOne || len(b.inForce) >= maxInForce {
		return fmt.Errorf("administrator %s has %d freezes in force, and no more count: freeze the client or the fleet",
			by, own)
	}
	return nil
}

func (b *FreezeBook) vote(f *Freeze) {
	if !slices.ContainsFunc(f.Lifts, func(id [32]byte) bool { _, done := b.lifted[id]; return !done }) {
		return
	}
	v := b.votes[f.ID]
	if v == nil {
		v = &unfreezing{f, map[string]string{}}
		b.votes[f.ID] = v
	}
	if _, again := v.by[f.By]; !again {
		b.cast[f.By] = append(b.cast[f.By], f.ID)
	}
	v.by[f.By] = f.key
	if all := b.cast[f.By]; len(all) > maxVotesOfOne {
		b.withdraw(all[0], f.By)
	}
}

// withdraw forgets a vote. It may be given again.
func (b *FreezeBook) withdraw(id [32]byte, by string) {
	b.cast[by] = slices.DeleteFunc(b.cast[by], func(other [32]byte) bool { return other == id })
	if v := b.votes[id]; v != nil {
		if delete(v.by, by); len(v.by) == 0 {
			delete(b.votes, id)
		}
	}
}

// count lifts what a statement names if it has its quorum: votes of administrators that the
// list has, under the keys that it has.
func (b *FreezeBook) count(a *Access, id [32]byte) (news FreezeNews) {
	v := b.votes[id]
	if v == nil || a.Quorum() == 0 {
		return news
	}
	votes, keys := 0, a.adminKeys()
	for name, key := range v.by {
		if keys[name] == key {
			votes++
		}
	}
	if votes < a.Quorum() {
		return news
	}
	for _, lifts := range v.Lifts {
		if f := b.inForce[lifts]; f != nil {
			delete(b.inForce, lifts)
			news.Lifted = append(news.Lifted, f)
		}
		news.Forgot = b.lift(lifts) || news.Forgot
	}
	for name := range v.by {
		b.withdraw(id, name)
	}
	return news
}

// lift remembers that a freeze was lifted, and reports whether that is new.
func (b *FreezeBook) lift(id [32]byte) bool {
	if _, known := b.lifted[id]; known {
		return false
	}
	b.lifted[id] = struct{}{}
	if b.order = append(b.order, id); len(b.order) > maxLifted {
		delete(b.lifted, b.order[0])
		b.order = b.order[1:]
	}
	return true
}

// Recount counts all votes again, by another access list.
func (b *FreezeBook) Recount(a *Access) (news FreezeNews) {
	for _, id := range sortedIDs(b.votes) {
		more := b.count(a, id)
		news.Lifted = append(news.Lifted, more.Lifted...)
		news.Forgot = news.Forgot || more.Forgot
	}
	return news
}

// InForce are the freezes in force, the oldest first by their own time.
func (b *FreezeBook) InForce() []*Freeze {
	return slices.SortedFunc(maps.Values(b.inForce), (*Freeze).compare)
}

func (f *Freeze) compare(other *Freeze) int {
	return cmp.Or(cmp.Compare(f.Time, other.Time), bytes.Compare(f.ID[:], other.ID[:]))
}

// PendingUnfreeze is a statement that lacks votes.
type PendingUnfreeze struct {
	*Freeze
	Votes []string // administrators, in order of names
}

// Pending are the statements that lack votes, the oldest first by their own time.
func (b *FreezeBook) Pending() (all []PendingUnfreeze) {
	for _, id := range sortedIDs(b.votes) {
		v := b.votes[id]
		all = append(all, PendingUnfreeze{v.Freeze, slices.Sorted(maps.Keys(v.by))})
	}
	slices.SortStableFunc(all, func(x, y PendingUnfreeze) int { return x.compare(y.Freeze) })
	return all
}

func sortedIDs[V any](of map[[32]byte]V) [][32]byte {
	return slices.SortedFunc(maps.Keys(of), func(x, y [32]byte) int { return bytes.Compare(x[:], y[:]) })
}

// Frozen is the view of the freezes in force by which jobs are judged. It does not change.
func (b *FreezeBook) Frozen() *Frozen {
	f := &Frozen{clients: map[string]*Freeze{}, keys: map[KeyID]*Freeze{}, counts: map[FreezeScope]int{},
		all: b.InForce()}
	for _, one := range f.all {
		f.counts[one.Scope]++
		switch one.Scope {
		case FreezeFleet:
			if f.fleet == nil {
				f.fleet = one
			}
		case FreezeClient:
			if f.clients[one.Name] == nil {
				f.clients[one.Name] = one
			}
		case FreezeKey:
			if id, err := ParseKeyID(one.Name); err == nil && f.keys[id] == nil {
				f.keys[id] = one
			}
		}
	}
	return f
}

// Frozen says for whom, and with which keys, nothing is done now. A nil one freezes
// nothing. It does not change, and may be used concurrently.
type Frozen struct {
	fleet   *Freeze
	clients map[string]*Freeze
	keys    map[KeyID]*Freeze
	counts  map[FreezeScope]int
	all     []*Freeze
}

// All are the freezes in force, the oldest first by their own time. They are read only.
func (f *Frozen) All() []*Freeze {
	if f == nil {
		return nil
	}
	return f.all
}

// Client returns why nothing is done for a client, nil if it is: it or the fleet is frozen.
func (f *Frozen) Client(name string) *JobError {
	switch {
	case f == nil:
		return nil
	case f.fleet != nil:
		return f.fleet.refuse()
	case f.clients[name] != nil:
		return f.clients[name].refuse()
	}
	return nil
}

// Key returns why nothing is signed with a key or its children, nil if it is.
func (f *Frozen) Key(id KeyID) *JobError {
	if f == nil || f.keys[id] == nil {
		return nil
	}
	return f.keys[id].refuse()
}

// Work returns why nothing is signed for a client with keys, nil if it is.
func (f *Frozen) Work(client string, keys []KeyID) *JobError {
	if err := f.Client(client); err != nil || f == nil || len(f.keys) == 0 {
		return err
	}
	for _, id := range keys {
		if err := f.Key(id); err != nil {
			return err
		}
	}
	return nil
}

// Count is how many freezes of a scope are in force.
func (f *Frozen) Count(scope FreezeScope) int {
	if f == nil {
		return 0
	}
	return f.counts[scope]
}

// refuse does not tell the client why it is frozen: it may be the thief who reads it.
func (f *Freeze) refuse() *JobError {
	return Refuse(CodeFrozen, "%s is frozen by administrator %s: ask the fleet's administrators about freeze %s, and for "+
		"another job once it is lifted", f.Target(), f.By, ShortFreezeID(f.ID))
}
