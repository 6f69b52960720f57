package protocol

import (
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// A gateway of another draft of BIP 445 is refused before anything is drawn, in a session that it follows, with both
// drafts named. Ed25519 has nothing to do with BIP 445 and goes on.
func TestOtherDraft(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		f := agedFleet(t)
		batch := map[string]string{"bitcoin": f.btc, "solana": f.sol}[chain]
		s := newSession(t, f, "alice", nil, item(batch, 0, "x"))
		s.task.Draft = "0.11.0"
		s.deliver()
		id := wire.ShortID(s.task.Session(f.m))
		if id == s.id {
			t.Fatal("two drafts share a session")
		}
		for _, a := range s.nodes {
			for _, w := range a.out {
				equal(t, chain+": session", w.slot.ID, id)
			}
			drawn, _, _ := a.NonceCounts()
			refused, _ := a.reported(ReportRefused)
			if chain == "solana" {
				equal(t, "ed25519 refused", refused.Code, "")
				continue
			}
			equal(t, "drawn", drawn, 0)
			if len(a.out) > 0 {
				c := must(wire.DecodeComplaint(a.want(wire.SlotRefuse).body))
				equal(t, "code", c.Code, wire.CodeOtherDraft)
				equal(t, "reason", c.Reason, `the gateway aggregates by BIP 445 draft "0.11.0", and this node signs by `+
					`draft 0.10.0: run one version everywhere`)
				equal(t, "reported", refused.Reason, c.Reason)
			}
		}
		out := 0
		for _, a := range s.nodes {
			out += len(a.out)
		}
		equal(t, chain+": messages", out, s.m.T)
	}
}

// Programs from before drafts were named: their tasks are refused with a sentence of that, and they refuse ours.
func TestNoDraft(t *testing.T) {
	f := agedFleet(t)
	s := newSession(t, f, "alice", nil, item(f.btc, 0, "x"))
	ours := wire.Encode(s.task)
	s.task.Draft = ""
	s.deliver()
	for _, a := range s.nodes {
		r, _ := a.reported(ReportBadTask)
		if !strings.Contains(r.Reason, "names no draft of BIP 445") || !strings.Contains(r.Reason, "draft 0.10.0") {
			t.Errorf("node %d: %q", a.cfg.Index, r.Reason)
		}
		equal(t, "messages", len(a.out), 0)
	}
	var before struct {
		Job     wire.SignedJob `cbor:"1,keyasint"`
		Part    uint32         `cbor:"2,keyasint"`
		Attempt uint32         `cbor:"3,keyasint"`
		Items   []uint32       `cbor:"4,keyasint,omitempty"`
		Exclude []uint8        `cbor:"5,keyasint,omitempty"`
	}
	if err := wire.Decode(ours, wire.MaxJobSize, &before); err == nil || !strings.Contains(err.Error(), "unknown field") {
		t.Errorf("a program of before reads our task: %v", err)
	}
	if err := wire.Decode(wire.Encode(s.task), wire.MaxJobSize, &before); err != nil {
		t.Errorf("that struct is not the task of before: %v", err)
	}
}

// The client of a fleet with too many nodes of another draft reads why.
func TestOtherDraftEndsTheJob(t *testing.T) {
	s := newSignCase(t)
	for i := range s.m.N - s.m.T + 1 {
		s.refusal(i, wire.CodeOtherDraft)
	}
	if r := s.desk.result(); r.Code != wire.CodeSigningFailed || !strings.Contains(r.Error, "node 2 refused: because") {
		t.Errorf("%s: %s", r.Code, r.Error)
	}
}
