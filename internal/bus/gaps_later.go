package bus

import (
	"context"
	"time"
)

// What was missing in KEYS is looked for until every copy has it.

// lookAgain reads what was missing, now and then, and forgets what all copies have.
func (f *Follower) lookAgain(ctx context.Context) {
	gaps := f.Gaps()
	if len(gaps) == 0 || time.Since(f.looked) < f.b.gapEvery {
		return
	}
	info, err := f.b.from.info(ctx, f.stream)
	if err != nil {
		return
	}
	var left []Gap
	for i, g := range gaps {
		still, err := f.lookAt(ctx, g, info.copies >= info.replicas)
		if err != nil { // of the stream: it is noticed elsewhere
			left = append(left, gaps[i:]...)
			break
		}
		left = append(left, still...)
	}
	f.looked = time.Now()
	f.setGaps(left)
	if n, _ := Unread(left); len(left) == 0 {
		f.b.log.Info("all copies of KEYS have what was missing")
	} else if before, _ := Unread(gaps); n < before {
		f.b.log.Warn("read what was missing in KEYS", "messages", before-n, "still missing", n)
	}
}

// lookAt returns what is left of a gap. While not all copies are there, none that was
// found goes: the damaged one may be away.
func (f *Follower) lookAt(ctx context.Context, g Gap, all bool) (left []Gap, err error) {
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
	next := g.First
	err = f.b.from.scan(ctx, f.stream, next, "", func(m Message) bool {
		if m.Seq > g.Last || ctx.Err() != nil {
			return false
		}
		if m.Seq > next {
			left = append(left, Gap{next, m.Seq - 1, false})
		}
		left = append(left, Gap{m.Seq, m.Seq, true})
		f.give(m)
		next = m.Seq + 1
		return true
	})
	if next <= g.Last {
		left = append(left, Gap{next, g.Last, false})
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
