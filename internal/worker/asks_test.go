package worker

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// TestAskersTakeTurns: who floods a node with questions waits for itself, whatever it
// calls itself and whatever it copies. A gateway that signs, and the administrator, have
// their turn next.
func TestAskersTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker, _ := w.startNode()
	var asks asks
	subject, number := w.Manifest.AskSubject(0), uint64(time.Now().UnixNano())
	ask := func(replyTo string) *wire.Ask {
		number++
		return &wire.Ask{Version: wire.HoldingsVersion, Kind: wire.AskDigests, Number: number, ReplyTo: replyTo}
	}
	signed := func(a *wire.Ask) []byte {
		return wire.SealGateway(w.GatewayKey, machinetest.Gateway, w.Manifest, subject, wire.Encode(a))
	}
	next := func() string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), machinetest.WaitLimit)
		defer cancel()
		a := asks.next(ctx)
		if a == nil {
			t.Fatal("no question")
		}
		return a.ReplyTo
	}
	old := signed(ask("copied"))
	worker.hear(&asks, subject, old)
	if next() != "copied" {
		t.Error("the question is lost")
	}
	forged := wire.SealGateway(w.ClientKey, machinetest.Gateway, w.Manifest, subject, wire.Encode(ask("forged")))
	elsewhere := wire.SealGateway(w.GatewayKey, machinetest.Gateway, w.Manifest, "ask.1", wire.Encode(ask("elsewhere")))
	for i := range 20 * maxAsks {
		flood := ask(hex.EncodeToString(fmt.Appendf(nil, "%8d", i)))
		for _, data := range [][]byte{wire.Encode(flood), old, forged, elsewhere} {
			worker.hear(&asks, subject, data)
		}
	}
	for range 3 { // and it stays so
		worker.hear(&asks, subject, signed(ask("gateway")))
		worker.hearAdministrator(&asks, wire.Encode(ask("administrator")))
		got := map[string]bool{next(): true, next(): true, next(): true}
		if !got["gateway"] || !got["administrator"] || got["forged"] || got["elsewhere"] {
			t.Errorf("answered: %v", got)
		}
	}
	if n := len(asks.waiting[askLane{}]); n != maxAsks-3 {
		t.Errorf("%d questions of nobody wait", n)
	}
	for range 2 * maxAsks {
		worker.hear(&asks, subject, signed(ask("loop")))
	}
	if n := len(asks.waiting[askLane{gateway: machinetest.Gateway}]); n != maxAsks {
		t.Errorf("%d questions of a gateway wait", n)
	}
}

// TestCopiedQuestions: a copy of a gateway's question takes none of its turns, however
// old it is and however many it asked since. One whose clock is wrong is nobody known.
func TestCopiedQuestions(t *testing.T) {
	t.Parallel()
	var a asks
	now := time.Now()
	first := uint64(now.UnixNano())
	for i := range uint64(3 * maxSeen) {
		if !a.isNew("g", first+i, now) {
			t.Fatalf("question %d is none", i)
		}
		if a.isNew("g", first+i, now) || a.isNew("g", first+i/2, now) || a.isNew("g", first, now) {
			t.Fatalf("a copy counts after %d questions", i)
		}
		if n := len(a.seen["g"].numbers); n > maxSeen {
			t.Fatalf("%d numbers are remembered", n)
		}
	}
	if !a.isNew("h", first, now) {
		t.Error("another gateway's numbers count")
	}
	for name, at := range map[string]time.Duration{
		"long ago": -wire.ClockSkew - time.Second, "far ahead": wire.ClockSkew + time.Second,
	} {
		if a.isNew("i", uint64(now.Add(at).UnixNano()), now) {
			t.Errorf("a question of %s counts", name)
		}
	}
}
