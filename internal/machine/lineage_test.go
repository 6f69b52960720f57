package machine

import (
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// heard notes the events that reach a machine, and what they say.
type heard struct {
	manifests, changes int
	newest             int // epoch
	run                []bool
}

func (h *heard) Step(ev protocol.Event) []protocol.Effect {
	switch e := ev.(type) {
	case protocol.ManifestSeen:
		h.manifests++
	case protocol.LineageChanged:
		h.changes++
		h.newest = e.Lineage.Newest().Epoch
	case protocol.PaceChanged:
		h.run = append(h.run, e.Pace.Run)
	}
	return nil
}

// follower returns a fleet that follows f, and its succession.
func follower(t *testing.T, f *wiretest.Fleet, forced bool, nodes ...int) (*wiretest.Fleet, []byte) {
	t.Helper()
	id, hash := f.Manifest.FleetID(), f.Manifest.Hash()
	next := wiretest.New(t, 2, 4, nil, func(m *wire.Manifest) {
		m.Version, m.Epoch, m.Genesis, m.Previous = wire.SuccessorVersion, f.Manifest.Epoch+1, id[:], hash[:]
	})
	text, err := json.Marshal(next.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	s := wire.Succession{Version: wire.SuccessionVersion, Manifest: text}
	for _, node := range nodes {
		a := wire.SuccessorApproval{Node: uint32(node), Next: next.Manifest.Hash(), Forced: forced}
		a.Attestation = f.Attest(node, [][32]byte{a.Leaf(f.Manifest)}, 0)
		s.Approvals = append(s.Approvals, a)
	}
	return next, wire.Encode(&s)
}

// A program goes by what KEYS proves, in the order of the log, and by nothing else.
func TestLearn(t *testing.T) {
	t.Parallel()
	f := wiretest.New(t, 2, 3, nil)
	next, proof := follower(t, f, false, 0, 1, 2)
	_, weak := follower(t, f, false, 0, 1)
	twin, forced := follower(t, f, true, 0, 1)
	h := &heard{}
	r := New(Config[*heard]{Machine: h, Bus: threeRounds{}, Lineage: wire.NewLineage(f.Manifest), Log: slog.New(slog.DiscardHandler)})
	read := func(subject string, data []byte) {
		r.Read(bus.Keys, bus.Message{Subject: subject, Seq: 1, Data: data})
	}
	text, _ := json.Marshal(next.Manifest)
	read(wire.ManifestSubject(next.Manifest.Hash()), text)
	read(wire.ManifestSubject([32]byte{1}), []byte("{"))
	read(wire.SuccessionSubject([32]byte{2}), []byte("junk"))
	read(wire.SuccessionSubject([32]byte{2}), weak)
	if h.manifests != 1 || h.changes != 0 || r.Lineage().Newest() != f.Manifest {
		t.Errorf("%d manifests seen, %d changes", h.manifests, h.changes)
	}
	read(wire.SuccessionSubject(next.Manifest.Hash()), proof)
	read(wire.SuccessionSubject(next.Manifest.Hash()), proof)
	if h.changes != 1 || h.newest != 1 || r.Lineage().Newest().Hash() != next.Manifest.Hash() || r.nodes() != 4 {
		t.Errorf("%d changes, newest epoch %d, %d nodes", h.changes, h.newest, r.nodes())
	}
	read(wire.SuccessionSubject(twin.Manifest.Hash()), forced)
	if h.changes != 2 || r.Lineage().Fork() == nil {
		t.Errorf("%d changes, fork %v", h.changes, r.Lineage().Fork())
	}

	// One that is configured with the later manifest learns the way back.
	h = &heard{}
	r = New(Config[*heard]{Machine: h, Bus: threeRounds{}, Lineage: wire.NewLineage(next.Manifest), Log: slog.New(slog.DiscardHandler)})
	text, _ = json.Marshal(f.Manifest)
	read(wire.ManifestSubject(f.Manifest.Hash()), text)
	if h.changes != 1 || r.Lineage().Manifest(f.Manifest.Hash()) == nil {
		t.Error("the manifest before is not known")
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	h := &heard{}
	r := New(Config[*heard]{Machine: h, Log: slog.New(slog.DiscardHandler)})
	for _, data := range []string{
		`{"version":1,"manifest":"","run":true}`, `{"version":2}`, "junk",
	} {
		r.Read(bus.Control, bus.Message{Subject: wire.PaceSubject, Data: []byte(data)})
	}
	for _, run := range []bool{true, false} {
		data, _ := json.Marshal(wire.Pace{Version: wire.PaceVersion, Manifest: make(wire.HexBytes, 32), Run: run})
		r.Read(bus.Control, bus.Message{Subject: wire.PaceSubject, Data: data})
	}
	if len(h.run) != 2 || !h.run[0] || h.run[1] {
		t.Errorf("%v", h.run)
	}
}

// threeRounds is a bus of a fleet of three nodes, of which nothing else is asked.
type threeRounds struct{ Log }

func (threeRounds) Nodes() int { return 3 }
