package bus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/test/natscluster"
)

// damagedKeys is a bus with n messages in KEYS of which copies lack some: the leader
// those in lost, and the two others those in others.
type damagedKeys struct {
	*Bus
	mu           sync.Mutex
	lost, others map[uint64]bool
	away         bool // one copy
	questions    int  // about the state
	pages        bool // the leader's copy is what reads of more than one message get
	firstPage    bool // or the first of them
	singles      int  // questions for one message
	rng          *rand.Rand
}

func newDamaged(t *testing.T, n int, lost, others []uint64, change ...func(*Options)) *damagedKeys {
	b, _ := newTestBus(t, change...)
	for i := range n {
		if _, err := b.Publish(testContext(t), dealSubject(fmt.Sprintf("%032x", i), 0), fmt.Append(nil, i), nil); err != nil {
			t.Fatal(err)
		}
	}
	d := &damagedKeys{Bus: b, lost: map[uint64]bool{}, others: map[uint64]bool{}, rng: rand.New(rand.NewPCG(1, 1))}
	for _, seq := range lost {
		d.lost[seq] = true
	}
	for _, seq := range others {
		d.others[seq] = true
	}
	b.from, b.gapEvery = d, time.Millisecond
	return d
}

func (d *damagedKeys) set(f func()) { d.mu.Lock(); defer d.mu.Unlock(); f() }

// lacks says what the copy lacks that answers next.
func (d *damagedKeys) lacks(leader bool) func(uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	of := d.lost
	if !leader && d.rng.IntN(3) > 0 {
		of = d.others
	}
	return func(seq uint64) (lacks bool) { d.set(func() { lacks = of[seq] }); return lacks }
}

func (d *damagedKeys) scan(ctx context.Context, s Stream, from uint64, filter string, fn func(Message) bool) error {
	lacks := d.lacks(d.pages || d.firstPage)
	d.firstPage = false
	return d.Bus.scan(ctx, s, from, filter, func(m Message) bool { return lacks(m.Seq) || fn(m) })
}

func (d *damagedKeys) anyNext(ctx context.Context, s Stream, from uint64) (Message, bool, error) {
	return d.next(ctx, s, from, d.lacks(false))
}

func (d *damagedKeys) leaderNext(ctx context.Context, s Stream, from uint64) (m Message, ok bool, err error) {
	return d.next(ctx, s, from, d.lacks(true))
}

func (d *damagedKeys) next(ctx context.Context, s Stream, from uint64, lacks func(uint64) bool) (
	m Message, ok bool, err error) {
	d.set(func() { d.singles++ })
	for {
		if m, ok, err = d.Bus.leaderNext(ctx, s, from); !ok || err != nil || !lacks(m.Seq) {
			return m, ok, err
		}
		from = m.Seq + 1
	}
}

func (d *damagedKeys) info(ctx context.Context, s Stream) (streamInfo, error) {
	i, err := d.Bus.info(ctx, s)
	i.replicas, i.copies, i.leader = 3, 3, "s2"
	d.set(func() {
		d.questions++
		if d.away {
			i.copies--
		}
		for d.lost[i.first] {
			i.first++
		}
	})
	return i, err
}

// awaitQuestions waits until a follower that hears nothing has looked around for a while.
func (d *damagedKeys) awaitQuestions(t *testing.T, more int) {
	t.Helper()
	asked := func() (n int) { d.set(func() { n = d.questions }); return n }
	until := asked() + more
	eventually(t, "questions", func() error {
		if asked() < until {
			return errors.New("not yet")
		}
		return nil
	})
}

func sequences(got []Message) (all []uint64) {
	for _, m := range got {
		all = append(all, m.Seq)
	}
	return all
}

// What the leader's copy lacks is read from another one, in its turn, and the damage is
// named until every copy has it.
func TestFollowDamagedLeader(t *testing.T) {
	var log logSink
	d := newDamaged(t, 30, []uint64{1, 7, 8, 30}, nil, func(o *Options) { o.Logger = log.logger() })
	d.pages = true
	var c collector
	opt := c.options()
	opt.Idle = 20 * time.Millisecond
	f, err := d.Follow(testContext(t), Keys, 1, opt)
	if err != nil {
		t.Fatal(err)
	}
	c.inOrder(t, 30)
	want := []Gap{{1, 1, true}, {7, 8, true}, {30, 30, true}}
	if got := f.Gaps(); !slices.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
	if text := log.String(); !strings.Contains(text, "end NATS server s2") || !strings.Contains(text, "sequences=7-8") {
		t.Errorf("log: %s", text)
	}
	d.set(func() { clear(d.lost); d.away = true }) // the server is ended, and another leads
	d.awaitQuestions(t, 20)
	if got := f.Gaps(); !slices.Equal(got, want) {
		t.Errorf("while the damaged copy is away: gaps %v", got)
	}
	d.set(func() { d.away = false }) // its copy was fetched anew
	eventually(t, "nothing is said to be damaged", func() error {
		if got := f.Gaps(); len(got) != 0 {
			return fmt.Errorf("gaps %v", got)
		}
		return nil
	})
	if got, _, _ := c.seen(); len(got) != 30 {
		t.Errorf("%d messages, some twice", len(got))
	}
}

// What no copy has keeps nobody from the rest, and is read as soon as some copy has it:
// a server with a whole one is back, and leads.
func TestFollowGapIsNotRead(t *testing.T) {
	lost := []uint64{4, 5, 20}
	d := newDamaged(t, 30, lost, lost)
	var c collector
	opt := c.options()
	opt.Idle = 20 * time.Millisecond
	f, err := d.Follow(testContext(t), Keys, 1, opt)
	if err != nil {
		t.Fatal(err)
	}
	c.waitFor(t, 27)
	eventually(t, "caught up", func() error {
		if !f.CaughtUp() || f.Handled() != 30 {
			return fmt.Errorf("at %d", f.Handled())
		}
		return nil
	})
	if n, first := Unread(f.Gaps()); n != 3 || first != 4 {
		t.Errorf("%d messages were not read, the first is %d: %v", n, first, f.Gaps())
	}
	d.set(func() { clear(d.others) }) // one of them has only 20
	d.set(func() { d.others[4], d.others[5] = true, true })
	c.waitFor(t, 28)
	d.set(func() { clear(d.others); clear(d.lost) })
	got := sequences(c.waitFor(t, 30)[27:])
	if !slices.Equal(got, []uint64{20, 4, 5}) {
		t.Errorf("read late: %v", got)
	}
	eventually(t, "no gap", func() error {
		if len(f.Gaps()) != 0 {
			return fmt.Errorf("gaps %v", f.Gaps())
		}
		return nil
	})
}

// A KEYS that begins after the position is damaged, too: who is half through it goes on.
func TestFollowGapAtTheStart(t *testing.T) {
	d := newDamaged(t, 30, nil, nil)
	for seq := range uint64(9) {
		d.lost[seq+1], d.others[seq+1] = true, true
	}
	var c collector
	f, err := d.Follow(testContext(t), Keys, 4, c.options())
	if err != nil {
		t.Fatal(err)
	}
	checkGapless(t, c.waitFor(t, 21), 10)
	if got := f.Gaps(); !slices.Equal(got, []Gap{{4, 9, false}}) {
		t.Errorf("gaps %v", got)
	}
	if _, _, lost := c.seen(); lost != nil {
		t.Errorf("lost %v", lost)
	}
}

// Other streams forget: what their leader does not have is gone.
func TestFollowForgottenMiddle(t *testing.T) {
	b, _ := newTestBus(t)
	publishN(t, b, 0, 5)
	stream := must[jetstream.Stream](t)(b.nc.JS.Stream(testContext(t), b.names.stream(Sign)))
	if err := stream.DeleteMsg(testContext(t), 3); err != nil {
		t.Fatal(err)
	}
	var c collector
	f, err := b.Follow(testContext(t), Sign, 1, c.options())
	if err != nil {
		t.Fatal(err)
	}
	if got := sequences(c.waitFor(t, 4)); !slices.Equal(got, []uint64{1, 2, 4, 5}) || f.Gaps() != nil {
		t.Errorf("read %v, gaps %v", got, f.Gaps())
	}
}

// flipBit changes a bit within the i-th message of a stream's only block.
func flipBit(t *testing.T, store, stream string, i int) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(store, "jetstream/*/streams", stream, "msgs/*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	block, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for range i {
		at += int(binary.LittleEndian.Uint32(block[at:]) &^ (1 << 31))
	}
	block[at+150] ^= 1
	if err := os.WriteFile(blocks[0], block, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedCopyLeads: three real servers, of which the one that leads KEYS has a flipped
// bit in two messages, one of them its last. Everybody reads all of it, also who is connected
// to that server, and says which server it is.
func TestDamagedCopyLeads(t *testing.T) {
	c := natscluster.Start(t, 3)
	b := admin(t, c)
	const n = 20
	for i := range n {
		if _, err := b.Publish(testContext(t), dealSubject(fmt.Sprintf("%032x", i), 0), make([]byte, 300), nil); err != nil {
			t.Fatal(err)
		}
	}
	damaged := c.Named(leaderOf(t, b, Keys))
	c.Restart(damaged, func(store string) {
		flipBit(t, store, b.names.stream(Keys), 4)
		flipBit(t, store, b.names.stream(Keys), n-1)
	})
	name := fmt.Sprint("s", damaged)
	eventually(t, "the damaged copy leads", func() error {
		have, err := b.info(testContext(t), Keys)
		if err == nil && have.leader != name {
			err = fmt.Errorf("%s leads", have.leader)
			step := fmt.Sprintf(`{"placement":{"preferred":%q}}`, name)
			var answer struct{}
			_ = b.Ask(testContext(t), "$JS.API.STREAM.LEADER.STEPDOWN."+b.names.stream(Keys), []byte(step), &answer)
			time.Sleep(200 * time.Millisecond)
		}
		return err
	})
	var log logSink
	reader := connectTest(t, c.URL(damaged), func(o *Options) { o.Logger = log.logger() })
	var got collector
	f, err := reader.Follow(testContext(t), Keys, 1, got.options())
	if err != nil {
		t.Fatal(err)
	}
	got.inOrder(t, n)
	if unread, _ := Unread(f.Gaps()); unread != 0 {
		t.Errorf("gaps %v", f.Gaps())
	}
	state, err := reader.KeysState(testContext(t))
	t.Logf("gaps %v, as the server knows %+v, %v", f.Gaps(), state, err)
	if len(f.Gaps()) > 0 && !strings.Contains(log.String(), "leader="+name) {
		t.Errorf("log: %s", log.String())
	}
}

// admin is a connection to a cluster, with the fleet's streams on all its servers.
func admin(t *testing.T, c *natscluster.Cluster) (b *Bus) {
	t.Helper()
	eventually(t, "a cluster", func() (err error) {
		if b == nil {
			ctx, cancel := context.WithTimeout(testContext(t), 10*time.Second)
			defer cancel()
			opt := Options{Fleet: "main", URL: c.URL(0) + "," + c.URL(1) + "," + c.URL(2), Replicas: 3}
			if b, err = Connect(ctx, opt); err != nil {
				return err
			}
			t.Cleanup(func() { _ = b.Close(context.Background()) })
		}
		return b.Apply(testContext(t))
	})
	return b
}

func leaderOf(t *testing.T, b *Bus, stream Stream) (name string) {
	t.Helper()
	eventually(t, "a leader", func() error {
		i, err := b.info(testContext(t), stream)
		if name = i.leader; err == nil && name == "" {
			err = errors.New("none yet")
		}
		return err
	})
	return name
}
