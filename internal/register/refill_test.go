package register_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/holdertest"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// onBus is a fleet with its streams on a server.
func onBus(t *testing.T) (*wiretest.Fleet, *bus.Bus, *register.Asker) {
	t.Helper()
	f := wiretest.New(t, 2, 3, nil)
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir(), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	b, err := bus.Connect(t.Context(), bus.Options{Fleet: f.Manifest.Fleet, Nodes: 3, URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(t.Context()) })
	if err := b.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, err := register.NewAsker(b, f.Manifest, func() *wire.Access { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return f, b, a
}

func inKeys(t *testing.T, f *wiretest.Fleet, b *bus.Bus) (ids []string, sum register.Summary) {
	t.Helper()
	sum, err := register.Read(t.Context(), b, f.Manifest, func(e *register.Entry) error {
		ids = append(ids, e.ID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids, sum
}

// One node's copy fills KEYS, beside one that claims what it has not and one that is
// away. The second time nothing is left to do.
func TestRefill(t *testing.T) {
	f, b, a := onBus(t)
	all := holdertest.Entries(t, f, 20)
	if err := register.Store(t.Context(), b, f.Manifest, all[0], nil); err != nil {
		t.Fatal(err)
	}
	other := wire.NewHolding(all[1].ID, [32]byte{9})
	holdertest.Start(t, f, b, 0, all[:2], other, wire.Holding{1, 1})
	holdertest.Start(t, f, b, 2, all)
	tell := func(int, int, *register.Entry, error) {}
	sum, err := register.Refill(t.Context(), b, f.Manifest, []*register.Asker{a}, tell)
	if err != nil || sum.Before.Entries != 1 || sum.Restored != 19 || sum.Keys != 38 || sum.Unproven != 2 ||
		sum.Nodes[0].Batches != 4 || sum.Nodes[1].Error == "" || sum.Nodes[2].Batches != 20 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if sum, err = register.Refill(t.Context(), b, f.Manifest, []*register.Asker{a}, tell); err != nil || sum.Restored != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
	if _, sum := inKeys(t, f, b); sum.Entries != 20 || sum.Dropped != 0 {
		t.Errorf("KEYS has %+v", sum)
	}
}

// An Asker takes no answer that another node, or nobody of the fleet, made.
func TestForgedAnswers(t *testing.T) {
	f, b, a := onBus(t)
	forger := wiretest.New(t, 2, 3, nil)
	holdertest.Start(t, forger, b, 0, nil, wire.Holding{1, 1})
	_, err := a.Ask(t.Context(), 0, wire.Ask{Kind: wire.AskDigests})
	if !errors.Is(err, register.ErrNoAnswer) {
		t.Error(err)
	}
	if _, err := a.Ask(t.Context(), 1, wire.Ask{Kind: wire.AskDigests}); !errors.Is(err, bus.ErrNobody) {
		t.Errorf("node 1 is not there: %v", err)
	}
	holdertest.Start(t, f, b, 0, nil, wire.Holding{1, 1})
	if held, err := a.Ask(t.Context(), 0, wire.Ask{Kind: wire.AskDigests}); err != nil || held.Count != 1 {
		t.Error(held, err)
	}
}

var errKilled = errors.New("killed")

// A compaction that ends at any step goes on, and comes to the same: KEYS has what it
// had, without junk, and the file has it too.
func TestCompact(t *testing.T) {
	defer register.ListenFor(10 * time.Millisecond)()
	steps := []string{"export", "verify the export", "delete KEYS", "create KEYS", "import", "verify KEYS", ""}
	for _, at := range steps {
		t.Run("killed at "+at, func(t *testing.T) {
			f, b, a := onBus(t)
			dir := t.TempDir()
			for i, e := range holdertest.Entries(t, f, 5) {
				if err := register.Store(t.Context(), b, f.Manifest, e, nil); err != nil {
					t.Fatal(err)
				}
				if _, err := b.Publish(t.Context(), wire.EntryHeadSubject("x", uint32(i)), []byte("junk"), nil); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := inKeys(t, f, b)
			var imported int
			c := &register.Compaction{
				Dir: dir, Bus: b, Lineage: wire.NewLineage(f.Manifest), Tell: func(string) {},
				Entry: func(*register.Entry) { imported++ },
			}
			c.EndAt(func(step string) error {
				if step == at {
					return errKilled
				}
				return nil
			})
			_, err := c.Run(t.Context(), a)
			if killed := errors.Is(err, errKilled); killed != (at != "") || !killed && err != nil {
				t.Fatal(err)
			}
			if at != "" {
				c.EndAt(nil)
				if sum, err := c.Run(t.Context(), a); err != nil || sum.Entries != 5 {
					t.Fatalf("%+v, %v", sum, err)
				}
			}
			after, sum := inKeys(t, f, b)
			if !slices.Equal(before, after) || sum.Dropped != 0 {
				t.Errorf("KEYS has %v, %+v; had %v", after, sum, before)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 || left[0].Name() != register.CompactFile {
				t.Errorf("left in the folder: %v, %v", left, err)
			}
		})
	}
}

// Nothing is deleted while a node answers, while heartbeats are published, when KEYS was
// written to after the export, or when the file is not what it was.
func TestCompactRefuses(t *testing.T) {
	defer register.ListenFor(50 * time.Millisecond)()
	f, b, a := onBus(t)
	all := holdertest.Entries(t, f, 3)
	for _, e := range all[:2] {
		if err := register.Store(t.Context(), b, f.Manifest, e, nil); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	compact := func(end func(string) error) error {
		c := &register.Compaction{
			Dir: dir, Bus: b, Lineage: wire.NewLineage(f.Manifest), Tell: func(string) {}, Entry: func(*register.Entry) {},
		}
		c.EndAt(end)
		_, err := c.Run(t.Context(), a)
		return err
	}
	untouched := func() {
		t.Helper()
		if ids, _ := inKeys(t, f, b); len(ids) < 2 {
			t.Fatalf("KEYS has %v", ids)
		}
	}
	stop := holdertest.Start(t, f, b, 1, nil)
	if err := compact(nil); !errors.Is(err, register.ErrInUse) {
		t.Errorf("a node answers: %v", err)
	}
	stop()
	beat := make(chan struct{})
	go func() {
		for {
			select {
			case <-beat:
				return
			case <-time.After(5 * time.Millisecond):
				_, _ = b.Publish(t.Context(), wire.GatewayPresence("g"), []byte("beat"), nil)
			}
		}
	}()
	if err := compact(nil); !errors.Is(err, register.ErrInUse) {
		t.Errorf("a gateway publishes heartbeats: %v", err)
	}
	close(beat)
	time.Sleep(20 * time.Millisecond)
	untouched()
	write := func(step string) error {
		if step == "delete KEYS" {
			t.Error("KEYS is deleted though it was written to")
		}
		return nil
	}
	if err := compact(func(step string) error {
		if step == "delete KEYS" {
			return errKilled
		}
		return nil
	}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if err := register.Store(t.Context(), b, f.Manifest, all[2], nil); err != nil {
		t.Fatal(err)
	}
	if err := compact(write); err == nil {
		t.Error("KEYS was written to after the export, and is made anew")
	}
	path := filepath.Join(dir, register.CompactFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := compact(write); err == nil {
		t.Error("a damaged file is imported")
	}
	untouched()
}
