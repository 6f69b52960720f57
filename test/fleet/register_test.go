package fleet_test

import (
	"bytes"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// All data of NATS is lost, and all nodes' disks but one. That node's storage gives
// the register back, and the register gives every node its shares.
func TestRegisterLostAndOneDiskLeft(t *testing.T) {
	f := fleettest.Start(t, fleettest.Options{})
	r := newRaw(t, f)
	keys := append(r.keygen(f, "solana", 1200), r.keygen(f, "bitcoin", 3)...)
	f.Stop()
	var file bytes.Buffer
	w, err := register.NewWriter(&file, wire.NewLineage(f.Manifest))
	if err != nil {
		t.Fatal(err)
	}
	failed := func(err error) { t.Error(err) }
	sum, err := register.ReadStorage(f.NodeConfig(1).Node.StoragePath, f.Manifest, f.Manifest, w.Write, failed)
	if err != nil || sum != (register.Summary{Entries: 3, Compact: 3, Keys: len(keys)}) {
		t.Fatalf("%+v, %v", sum, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.WipeNode(0)
	f.WipeNode(2)
	b := f.Bus()
	for _, d := range b.Declared() {
		if err := b.Conn().JS.DeleteStream(t.Context(), d.Name); err != nil {
			t.Fatal(err)
		}
	}
	machinetest.Eventually(t, "the streams are made again", func() bool { // their files may not be away yet
		return b.Apply(t.Context()) == nil
	})
	for range 2 { // the second time it finds everything there
		sum, err = register.ReadFile(bytes.NewReader(file.Bytes()), wire.NewLineage(f.Manifest), register.Reading{
			Entry:   func(e *register.Entry) error { return register.Store(t.Context(), b, f.Manifest, e, nil) },
			Dropped: failed,
		})
		if err != nil || sum.Entries != 3 {
			t.Fatalf("%+v, %v", sum, err)
		}
	}
	heads := 0
	messages, err := b.Slots(t.Context(), bus.Keys, "entry.>")
	for _, m := range messages {
		if _, head := wire.IsEntry(m.Subject); head {
			heads++
		}
	}
	if err != nil || heads != 3 || len(messages) != 3*(1+f.Manifest.N) {
		t.Fatalf("KEYS has %d messages, %d heads, %v", len(messages), heads, err)
	}
	f.StartGateway()
	for i := range f.Manifest.N {
		f.StartNode(i)
	}
	f.StopNode(1) // the ones that lost everything sign
	r = newRaw(t, f)
	r.mustSign([]wire.Key{keys[0], keys[1199]})
	r.mustSign(keys[1200:])

	inKeys, err := register.Read(t.Context(), b, f.Manifest, func(*register.Entry) error { return nil })
	if err != nil || inKeys != sum {
		t.Errorf("KEYS has %+v, the file %+v, %v", inKeys, sum, err)
	}
}
