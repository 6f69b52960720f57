package wire_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

func TestHolding(t *testing.T) {
	id, transcript := "ff"+strings.Repeat("0", 29)+"1", [32]byte{1, 31: 9}
	h := wire.NewHolding(id, transcript)
	if h.ID() != id || h.Bucket() != 255 || h[16] != 1 {
		t.Errorf("%x", h)
	}
	if h == wire.NewHolding(id, [32]byte{2}) {
		t.Error("another transcript is the same holding")
	}
	one, two := wire.BucketDigest(1, []wire.Holding{h}), wire.BucketDigest(2, []wire.Holding{h})
	if one == two || one == wire.BucketDigest(1, nil) {
		t.Error("digests repeat themselves")
	}
}

func TestAskRefused(t *testing.T) {
	good := wire.Ask{Version: 1, Kind: wire.AskDeal, Number: 7, ReplyTo: "abc", Deal: 3}
	if got, err := wire.DecodeAsk(wire.Encode(&good)); err != nil || *got != good {
		t.Fatal(got, err)
	}
	for name, change := range map[string]func(*wire.Ask){
		"a later format": func(a *wire.Ask) { a.Version = 2 }, "no kind": func(a *wire.Ask) { a.Kind = 0 },
		"a kind of its own": func(a *wire.Ask) { a.Kind = 5 }, "nobody asks": func(a *wire.Ask) { a.ReplyTo = "" },
		"a subject":       func(a *wire.Ask) { a.ReplyTo = "a.b" },
		"everybody":       func(a *wire.Ask) { a.ReplyTo = ">" },
		"a deal too many": func(a *wire.Ask) { a.Deal = wire.MaxDeals },
		"deal of a head":  func(a *wire.Ask) { a.Kind = wire.AskHead },
		"too long":        func(a *wire.Ask) { a.ReplyTo = strings.Repeat("a", 600) },
	} {
		a := good
		change(&a)
		if _, err := wire.DecodeAsk(wire.Encode(&a)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestHeldRefused(t *testing.T) {
	h := wire.Holding{1}
	descending := append(bytes.Clone(h[:]), make([]byte, 32)...)
	for name, held := range map[string]wire.Held{
		"a later format":  {Version: 2, Kind: wire.AskDeal},
		"no kind":         {Version: 1},
		"few digests":     {Version: 1, Kind: wire.AskDigests, Data: make([]byte, 16)},
		"a bent list":     {Version: 1, Kind: wire.AskList, Data: h[:31]},
		"twice":           {Version: 1, Kind: wire.AskList, Data: slices.Concat(h[:], h[:])},
		"out of order":    {Version: 1, Kind: wire.AskList, Data: descending},
		"more of nothing": {Version: 1, Kind: wire.AskList, More: true},
		"more of a deal":  {Version: 1, Kind: wire.AskDeal, More: true},
		"too many":        {Version: 1, Kind: wire.AskList, Data: make([]byte, 32*(wire.MaxHoldings+1))},
	} {
		if _, err := wire.DecodeHeld(wire.Encode(&held)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// An answer counts for the process that asked, from the node that it was to come from.
func TestOpenHeld(t *testing.T) {
	f := wiretest.New(t, 2, 3, nil)
	now := time.Now()
	key := f.NewSession(1, now)
	held := wire.Held{Version: 1, Kind: wire.AskDeal, Number: 5, Data: []byte("deal")}
	data := key.Seal(f.Manifest, wire.HeldSubject("me", 1), wire.Encode(&held))
	open := func(node int, replyTo string, at time.Time) error {
		_, err := wire.OpenHeld(f.Manifest, nil, node, replyTo, wire.LogMessage{Time: at, Data: data})
		return err
	}
	if err := open(1, "me", now); err != nil {
		t.Fatal(err)
	}
	if n, ok := wire.PeekHeld(data); !ok || n != 5 {
		t.Errorf("peeked at %d, %v", n, ok)
	}
	if open(1, "you", now) == nil || open(0, "me", now) == nil || open(1, "me", now.Add(time.Hour)) == nil {
		t.Error("a copy counts as an answer to somebody else, of somebody else, or an hour later")
	}
}

// Whatever is decoded encodes back to the same bytes, and fits its bounds.
func FuzzHoldings(f *testing.F) {
	f.Add(wire.Encode(&wire.Ask{Version: 1, Kind: wire.AskList, ReplyTo: "x"}))
	f.Add(wire.Encode(&wire.Held{Version: 1, Kind: wire.AskDigests, Data: make([]byte, 4096)}))
	f.Add(wire.Encode(&wire.Held{Version: 1, Kind: wire.AskList, More: true, Data: bytes.Repeat([]byte{1}, 32)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := wire.DecodeAsk(data); err == nil && !bytes.Equal(wire.Encode(a), data) {
			t.Fatal("an ask changed")
		}
		h, err := wire.DecodeHeld(data)
		if err != nil {
			return
		}
		if !bytes.Equal(wire.Encode(h), data) {
			t.Fatal("an answer changed")
		}
		switch h.Kind {
		case wire.AskDigests:
			for i := range wire.HoldingBuckets {
				h.Digest(i)
			}
		case wire.AskList:
			if !slices.IsSortedFunc(h.List(), wire.Holding.Compare) {
				t.Fatal("a list out of order")
			}
		}
		wire.PeekHeld(data)
	})
}
