package register_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// slots are subjects with what stands under them, filled as bus.PublishSlot does.
type slots struct {
	mu  sync.Mutex
	log map[string][][]byte
}

func (s *slots) PublishSlot(_ context.Context, subject string, data []byte, _ map[string][]string,
	isValue func(bus.Message) bool) (found bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, standing := range s.log[subject] {
		if isValue(bus.Message{Subject: subject, Data: standing}) {
			return true, nil
		}
	}
	s.log[subject] = append(s.log[subject], data)
	return false, nil
}

func (s *slots) Publish(_ context.Context, subject string, data []byte, _ map[string][]string) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log[subject] = append(s.log[subject], data)
	return 1, nil
}

// contested are slots in which somebody's junk is always a message ahead; or a server
// that does not answer, where there is no junk.
type contested struct {
	slots
	junk bool
}

func (s *contested) PublishSlot(ctx context.Context, subject string, _ []byte, _ map[string][]string,
	isValue func(bus.Message) bool) (bool, error) {
	for s.junk {
		if isValue(bus.Message{Subject: subject, Data: []byte("junk")}) {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	<-ctx.Done()
	return false, ctx.Err()
}

// A gateway that floods an entry's subjects does not keep another one from writing it.
func TestStoreBesideAFlood(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	e := entries(t, f, 1)[0]
	synctest.Test(t, func(t *testing.T) {
		s := &contested{slots{log: map[string][][]byte{}}, true}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := register.Store(ctx, s, f.Manifest, e, nil); err != nil || len(s.log) != 4 {
			t.Errorf("%d messages stored, %v", len(s.log), err)
		}
		silent := &contested{slots{log: map[string][][]byte{}}, false}
		err := register.Store(ctx, silent, f.Manifest, e, nil)
		if !errors.Is(err, context.DeadlineExceeded) || len(silent.log) != 0 {
			t.Errorf("without an answer: %d messages stored, %v", len(silent.log), err)
		}
	})
}

// An entry is stored behind the junk under its subjects, once, and not beside another
// valid entry of its batch: its deals would be nobody's.
func TestStore(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	all := entries(t, f, 2)
	e := all[0]
	head, deal := wire.EntryHeadSubject(e.ID, 0), wire.EntryDealSubject(e.ID, 0, 1)
	s := &slots{log: map[string][][]byte{head: {[]byte("junk"), all[1].Head}, deal: {[]byte("junk"), e.Deals[0]}}}
	for range 2 {
		if err := register.Store(t.Context(), s, f.Manifest, e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.log) != 4 || len(s.log[head]) != 3 || len(s.log[deal]) != 3 {
		t.Errorf("%d subjects, %d heads, %d messages of a deal", len(s.log), len(s.log[head]), len(s.log[deal]))
	}
	var deals [][]byte
	for i := range e.Deals {
		deals = append(deals, append(f.Deal(e.Header, 60), byte(i)))
	}
	rival, err := register.NewEntry(f.Manifest, f.Entry(e.Header, deals), deals)
	if err != nil {
		t.Fatal(err)
	}
	if err := register.Store(t.Context(), s, f.Manifest, rival, nil); !errors.Is(err, register.ErrConflict) {
		t.Errorf("beside another entry: %v", err)
	}
	if len(s.log[deal]) != 3 {
		t.Error("its deals are written all the same")
	}
}
