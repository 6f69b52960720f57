package protocol

import (
	"fmt"
	"github.com/frostfleet/frostfleet/internal/wire"
	"testing"
	"time"
)

// The legal moves once more, row by row, in the order of the constants: a
// change of the tables is a change of the protocol and shows here.
var (
	dkgMatrix = []string{
		// I D d V C R F A     idle, dealing, dealt, verifying, certifying, rebuilding, finished, aborted
		"· D · · · R F A", // idle
		"· · d · · R · A", // dealing
		"· · · V · R · A", // dealt
		"· · · · C R · A", // verifying
		"· · · · · · F A", // certifying: aborted only where nothing was certified, or by another process
		"· · · · · · F A", // rebuilding
		"· · · · · · · ·", // complete
		"· · · · · R F ·", // aborted: n certificates win
	}
	signMatrix = []string{
		// W L D C S F O       standby, loading, drawing, committed, computing, done, out
		"· L · · · · O",
		"· · D · · · O",
		"· · · C · · O",
		"· · · · S · O",
		"· · · · · F O",
		"· · · · · · O",
		"· · · · · · ·",
	}
)

func walk(t *testing.T, matrix []string, move func(from, to int) (after int)) {
	t.Helper()
	for from, row := range matrix {
		cells := []rune(row)
		for to := range matrix {
			legal := cells[2*to] != '·'
			after, refused := from, false
			func() {
				defer func() { refused = recover() != nil }()
				after = move(from, to)
			}()
			if legal && (refused || after != to) || !legal && !refused {
				t.Errorf("from %d to %d: legal %v, refused %v, now in %d", from, to, legal, refused, after)
			}
		}
	}
}

func TestDKGMoves(t *testing.T) {
	equal(t, "phases", len(dkgMatrix), int(dkgAborted)+1)
	walk(t, dkgMatrix, func(from, to int) int {
		b := &dkg{phase: dkgPhase(from)}
		b.to(dkgPhase(to))
		return int(b.phase)
	})
}

func TestSignMoves(t *testing.T) {
	equal(t, "phases", len(signMatrix), int(signOut)+1)
	walk(t, signMatrix, func(from, to int) int {
		s := &signing{phase: signPhase(from)}
		s.to(signPhase(to))
		return int(s.phase)
	})
}

// Every event in every phase of a batch: no step panics, and no phase is left
// by a move that the table does not have.
func TestEveryEventInEveryDKGPhase(t *testing.T) {
	events := map[string]func(b *batchTest) Event{
		"task":      func(b *batchTest) Event { return TaskMessage{b.work[0], t0} },
		"slot lost": func(b *batchTest) Event { return SlotLost{wire.Slot{Kind: wire.SlotDeal, ID: b.id, Node: 0}} },
		"cert lost": func(b *batchTest) Event { return SlotLost{wire.Slot{Kind: wire.SlotCert, ID: b.id, Node: 0}} },
		"certify failed": func(b *batchTest) Event {
			return CertifyFailed{wire.BatchRef{ID: b.id}, wire.CodeInternal, fmt.Errorf("full")}
		},
		"abort": func(b *batchTest) Event {
			s := wire.Slot{Kind: wire.SlotAbort, ID: b.id, Node: 1}.String()
			return RoundsMessage{
				wire.LogMessage{
					Subject: s,
					Seq:     99,
					Time:    t0,
					Data: b.sessions[1].Seal(
						b.m,
						s,
						wire.Encode(&wire.Complaint{Session: b.head.Context(b.m), Code: wire.CodeInternal}),
					),
				},
			}
		},
		"tick":   func(*batchTest) Event { return Tick{t0} },
		"end":    func(*batchTest) Event { return Tick{t0.Add(2 * boardLife)} },
		"answer": func(b *batchTest) Event { return dealMade{b: b.nodes[0].dealer.batches[b.id], err: fmt.Errorf("late")} },
		"verified": func(b *batchTest) Event {
			return dealsVerified{b: b.nodes[0].dealer.batches[b.id], fault: &fault{wire.CodeInternal, "late", -1}}
		},
		"rebuilt": func(b *batchTest) Event {
			return batchRebuilt{b: b.nodes[0].dealer.batches[b.id], fault: &fault{wire.CodeInternal, "late", -1}}
		},
	}
	for name, event := range events {
		for phase := dkgIdle; phase <= dkgAborted; phase++ {
			b := dealt(t, "solana")
			d := b.nodes[0].dealer.batches[b.id]
			d.phase = phase
			b.nodes[0].hold = true
			b.nodes[0].out = nil
			b.nodes[0].do(event(b)) // to() panics on an illegal move
			if phase == dkgCertifying && name != "certify failed" && d.phase == dkgAborted {
				t.Errorf("%s makes a node give up what it may have certified", name)
			}
		}
	}
}

func TestEarlyMessages(t *testing.T) {
	message := func(size int, at time.Time) wire.LogMessage {
		return wire.LogMessage{Data: make([]byte, size), Time: at}
	}
	m := newEarlyMessages(10_000)
	m.put(wire.Slot{ID: "a"}, message(4000, t0))
	m.put(wire.Slot{ID: "b"}, message(4000, t0.Add(time.Minute)))
	equal(t, "both kept", len(m.sessions), 2)
	m.put(wire.Slot{ID: "c"}, message(4000, t0.Add(2*time.Minute)))
	if kept(m, "a") != 0 || kept(m, "b") != 1 {
		t.Error("not the oldest session was dropped")
	}
	m.put(wire.Slot{ID: "d"}, message(0, t0.Add(3*time.Minute)))
	m.expire(t0.Add(2 * time.Minute))
	if kept(m, "c") != 0 || kept(m, "d") != 1 || m.bytes != 0 {
		t.Errorf("expiry left %d bytes in %d boxes", m.bytes, len(m.sessions))
	}
	m.put(wire.Slot{ID: "huge"}, message(20_000, t0))
	equal(t, "over the whole limit", len(m.sessions), 0)
	for range maxOfNode + 10 {
		m.put(wire.Slot{ID: "flood"}, message(0, t0))
	}
	m.put(wire.Slot{ID: "flood", Node: 1}, message(0, t0)) // not crowded out
	equal(t, "kept of a flood and of another node", kept(m, "flood"), maxOfNode+1)
	for i := range 100_000 {
		m.put(wire.Slot{ID: fmt.Sprint(i)}, message(0, t0))
	}
	if len(m.sessions) > 1000 {
		t.Errorf("%d empty messages cost nothing", len(m.sessions))
	}
}

func kept(m *earlyMessages, id string) int { b := m.take(id); return len(b.messages) }
