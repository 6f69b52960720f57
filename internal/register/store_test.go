package register_test

import (
	"context"
	"errors"
	"sync"
	"testing"

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
		t.Errorf("%d subjects, %d heads, %d messages under a deal's subject", len(s.log), len(s.log[head]), len(s.log[deal]))
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
