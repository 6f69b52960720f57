package gateway

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// keys is what KEYS holds of entries.
func (w *world) keys() []bus.Message {
	w.Helper()
	messages, err := w.Bus.Slots(w.Context(), bus.Keys, "entry.>")
	if err != nil {
		w.Fatal(err)
	}
	return messages
}

// head is the entry of the one batch that KEYS holds.
func (w *world) head() *wire.Entry {
	w.Helper()
	for _, m := range w.keys() {
		if e, err := wire.VerifyEntry(m.Data, w.Manifest); err == nil {
			return e
		}
	}
	w.Fatal("KEYS has no entry")
	return nil
}

// TestEntryIsStored: when a key is announced KEYS has all of its entry, and a gateway
// that reads nothing else knows the key.
func TestEntryIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stop := w.start()
	w.startNode()
	job, id := w.newJob(time.Minute)
	w.Publish(job)
	result := w.Result(id)
	messages, e := w.keys(), w.head()
	if len(messages) != 1+w.Manifest.N || e.ID != result.Batches[0].ID ||
		messages[0].Subject != wire.EntryHeadSubject(e.ID, 0) || e.VerifyDeal(0, messages[1].Data) != nil {
		t.Fatalf("KEYS has %d messages, the first on %s", len(messages), messages[0].Subject)
	}
	stop()
	g, _ := w.start()
	eventually(t, "the directory has the key", func() bool { _, keys := g.Stats(); return keys == 1 })
}

// TestEntryOverJunk: junk, and valid messages in the wrong place, stand under an
// entry's subjects. It is stored behind them, and a second time nothing is.
func TestEntryOverJunk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stop := w.start()
	stopNode := w.startNode()
	job, id := w.newJob(time.Minute)
	w.Publish(job)
	w.Result(id)
	stop()
	stopNode() // one that runs ends when it sees that KEYS is another stream
	messages := w.keys()
	e := w.head()
	admin := w.Bus.Conn().JS
	name := ""
	for _, d := range w.Bus.Declared() {
		if d.Stream == bus.Keys {
			name = d.Name
		}
	}
	if err := admin.DeleteStream(w.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := w.Bus.Apply(w.Context()); err != nil {
		t.Fatal(err)
	}
	for _, junk := range [][2]string{
		{messages[0].Subject, "junk"}, {messages[0].Subject, string(messages[1].Data)},
		{messages[1].Subject, string(messages[0].Data)}, {messages[1].Subject, ""},
	} {
		if _, err := w.Bus.Publish(w.Context(), junk[0], []byte(junk[1]), nil); err != nil {
			t.Fatal(err)
		}
	}
	entry, err := register.NewEntry(w.Manifest, messages[0].Data, [][]byte{messages[1].Data})
	if err != nil || entry.ID != e.ID {
		t.Fatal(err)
	}
	for range 2 {
		if err := register.Store(w.Context(), w.Bus, w.Manifest, entry, nil); err != nil {
			t.Fatal(err)
		}
		if got := len(w.keys()); got != 6 {
			t.Errorf("KEYS has %d messages, want four of junk and the entry's two", got)
		}
	}
	again, _ := w.start()
	eventually(t, "the directory has the key", func() bool { _, keys := again.Stats(); return keys == 1 })
	if n := w.Lines.Count("bad_entry"); n != 2 {
		t.Errorf("%d messages are reported as junk, want the two under the head's subject", n)
	}
}
