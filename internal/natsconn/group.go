package natsconn

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// A message goes out at once and alone while few others are under way. What comes meanwhile
// waits until one of them has ended, as it would at the server, which stores one after the
// other; then all that wait go out together. Nothing waits for what has not come yet.
const (
	atOnce      = 16        // attempts under way at a time
	batchCounts = 8         // of them, for a batch
	leastBatch  = 32        // messages for which one batch takes the server less than each alone
	mostBatch   = 256       // messages of a batch
	batchBytes  = 512 << 10 // payloads of a batch
	longestWait = time.Second
	batchAgain  = time.Minute // until batches are tried again that the stream did not take
)

// Group stores messages of one stream, several with one write to the disk where they come
// faster than the server stores them. Its methods may be called concurrently.
type Group struct {
	c      *Conn
	stream string // for the log

	mu      sync.Mutex
	under   int // attempts under way; a batch counts batchCounts
	waiting []*waiter
	not     time.Time // no batches before
	told    bool      // that the stream takes none
}

// waiter is a message that waits for its turn.
type waiter struct {
	m    *nats.Msg
	turn chan turn // takes one
}

// turn is what becomes of a message that waited. Without either it goes out alone.
type turn struct {
	stored uint64    // its sequence, in a batch
	lead   []*waiter // whose batch it sends, itself the first
}

// NewGroup is for one stream, which the log calls by this name.
func (c *Conn) NewGroup(stream string) *Group { return &Group{c: c, stream: stream} }

// Store is Conn.Store for a message without conditions. Where a batch is not stored, each of
// its messages is tried for itself, so that one which is refused costs the others nothing. The
// outcome is that of the message's own attempt, or that the batch was stored.
func (g *Group) Store(ctx context.Context, m *nats.Msg) (seq uint64, err error) {
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if w := g.begin(m); w != nil {
		mine, err := g.await(ctx, w)
		if err != nil || mine.stored != 0 {
			return mine.stored, err
		}
		if mine.lead != nil {
			if seq, stored := g.lead(mine.lead); stored {
				return seq, nil
			}
		}
	}
	defer g.end(1)
	return g.c.Store(ctx, m)
}

// begin returns nil for a message that goes out now, alone.
func (g *Group) begin(m *nats.Msg) *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under < atOnce || len(m.Data) > batchBytes/leastBatch || g.off() {
		g.under++
		return nil
	}
	w := &waiter{m, make(chan turn, 1)}
	g.waiting = append(g.waiting, w)
	return w
}

// await waits for a message's turn. Whoever waited for long sends it alone: the attempts
// under way may have no answer.
func (g *Group) await(ctx context.Context, w *waiter) (mine turn, err error) {
	long := time.NewTimer(longestWait)
	defer long.Stop()
	select {
	case mine = <-w.turn:
		return mine, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-long.C:
	}
	g.mu.Lock()
	i := slices.Index(g.waiting, w)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		if err == nil {
			g.under++
		}
	}
	g.mu.Unlock()
	if i >= 0 {
		return turn{}, err
	}
	return <-w.turn, nil // it had come, or its batch is under way: no longer than one attempt
}

// end says that an attempt is over, and gives those that wait their turn.
func (g *Group) end(counts int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.under -= counts
	for len(g.waiting) > 0 && (g.under < atOnce || g.off()) {
		batch := slices.Clone(g.waiting[:g.together()])
		g.waiting = slices.Delete(g.waiting, 0, len(batch))
		if len(batch) == 1 {
			g.under++
			batch[0].turn <- turn{}
		} else {
			g.under += batchCounts
			batch[0].turn <- turn{lead: batch}
		}
	}
}

func (g *Group) off() bool { return time.Now().Before(g.not) }

// together is how many of those that wait go out with the first one.
func (g *Group) together() int {
	if g.off() || !g.c.HasBatches() {
		return 1
	}
	n, size := 0, 0
	for ; n < len(g.waiting) && n < mostBatch; n++ {
		if size += len(g.waiting[n].m.Data); size > batchBytes {
			break
		}
	}
	if n < leastBatch {
		return 1
	}
	return n
}

// lead sends a batch, and returns the sequence of its first message if it is stored. If it is
// not, all of them are to go out alone. Nobody's context ends it: it is others', too.
func (g *Group) lead(batch []*waiter) (seq uint64, stored bool) {
	messages := make([]*nats.Msg, len(batch))
	for i, w := range batch {
		messages[i] = w.m
	}
	last, err := g.c.storeBatch(context.Background(), messages)
	if err != nil {
		g.refused(err, len(batch))
		for _, w := range batch[1:] {
			w.turn <- turn{}
		}
		return 0, false
	}
	first := last - uint64(len(batch)-1)
	for i, w := range batch[1:] {
		w.turn <- turn{stored: first + uint64(i) + 1}
	}
	g.end(batchCounts)
	return first, true
}

// refused takes the end of a batch whose messages go out alone now, so many.
func (g *Group) refused(err error, messages int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.under += messages - batchCounts
	if !errors.Is(err, errNoBatches) {
		return
	}
	g.not = time.Now().Add(batchAgain)
	if !g.told {
		g.told = true
		g.c.opt.Log.Info("messages are stored one by one: this stream takes no batches; once all programs are of this "+
			"release, the administrator runs frostctl bus apply", "stream", g.stream, "err", err)
	}
}
