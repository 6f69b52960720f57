package natsconn

import (
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestGroupOneSubjectTwice: two results under one subject may come in one batch. One of them is
// stored, whose writer is told its place, and the other one's is told that the place is taken.
func TestGroupOneSubjectTwice(t *testing.T) {
	t.Parallel()
	f := newGroupTest(t, true, nil)
	f.g.mu.Lock()
	f.g.under += atOnce
	f.g.mu.Unlock()
	got := make([]outcome, 2*leastBatch)
	var done sync.WaitGroup
	for i := range got {
		done.Go(func() {
			name := "even"
			if i%2 == 1 {
				name = string(rune('A' + i))
			}
			m := &nats.Msg{Subject: "x." + name, Data: []byte(name), Header: nats.Header{"A": {name}}}
			got[i].seq, got[i].err = f.g.Store(f.Context(), m)
		})
	}
	eventually(t, "all wait", func() bool {
		f.g.mu.Lock()
		defer f.g.mu.Unlock()
		return len(f.g.waiting) == len(got)
	})
	f.g.end(atOnce)
	done.Wait()
	all, batched := f.stored()
	stored := 0
	for i, o := range got {
		switch {
		case i%2 == 1 && (o.err != nil || all[o.seq] != string(rune('A'+i))):
			t.Errorf("message %d: sequence %d, which is %q: %v", i, o.seq, all[o.seq], o.err)
		case i%2 == 0 && o.err == nil:
			if stored++; all[o.seq] != "even" {
				t.Errorf("message %d: sequence %d, which is %q", i, o.seq, all[o.seq])
			}
		}
	}
	if stored != 1 || batched != 0 || len(all) != leastBatch+1 {
		t.Errorf("%d of one subject are stored, %d in batches, %d in all", stored, batched, len(all))
	}
}
