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

	// Bounds of one look at them, which holds up what comes after.
	maxLooks    = 16
	maxLookRead = 4096 // messages
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
// other copies if they have them. m is what the leader has there, nil if nothing. A gap is
// remembered before what comes after it is handled: a cursor must not pass it.
func (f *Follower) overGap(ctx context.Context, until uint64, m *Message, info streamInfo) (err error) {
	var met []Gap
	for err == nil && f.next < until {
		g := Gap{First: f.next}
		if g.Last, g.Read, err = f.nextGap(ctx, until, info); err != nil {
			break
		}
		met = appendGap(met, g)
		f.setGaps(append(slices.Clone(f.Gaps()), g))
		f.moveTo(max(f.next, g.Last+1))
	}
	f.lacking(met, info)
	if err == nil && m != nil && m.Seq == f.next {
		f.handle(*m)
		f.settled()
	}
	return err
}

// nextGap is how far the next sequences that the leader lacks are alike: other copies have
// them, and they were handled, or none has. Pages come first: whole copies answer most of
// them, so a long gap costs no question for each of its messages.
func (f *Follower) nextGap(ctx context.Context, until uint64, info streamInfo) (last uint64, read bool, err error) {
	first := f.next
	if info.replicas > 1 {
		if _, err = f.readStored(ctx); err != nil || f.next > first {
			return min(f.next, until) - 1, true, err
		}
	}
	switch least, err := f.fromAny(ctx, info); {
	case err != nil:
		return 0, false, err
	case least == nil:
		return until - 1, false, nil
	case least.Seq > first:
		return min(least.Seq, until) - 1, false, nil
	default:
		f.handle(*least)
		f.settled()
		return first, true, nil
	}
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

// lacking says which gaps were met.
func (f *Follower) lacking(met []Gap, info streamInfo) {
	if len(met) == 0 {
		return
	}
	f.looked = time.Now()
	all := Gap{First: met[0].First, Last: met[len(met)-1].Last}
	what := "the copy of KEYS that leads is damaged; other copies had what it lacks"
	unread, _ := Unread(met)
	if unread > 0 {
		what = "KEYS is damaged: no copy that answers has some messages. Nodes that hold the entries bring them back"
	}
	f.b.log.Error(what, "sequences", all, "unread", unread, "leader", info.leader, "mend", info.mend(f.name, unread))
}
