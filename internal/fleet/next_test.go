package fleet

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// seats gives the cards of a next fleet, one for each device, and what each index is of.
type seats struct {
	t   *testing.T
	dir string
}

func (s seats) card(device string, epoch, index, n, threshold int) Card {
	s.t.Helper()
	key := filepath.Join(s.dir, device)
	_ = software.Generate(key) // the second time it is there
	p, err := software.Open(software.Options{Path: key, Network: "regtest"})
	if err != nil {
		s.t.Fatal(err)
	}
	defer p.Close()
	card, err := worker.Card(s.t.Context(), p, "test", epoch, index)
	if err != nil {
		s.t.Fatal(err)
	}
	return Card{wire.Card{
		Version: wire.CardVersion, Fleet: "test", Network: "regtest", N: n, T: threshold, Epoch: epoch, NodeCard: card,
	}, fmt.Sprintf("%s-%d.json", device, epoch)}
}

func (s seats) cards(epoch, n, threshold int, devices ...string) (cards []Card) {
	for i, device := range devices {
		cards = append(cards, s.card(device, epoch, i, n, threshold))
	}
	return cards
}

func TestNext(t *testing.T) {
	s := seats{t, t.TempDir()}
	m := newManifest(2)
	if err := Join(m, s.cards(1, 3, 2, "a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	next, err := Next(m, s.cards(2, 4, 3, "b", "a", "d", "e"), 3, true)
	if err != nil {
		t.Fatal(err)
	}
	if parent, ok := next.ParentHash(); !ok || parent != m.Hash() || next.FleetID() != m.Hash() || next.Epoch != 2 {
		t.Errorf("%+v", next)
	}
	d := Compare(m, next)
	want := []string{"was node 1", "was node 0", "is replaced", "joins"}
	for i, seat := range d.Nodes {
		if seat.What != want[i] {
			t.Errorf("node %d %s, want %s", i, seat.What, want[i])
		}
	}
	text := strings.Join(d.Lines(), "\n")
	for _, said := range []string{"2 of 3 sign -> 3 of 4 sign", "epoch 1 -> 2", d.After.Hash, "3 of 3 nodes, or 2 that are forced"} {
		if !strings.Contains(text, said) {
			t.Errorf("it does not say %q:\n%s", said, text)
		}
	}
	shrunk, err := Next(next, s.cards(3, 2, 1, "b", "e"), 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if d := Compare(next, shrunk); d.Nodes[0].What != "stays, with new encryption keys" || d.Nodes[1].What != "was node 3" ||
		d.Nodes[2].What != "leaves" || d.Nodes[3].What != "becomes node 1" {
		t.Errorf("%+v", d.Nodes)
	}

	twice := s.cards(2, 3, 2, "a", "b", "b")
	for name, test := range map[string]struct {
		cards []Card
		t     int
		want  string
	}{
		"a node twice":         {twice, 2, "share the key"},
		"t over n":             {s.cards(2, 3, 4, "a", "b", "d"), 4, "threshold 4 of 3"},
		"the epoch of before":  {s.cards(1, 3, 2, "a", "b", "d"), 2, "epoch"},
		"a node missing":       {s.cards(2, 3, 2, "a", "b"), 2, "no card of node 2"},
		"another threshold":    {s.cards(2, 3, 1, "a", "b", "d"), 2, "min_signers"},
		"a card of elsewhere":  {append(s.cards(2, 3, 2, "a", "b"), foreign(s.card("d", 2, 2, 3, 2))), 2, `fleet "other"`},
		"no cards at all":      {nil, 2, "no cards"},
		"an index that is not": {append(s.cards(2, 2, 2, "a", "b"), s.card("d", 2, 5, 2, 2)), 2, "not one of 2 nodes"},
	} {
		if _, err := Next(m, test.cards, test.t, true); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.want)
		}
	}
}

func foreign(c Card) Card {
	c.Fleet = "other"
	return c
}
