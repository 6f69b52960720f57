package bus

import (
	"context"
	"fmt"
	"slices"
)

// appendGap adds a gap that follows the others, to the last one if they are alike.
func appendGap(gaps []Gap, g Gap) []Gap {
	if n := len(gaps); n > 0 && g.Read == gaps[n-1].Read && g.First <= gaps[n-1].Last+1 {
		gaps[n-1].Last = max(gaps[n-1].Last, g.Last)
		return gaps
	}
	return append(gaps, g)
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
		if out = appendGap(out, g); len(out) > maxGaps {
			out = out[:maxGaps]
			out[maxGaps-1].Last = max(out[maxGaps-1].Last, g.Last)
			out[maxGaps-1].Read = out[maxGaps-1].Read && g.Read
		}
	}
	f.gaps.Store(&out)
}

// KeysState is how whole the leader's copy of KEYS is, as its server knows.
type KeysState struct {
	Missing  uint64 // messages between its first sequence and its last that it does not have
	Replicas int
	Mend     string // what there is to do
}

// KeysState asks for it. A server that has not noticed the damage to its copy knows of
// none: who reads KEYS finds that.
func (b *Bus) KeysState(ctx context.Context) (KeysState, error) {
	i, err := b.info(ctx, Keys)
	if err != nil {
		return KeysState{}, err
	}
	return KeysState{Missing: Missing(1, i.last, i.count), Replicas: i.replicas,
		Mend: i.mend(b.names.stream(Keys), 0)}, nil
}

// noCopyTries is copyTries for what is deleted then: of three copies two may answer that
// lack it, and so many draws miss the third once in 10^11 times.
const noCopyTries = 64

// AtNoCopy reports whether all copies of KEYS are there, and none has any of what was not
// read. It takes copies that lack the same for that: one was made from the other.
func (b *Bus) AtNoCopy(ctx context.Context, gaps []Gap) (bool, error) {
	i, err := b.from.info(ctx, Keys)
	if err != nil || i.copies < i.replicas {
		return false, err
	}
	for _, g := range gaps {
		for try := 0; try < noCopyTries && !g.Read; try++ {
			m, ok, err := b.from.anyNext(ctx, Keys, g.First)
			if err != nil || ok && m.Seq <= g.Last {
				return false, err
			}
		}
	}
	return true, nil
}

// Missing is how many of the sequences from first to last are not among count messages.
func Missing(first, last, count uint64) uint64 {
	if all := last + 1 - first; last >= first && all > count {
		return all - count
	}
	return 0
}

// mend says how to mend a damaged copy of a stream, by its name on the server, of which no
// copy had so many messages. While a copy is away, none is to be thrown away: it may be
// all that has them, and two servers of three that are down are no quorum.
func (i streamInfo) mend(name string, unread uint64) string {
	const anew = "frostctl register refill, and then frostctl register compact (docs/register.md)"
	switch {
	case i.replicas == 1 || i.leader == "":
		return "with one copy: " + anew
	case i.copies < i.replicas:
		return fmt.Sprintf("of %d copies %d are there: bring the other NATS servers back, and look again", i.replicas, i.copies)
	case unread > 0:
		return "all copies are there and lack it: " + anew
	}
	return fmt.Sprintf("end NATS server %s, move its folder .../streams/%s away and start it: it fetches the stream from "+
		"the others (docs/operations.md, \"A stream's file is damaged\")", i.leader, name)
}
