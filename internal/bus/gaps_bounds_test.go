package bus

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// A long gap in the leader's copy costs no question for each message.
func TestFollowLongGap(t *testing.T) {
	const n = 600
	var lost []uint64
	for seq := uint64(20); seq < n-20; seq++ {
		lost = append(lost, seq)
	}
	d := newDamaged(t, n, lost, nil)
	d.firstPage = true
	var c collector
	f, err := d.Follow(testContext(t), Keys, 1, c.options())
	if err != nil {
		t.Fatal(err)
	}
	c.inOrder(t, n)
	if got := f.Gaps(); !slices.Equal(got, []Gap{{20, n - 21, true}}) {
		t.Errorf("gaps %v", got)
	}
	d.set(func() {
		if d.singles > n/4 {
			t.Errorf("%d questions for a single message", d.singles)
		}
	})
}

// Who keeps a cursor asks for gaps at any time: one is known before what comes after it.
func TestFollowGapIsKnownInTime(t *testing.T) {
	d := newDamaged(t, 10, []uint64{4, 5, 6, 7}, []uint64{4, 5})
	var c collector
	opt := c.options()
	inner := opt.Handler
	opt.Handler = func(m Message) {
		for _, f := range d.Followers() {
			if n, _ := Unread(f.Gaps()); m.Seq > 5 && n != 2 {
				t.Errorf("at %d: gaps %v", m.Seq, f.Gaps())
			}
		}
		inner(m)
	}
	if _, err := d.Follow(testContext(t), Keys, 1, opt); err != nil {
		t.Fatal(err)
	}
	c.waitFor(t, 8)
}

// However many gaps there are, what is stored next does not wait for a look at all of them;
// and all have their turn.
func TestLookAtManyGaps(t *testing.T) {
	const n = 100
	d := newDamaged(t, 2*n, nil, nil)
	f := &Follower{b: d.Bus, stream: Keys, name: d.names.stream(Keys), opt: FollowOptions{Handler: func(Message) {}}}
	var gaps []Gap
	for i := range uint64(n) {
		d.lost[2*i+1] = true
		gaps = append(gaps, Gap{2*i + 1, 2*i + 1, true})
	}
	f.setGaps(gaps)
	look := func() (asked int) {
		before := d.singles
		f.lookAgain(testContext(t))
		return d.singles - before
	}
	for range n {
		if asked := look(); asked > maxLooks {
			t.Fatalf("%d questions in one look", asked)
		}
	}
	clear(d.lost)
	for range 2 * n / maxLooks {
		f.looked = time.Time{}
		look()
	}
	if left := f.Gaps(); len(left) > 0 {
		t.Errorf("gaps %v", left)
	}
}

// What comes back all at once is read in parts.
func TestLookAtLongGap(t *testing.T) {
	const n = 3 * maxLookRead / 2
	read := 0
	var want []uint64
	f := &Follower{
		b: &Bus{log: slog.New(slog.DiscardHandler), from: endless{}}, stream: Keys,
		opt: FollowOptions{Handler: func(m Message) { read++; want = append(want, m.Seq) }},
	}
	f.setGaps([]Gap{{11, n + 10, false}})
	f.lookAgain(testContext(t))
	if read != maxLookRead {
		t.Errorf("%d messages in one look", read)
	}
	f.lookAgain(testContext(t))
	if read != n || !slices.IsSorted(want) {
		t.Errorf("%d messages, of %d", read, n)
	}
	if got := f.Gaps(); !slices.Equal(got, []Gap{{11, n + 10, true}}) {
		t.Errorf("gaps %v", got)
	}
}

// endless has every message, and is away for single ones.
type endless struct{ source }

func (endless) info(context.Context, Stream) (streamInfo, error) {
	return streamInfo{replicas: 3, copies: 3}, nil
}

func (endless) scan(_ context.Context, _ Stream, from uint64, _ string, fn func(Message) bool) error {
	for fn(Message{Seq: from}) {
		from++
	}
	return nil
}

// Nobody is told to throw a copy away while another one is not there, or if none is whole.
func TestMend(t *testing.T) {
	for _, test := range []struct {
		replicas, copies int
		unread           uint64
		says             string
	}{
		{3, 3, 0, "end NATS server s2"},
		{3, 2, 0, "bring the other NATS servers back"},
		{3, 2, 4, "bring the other NATS servers back"},
		{3, 3, 4, "register refill"},
		{1, 1, 4, "register refill"},
	} {
		i := streamInfo{replicas: test.replicas, copies: test.copies, leader: "s2"}
		if says := i.mend("KEYS", test.unread); !strings.Contains(says, test.says) {
			t.Errorf("%+v: %s", test, says)
		}
	}
}

// KEYS may be made anew without what was not read once no copy can have it.
func TestAtNoCopy(t *testing.T) {
	lost := []uint64{4, 5, 20}
	d := newDamaged(t, 30, lost, lost)
	gaps := []Gap{{4, 5, false}, {9, 9, true}, {20, 20, false}}
	wants := func(want bool, when string) {
		t.Helper()
		if got, err := d.AtNoCopy(testContext(t), gaps); err != nil || got != want {
			t.Errorf("%s: %v, %v", when, got, err)
		}
	}
	wants(true, "all lack it")
	d.away = true
	wants(false, "a copy is away")
	d.away = false
	delete(d.others, 20)
	wants(false, "two have a message")
	d.others[20], d.lost = true, map[uint64]bool{4: true, 20: true}
	wants(false, "the leader has one")
}
