package machine

import (
	"reflect"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// picky is a script that opens what a test says.
type picky struct {
	script
	opens wire.SlotKind
}

func (p *picky) Opens(slot wire.Slot, _ int) bool { return slot.Kind == p.opens }

// TestReadBeforeTheStep: a message of a round is read before the machine's step if the machine
// would open it, and costs nothing otherwise.
func TestReadBeforeTheStep(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	b := newBench(t)
	r := New(Config[*picky]{
		Machine: &picky{opens: wire.SlotCommit}, Log: b.config.Log, Manifest: f.Manifest,
		Observe: func(protocol.Report) {},
	})
	for _, kind := range []wire.SlotKind{wire.SlotCommit, wire.SlotShare, wire.SlotDeal} {
		slot := wire.Slot{Kind: kind, ID: wire.ShortID([32]byte{1}), Node: 1}
		m := bus.Message{Subject: slot.String(), Seq: 1, Time: wiretest.Start, Data: f.Seal(slot, []byte("body"))}
		unread := LogMessage(m)
		read := wire.NewReader().Read(f.Manifest, unread)
		if reflect.DeepEqual(read, unread) {
			t.Fatal("a reader reads nothing")
		}
		want, stream := unread, bus.Sign
		if kind == wire.SlotCommit {
			want = read
		}
		if kind == wire.SlotDeal {
			stream = bus.RoundsOf(1)
		}
		r.Read(stream, m)
		var got wire.LogMessage
		switch e := r.machine.seen[len(r.machine.seen)-1].(type) {
		case protocol.SignMessage:
			got = e.LogMessage
		case protocol.RoundsMessage:
			got = e.LogMessage
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v: read %v", kind, reflect.DeepEqual(got, read))
		}
	}
}
