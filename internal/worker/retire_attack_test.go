package worker

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// TestRetireBeforeAnEntryIsWritten: a batch that all nodes certified becomes keys once a gateway
// writes its entry, also after that: its shares are needed.
func TestRetireBeforeAnEntryIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := gateway.New(gateway.Config{
		Manifest: w.Manifest, Access: w.Access, Name: machinetest.Gateway, Key: w.GatewayKey, Bus: w.Bus,
		Observe: &machinetest.Observer{}, Log: slog.New(slog.DiscardHandler),
	})
	running := machinetest.Run(t, g.Run)
	node, r := w.startNode()
	w.blockCertificates(func(context.Context) error { return errDevice })
	w.publish(machinetest.Keygen())
	w.stored(node)
	pending, err := node.store.Pending()
	if err != nil {
		t.Fatal(err)
	}
	running.Stop()
	w.Provider.SetFault(nil)
	slot := wire.Slot{Kind: wire.SlotCert, ID: pending[0].Batch, Node: 0}
	eventually(t, "the node certifies", func() bool {
		_, there, err := w.Bus.Last(t.Context(), bus.RoundsOf(0), slot.String())
		return err == nil && there
	})
	l := w.succeeds(w.next())
	r.Stop()
	found, err := Survey(t.Context(), w.Bus, l, w.Access, w.Storage, w.Manifest.Nodes[0].Identity, w.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	if refused := found.Refused(); !errors.Is(refused, ErrNeeded) {
		t.Errorf("a batch that all nodes certified may be wiped: %v, %+v", refused, found)
	}
}

// succeeds has the node approve a manifest, and everybody know it.
func (w *world) succeeds(next *wire.Manifest) *wire.Lineage {
	w.Helper()
	w.accept(next)
	kept, _, approval, err := ReadSuccessor(StorageOf(w.Storage, w.Manifest), w.Manifest)
	if err != nil {
		w.Fatal(err)
	}
	data := wire.Encode(&wire.Succession{
		Version: wire.SuccessionVersion, Manifest: kept.Manifest, Approvals: []wire.SuccessorApproval{*approval},
	})
	l := wire.NewLineage(w.Manifest)
	if err := register.StoreSuccession(w.Context(), w.Bus, l, data); err != nil {
		w.Fatal(err)
	}
	if l, err = l.WithSuccession(data); err != nil {
		w.Fatal(err)
	}
	return l
}
