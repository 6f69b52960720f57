package bus

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/freeport"
)

// The server is killed and started again, over and over, while several
// followers read and a writer goes on.
func TestFollowAndPublishThroughRestarts(t *testing.T) {
	dir, port := t.TempDir(), freeport.New(t)
	s := startTest(t, dir, port)
	b := connectTest(t, s.URL(), func(o *Options) { o.AckTimeout = 2 * time.Second })
	reader := connectTest(t, s.URL())
	if err := b.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	var early collector
	if _, err := reader.Follow(testContext(t), Keys, 0, early.options()); err != nil {
		t.Fatal(err)
	}

	const n = 300
	var written atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			subject := dealSubject(fmt.Sprintf("%032x", i), 0)
			mine := fmt.Append(nil, i)
			isMine := func(m Message) bool { return bytes.Equal(m.Data, mine) }
			if _, err := b.PublishSlot(testContext(t), subject, mine, nil, isMine); err != nil {
				t.Errorf("slot %d: %v", i, err)
				return
			}
			written.Add(1)
		}
	})
	for _, at := range []int64{50, 120, 200} {
		eventually(t, "writing", func() error {
			if w := written.Load(); w < at {
				return fmt.Errorf("%d of %d written", w, at)
			}
			return nil
		})
		s.Shutdown()
		time.Sleep(50 * time.Millisecond)
		s = startTest(t, dir, port)
	}
	wg.Wait()
	got := early.waitFor(t, n)
	checkGapless(t, got, 1) // also: no slot was written twice
	if _, caught, lost := early.seen(); len(lost) != 0 || len(caught) != 1 {
		t.Errorf("lost %v, caught up %v", lost, caught)
	}
	var late collector
	if _, err := reader.Follow(testContext(t), Keys, 0, late.options()); err != nil {
		t.Fatal(err)
	}
	late.waitFor(t, n)
}
