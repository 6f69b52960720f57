// Package holdertest is a node that does nothing but say what it holds of the register,
// over the bus, for tests.
package holdertest

import (
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// Entries makes n entries of a fleet.
func Entries(t testing.TB, f *wiretest.Fleet, n int) (all []*register.Entry) {
	t.Helper()
	for i := range n {
		h := wire.BatchHeader{Client: "alice", Digest: [32]byte{byte(i), byte(i >> 8)}, Suite: 1, K: 2}
		var deals [][]byte
		for node := range f.Manifest.N {
			deals = append(deals, append(f.Deal(h, 50), byte(node)))
		}
		e, err := register.NewEntry(f.Manifest, f.Entry(h, deals), deals)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// Start runs a node that holds entries, until stop or the test's end. It claims fakes as
// well.
func Start(
	t testing.TB, f *wiretest.Fleet, b *bus.Bus, node int, all []*register.Entry, fakes ...wire.Holding,
) (stop func()) {
	t.Helper()
	key := f.NewSession(node, time.Now())
	entries, set := map[string]*register.Entry{}, &board.Holdings{}
	for _, e := range all {
		entries[e.ID] = e
		set.Add(wire.NewHolding(e.ID, e.Transcript))
	}
	for _, fake := range fakes {
		set.Add(fake)
	}
	l, err := b.Listen(f.Manifest.AskSubject(node), func(_ string, data []byte) {
		ask, err := wire.DecodeAsk(data)
		if err != nil { // a gateway's
			ask, err = wire.DecodeAsk(wire.UnverifiedBody(data))
		}
		if err != nil {
			t.Error(err)
			return
		}
		held := set.Answer(ask)
		if held == nil {
			held = &wire.Held{Version: wire.HoldingsVersion, Kind: ask.Kind, Number: ask.Number}
			if e := entries[ask.Holding.ID()]; e != nil && ask.Kind == wire.AskHead {
				held.Data = e.Head
			} else if e != nil {
				held.Data = e.Deals[ask.Deal]
			}
		}
		subject := wire.HeldSubject(ask.ReplyTo, node)
		_ = b.Tell(subject, key.Seal(f.Manifest, subject, wire.Encode(held)))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Stop)
	return l.Stop
}

// Later makes entries that follow others of the fleet: their keys have moved to the nodes of
// next, as that generation, in slices of so many keys.
func Later(
	t testing.TB, f, next *wiretest.Fleet, generation, perSlice uint32, known wire.ManifestSet, before []*register.Entry,
) (all []*register.Entry) {
	t.Helper()
	for _, e := range before {
		r := f.Reshare(e.Entry, next.Manifest, generation)
		r.PerSlice = perSlice
		deals := wiretest.ReshareDeals(r, 50)
		later, err := register.NewEntry(known, next.Later(r, e.Keys, deals), deals)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, later)
	}
	return all
}
