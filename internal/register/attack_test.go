package register_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/holdertest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

func storeAll(t *testing.T, f *wiretest.Fleet, b *bus.Bus, all []*register.Entry) {
	t.Helper()
	for _, e := range all {
		if err := register.Store(t.Context(), b, f.Manifest, e, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func quiet(f *wiretest.Fleet, b *bus.Bus, dir string) *register.Compaction {
	return &register.Compaction{
		Dir: dir, Bus: b, Lineage: wire.NewLineage(f.Manifest), Tell: func(string) {}, Entry: func(*register.Entry) {},
	}
}

// A manifest under which nothing in KEYS verifies is another fleet's: compacting with it
// would leave nothing.
func TestCompactWithAnotherManifest(t *testing.T) {
	defer register.ListenFor(10 * time.Millisecond)()
	f, b, a := onBus(t)
	storeAll(t, f, b, holdertest.Entries(t, f, 2))
	other := wiretest.New(t, 2, 3, nil) // of the same name
	if sum, err := quiet(other, b, t.TempDir()).Run(t.Context(), a); !errors.Is(err, register.ErrForeign) {
		t.Errorf("KEYS was made anew with %d entries, %v", sum.Entries, err)
	}
	if ids, _ := inKeys(t, f, b); len(ids) != 2 {
		t.Errorf("KEYS has %v", ids)
	}
	storeAll(t, f, b, holdertest.Entries(t, other, 1))
	c := quiet(f, b, t.TempDir())
	if _, err := c.Run(t.Context(), a); !errors.Is(err, register.ErrForeign) {
		t.Errorf("one entry of another manifest: %v", err)
	}
	c.Foreign = true
	if sum, err := c.Run(t.Context(), a); err != nil || sum.Entries != 2 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// If the fleet ran before an interrupted compaction goes on, KEYS has more than the file.
func TestCompactGoesOnAfterTheFleetRan(t *testing.T) {
	defer register.ListenFor(10 * time.Millisecond)()
	f, b, a := onBus(t)
	all := holdertest.Entries(t, f, 3)
	storeAll(t, f, b, all[:2])
	dir := t.TempDir()
	c := quiet(f, b, dir)
	c.EndAt(func(step string) error {
		if step == "import" {
			return errKilled
		}
		return nil
	})
	if _, err := c.Run(t.Context(), a); err == nil {
		t.Fatal("it was not killed")
	}
	storeAll(t, f, b, all[2:])
	if _, err := quiet(f, b, dir).Run(t.Context(), a); err != nil {
		t.Error(err)
	}
	if ids, _ := inKeys(t, f, b); len(ids) != 3 {
		t.Errorf("KEYS has %v", ids)
	}
}

// While a node's answers are being read, however many and however slowly, those of
// others are heard.
func TestEachNodeIsHeard(t *testing.T) {
	f, b, _ := onBus(t)
	reading, read := make(chan struct{}), make(chan struct{})
	var called atomic.Bool
	a, err := register.NewAsker(b, f.Manifest, func() *wire.Access {
		if called.CompareAndSwap(false, true) {
			close(reading)
			<-read
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	holdertest.Start(t, f, b, 0, nil)
	holdertest.Start(t, f, b, 2, nil)
	answered := make(chan error, 1)
	go func() { _, err := a.Ask(t.Context(), 0, wire.Ask{Kind: wire.AskDigests}); answered <- err }()
	<-reading
	if _, err := a.Ask(t.Context(), 2, wire.Ask{Kind: wire.AskDigests}); err != nil {
		t.Error("another node is not heard: ", err)
	}
	close(read)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// A batch with another valid entry in KEYS ends no refill: the others come back.
func TestRefillBesideAConflict(t *testing.T) {
	f, b, a := onBus(t)
	all := holdertest.Entries(t, f, 8)
	storeAll(t, f, b, all[:1])
	var deals [][]byte
	for node := range f.Manifest.N {
		deals = append(deals, append(f.Deal(all[0].Header, 60), byte(node)))
	}
	second, err := register.NewEntry(f.Manifest, f.Entry(all[0].Header, deals), deals)
	if err != nil || second.ID != all[0].ID {
		t.Fatal(err)
	}
	holdertest.Start(t, f, b, 1, append(all[1:], second))
	sum, err := register.Refill(t.Context(), b, f.Manifest, []*register.Asker{a}, func(int, int, *register.Entry, error) {})
	if err != nil || sum.Restored != 7 || sum.Refused != 1 || sum.Unproven != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
}
