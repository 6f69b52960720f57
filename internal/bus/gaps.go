package bus

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// KEYS deletes nothing, so a sequence that its leader passes over is damage to the
// leader's copy: a server that finds a flipped bit leaves the message out and leads all
// the same. Its word is believed only once no other copy has the message, and even then
// the sequences are not done with: they are read when some copy has them, be it after a
// change of leader.

// Gap is sequences of KEYS that a copy of it lacks.
type Gap struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`

	// Read says that another copy had them: nothing is missing here.
	Read bool `json:"read"`
}

func (g Gap) String() string {
	if g.First == g.Last {
		return fmt.Sprint(g.First)
	}
	return fmt.Sprintf("%d-%d", g.First, g.Last)
}

// Len is how many sequences it has.
func (g Gap) Len() uint64 { return g.Last - g.First + 1 }

const (
	// copyTries is how many direct gets have to lack a message until all copies do.
	// Servers draw the one that answers: of three copies of which one is damaged, so
	// many draws miss the others once in 40 million times.
	copyTries = 16
	gapEvery  = 10 * time.Second // looks at what was missing
	maxGaps   = 1024             // that are told apart
)

// Gaps are the sequences that some copy of KEYS lacks, as far as this follower met them
// and has not seen them at all copies since.
func (f *Follower) Gaps() []Gap {
	if g := f.gaps.Load(); g != nil {
		return *g
	}
	return nil
}

// Unread is how many messages of the gaps no copy had, and the first of them.
func Unread(gaps []Gap) (n, first uint64) {
	for _, g := range gaps {
		if g.Read {
			continue
		}
		if n == 0 || g.First < first {
			first = g.First
		}
		n += g.Len()
	}
	return n, first
}

// overGap goes over what the leader's copy lacks before a sequence, with the messages of
// other copies if they have them. m is what the leader has there, nil if nothing.
func (f *Follower) overGap(ctx context.Context, until uint64, m *Message, info streamInfo) (err error) {
	var met []Gap
	for f.next < until && err == nil {
		var least *Message
		switch least, err = f.fromAny(ctx, info); {
		case err != nil:
		case least != nil && least.Seq == f.next:
			met = append(met, Gap{f.next, f.next, true})
			f.handle(*least)
			f.settled()
		default:
			next := until
			if least != nil {
				next = min(next, least.Seq)
			}
			met = append(met, Gap{f.next, next - 1, false})
			f.moveTo(next)
		}
	}
	f.lacking(met, info)
	if err == nil && m != nil {
		f.handle(*m)
		f.settled()
	}
	return err
}

// fromAny is the first of the messages from the position on that any copy has: copies are
// asked until one has the next, or probably all were.
func (f *Follower) fromAny(ctx context.Context, info streamInfo) (least *Message, err error) {
	for range copyTries {
		m, ok, err := f.b.from.anyNext(ctx, f.stream, f.next)
		if err != nil {
			return nil, err
		}
		if ok && (least == nil || m.Seq < least.Seq) {
			least = &m
		}
		if info.replicas == 1 || least != nil && least.Seq == f.next {
			break
		}
	}
	return least, nil
}

// lacking remembers gaps that were met, and says so.
func (f *Follower) lacking(met []Gap, info streamInfo) {
	if len(met) == 0 {
		return
	}
	f.looked = time.Now()
	f.setGaps(append(slices.Clone(f.Gaps()), met...))
	all := Gap{First: met[0].First, Last: met[len(met)-1].Last}
	what := "the copy of KEYS that leads is damaged; other copies had what it lacks"
	unread, _ := Unread(met)
	if unread > 0 {
		what = "KEYS is damaged: no copy that answers has some messages. Nodes that hold the entries bring them back"
	}
	f.b.log.Error(what, "sequences", all, "unread", unread, "leader", info.leader, "mend", MendKeys(f.name, info.leader))
}

// setGaps keeps them in order. Where there are too many, the newest become one: what it
// has too much is read twice, which at KEYS says nothing new.
func (f *Follower) setGaps(gaps []Gap) {
	slices.SortFunc(gaps, func(a, b Gap) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	var out []Gap
	for _, g := range gaps {
		if n := len(out); n > 0 && (g.Read == out[n-1].Read && g.First <= out[n-1].Last+1 || n >= maxGaps) {
			out[n-1].Last = max(out[n-1].Last, g.Last)
			out[n-1].Read = out[n-1].Read && g.Read
			continue
		}
		out = append(out, g)
	}
	f.gaps.Store(&out)
}
