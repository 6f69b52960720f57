package bus

import (
	"context"
	"slices"
	"time"
)

// What was missing in KEYS is looked for until every copy has it.

// lookAgain reads what was missing, now and then, and forgets what all copies have. It goes
// round, a few gaps at a time: what is stored next waits meanwhile.
func (f *Follower) lookAgain(ctx context.Context) {
	gaps := f.Gaps()
	if len(gaps) == 0 || time.Since(f.looked) < f.b.gapEvery {
		return
	}
	info, err := f.b.from.info(ctx, f.stream)
	if err != nil {
		return
	}
	at := slices.IndexFunc(gaps, func(g Gap) bool { return g.Last >= f.lookFrom })
	if at < 0 {
		at, f.lookFrom = 0, 0
	}
	left, end, room := slices.Clone(gaps[:at]), min(at+maxLooks, len(gaps)), maxLookRead
	for ; at < end && room > 0 && err == nil; at++ { // an error is the stream's: it is noticed elsewhere
		var still []Gap
		still, err = f.lookAt(ctx, gaps[at], info.copies >= info.replicas, &room)
		left = append(left, still...)
	}
	if at < len(gaps) && room > 0 {
		f.lookFrom = gaps[at].First
	} else if at == len(gaps) && (room > 0 || f.lookFrom > gaps[at-1].Last) {
		f.looked, f.lookFrom = time.Now(), 0
	}
	left = append(left, gaps[at:]...)
	f.setGaps(left)
	if n, _ := Unread(left); len(left) == 0 {
		f.b.log.Info("all copies of KEYS have what was missing")
	} else if before, _ := Unread(gaps); n < before {
		f.b.log.Warn("read what was missing in KEYS", "messages", before-n, "still missing", n)
	}
}

// lookAt returns what is left of a gap. While not all copies are there, none that was
// found goes: the damaged one may be away. Where there is no room to read on it ends, and
// the next look begins there.
func (f *Follower) lookAt(ctx context.Context, g Gap, all bool, room *int) (left []Gap, err error) {
	if g.Read && !all {
		return []Gap{g}, nil
	}
	if g.Read {
		first, err := f.everywhere(ctx, g.First)
		if err != nil || !first {
			return []Gap{g}, err
		}
		if last, err := f.everywhere(ctx, g.Last); err != nil || !last {
			return []Gap{g}, err
		}
		return nil, nil
	}
	next := max(g.First, f.lookFrom)
	if next > g.First {
		left = appendGap(left, Gap{g.First, next - 1, false})
	}
	err = f.b.from.scan(ctx, f.stream, next, "", func(m Message) bool {
		if m.Seq > g.Last || ctx.Err() != nil {
			return false
		}
		if m.Seq > next {
			left = appendGap(left, Gap{next, m.Seq - 1, false})
		}
		left = appendGap(left, Gap{m.Seq, m.Seq, true})
		f.give(m)
		next = m.Seq + 1
		*room--
		return *room > 0
	})
	if next <= g.Last {
		left = appendGap(left, Gap{next, g.Last, false})
	}
	if *room <= 0 {
		f.lookFrom = next
	}
	return left, err
}

// everywhere reports whether every copy has a sequence, the leader's among them.
func (f *Follower) everywhere(ctx context.Context, seq uint64) (bool, error) {
	m, ok, err := f.b.from.leaderNext(ctx, f.stream, seq)
	for i := 0; i < copyTries && ok && m.Seq == seq && err == nil; i++ {
		m, ok, err = f.b.from.anyNext(ctx, f.stream, seq)
	}
	return ok && m.Seq == seq, err
}
