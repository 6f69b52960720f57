package gateway

import (
	"slices"
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
