package gateway

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestRegisterRefillsItself: KEYS is deleted and made anew, and the node that holds the
// batch brings it back by itself. A job that asks for its key meanwhile waits.
func TestRegisterRefillsItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, stop := w.start()
	stopNode := w.startNode()
	job, id := w.newJob(time.Minute)
	w.Publish(job)
	key := w.Result(id).Keys[0].ID
	before := w.keys()
	stop()
	stopNode()
	if err := w.Bus.Conn().JS.DeleteStream(w.Context(), "FROST_TEST_KEYS"); err != nil {
		t.Fatal(err)
	}
	if err := w.Bus.Apply(w.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.keys()) != 0 {
		t.Fatal("KEYS was not lost")
	}
	g, _ := w.start()
	items := []wire.JobItem{{Key: key, Message: []byte("m")}}
	sign, signID := w.Job(wire.Job{Kind: wire.KindSign, Items: items}, time.Minute)
	w.startNode()
	w.Publish(sign)
	if r := w.Result(signID); r.Status != wire.StatusDone {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
	eventually(t, "the register is as it was", func() bool {
		return slices.EqualFunc(w.keys(), before, func(a, b bus.Message) bool { return a.Subject == b.Subject })
	})
	eventually(t, "the gateway has compared it", func() bool {
		r := g.Register()
		return r.Missing == 0 && len(r.Waiting) == 0
	})
	if !w.Seen.Reported(protocol.ReportRestored) {
		t.Error("nothing is said of it")
	}
}

// TestGapIsHealed: the only copy of KEYS loses an entry's head, or one of its deals. A gateway
// that starts says so, has a node bring the entry back, and signs.
func TestGapIsHealed(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"head", "deal"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			js := w.Bus.Conn().JS
			stream, err := js.Stream(t.Context(), "FROST_TEST_KEYS")
			if err != nil {
				t.Fatal(err)
			}
			config := stream.CachedInfo().Config
			config.DenyDelete = false // so that the test can damage it
			if err := js.DeleteStream(t.Context(), config.Name); err != nil {
				t.Fatal(err)
			}
			if stream, err = js.CreateStream(t.Context(), config); err != nil {
				t.Fatal(err)
			}
			_, stop := w.start()
			stopNode := w.startNode()
			job, id := w.newJob(time.Minute)
			w.Publish(job)
			key := w.Result(id).Keys[0].ID
			later, laterID := w.newJob(time.Minute) // so that something comes after the gap
			w.Publish(later)
			w.Result(laterID)
			stop()
			stopNode()
			before := w.keys()
			lost := slices.IndexFunc(before, func(m bus.Message) bool { return strings.Contains(m.Subject, part) })
			if err := stream.DeleteMsg(t.Context(), before[lost].Seq); err != nil {
				t.Fatal(err)
			}
			g, _ := w.start()
			w.startNode()
			items := []wire.JobItem{{Key: key, Message: []byte("m")}}
			sign, signID := w.Job(wire.Job{Kind: wire.KindSign, Items: items}, time.Minute)
			w.Publish(sign)
			if r := w.Result(signID); r.Status != wire.StatusDone {
				t.Errorf("%s: %s", r.Code, r.Error)
			}
			if after := w.keys(); len(after) != len(before) {
				t.Errorf("KEYS has %d messages, and had %d", len(after), len(before))
			}
			if gaps := g.run.Keys().Gaps(); len(gaps) != 1 || gaps[0].First != before[lost].Seq {
				t.Errorf("the gateway knows of gaps %v", gaps)
			}
		})
	}
}
