package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// enrolled gives the cards of n nodes with keys of their own, in files.
func enrolled(t *testing.T, n int) (cards []Card) {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		key := filepath.Join(dir, fmt.Sprintf("key%d.json", i))
		if err := software.Generate(key); err != nil {
			t.Fatal(err)
		}
		p, err := software.Open(software.Options{Path: key, Network: "regtest"})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		card, err := worker.Card(t.Context(), p, "test", 1, i)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(wire.Card{
			Version: wire.CardVersion, Fleet: "test", Network: "regtest", N: n, T: 2, Epoch: 1, NodeCard: card,
		})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprintf("card%d.json", i))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		read, err := ReadCard(file)
		if err != nil || read.File != file {
			t.Fatalf("%+v, %v", read, err)
		}
		cards = append(cards, read)
	}
	return cards
}

func newManifest(threshold int) *wire.Manifest {
	return &wire.Manifest{Version: 1, Fleet: "test", Network: "regtest", T: threshold, Epoch: 1}
}

// TestJoin: cards in any order make one manifest, and it is that of its file.
func TestJoin(t *testing.T) {
	cards := enrolled(t, 3)
	m, other := newManifest(2), newManifest(2)
	if err := Join(m, cards); err != nil {
		t.Fatal(err)
	}
	if err := Join(other, []Card{cards[2], cards[0], cards[1]}); err != nil {
		t.Fatal(err)
	}
	if m.Hash() != other.Hash() || m.N != 3 {
		t.Errorf("%d nodes, hashes %x and %x", m.N, m.Hash(), other.Hash())
	}
	path := filepath.Join(t.TempDir(), "manifest.json")
	if err := WriteManifest(path, m); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := wire.ParseManifest(data); err != nil || stored.Hash() != m.Hash() {
		t.Errorf("the stored manifest is another: %v", err)
	}
	if err := WriteManifest(path, other); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "not replaced") {
		t.Errorf("got %v", err)
	}
}

func TestJoinRefuses(t *testing.T) {
	cards := enrolled(t, 3)
	twin, high := cards[1], cards[0]
	twin.Index, twin.File = 0, "twin.json"
	high.Index = 3
	bad := cards[2]
	bad.Identity = make([]byte, 65)
	same := cards[2]
	same.Encryption = cards[0].Encryption
	other := func(change func(*Card)) []Card {
		c := cards[2]
		change(&c)
		return []Card{cards[0], cards[1], c}
	}
	all := func(change func(*Card)) []Card {
		list := slices.Clone(cards)
		for i := range list {
			change(&list[i])
		}
		return list
	}
	for name, c := range map[string]struct {
		cards     []Card
		threshold int
		want      []string
	}{
		"one index twice": {[]Card{cards[0], twin, cards[2]}, 2, []string{"twin.json are both of node 0", "no card of node 1"}},
		"a gap":           {[]Card{cards[0], cards[2]}, 2, []string{"no card of node 1"}},
		"from one":        {[]Card{cards[1], cards[2]}, 2, []string{"no card of node 0"}},
		"too high":        {[]Card{high, cards[1], cards[2]}, 2, []string{"no card of node 0"}},
		"one key twice":   {[]Card{cards[0], cards[1], same}, 2, []string{"nodes 0 and 2 share the key"}},
		"not a point":     {[]Card{cards[0], cards[1], bad}, 2, []string{"node 2: identity"}},
		"threshold":       {all(func(c *Card) { c.T = 4 }), 4, []string{"threshold 4 of 3"}},
		"no threshold":    {all(func(c *Card) { c.T = 0 }), 0, []string{"threshold 0 of 3"}},
		"nobody":          {nil, 1, []string{"no cards"}},
		"one is missing":  {cards[:2], 2, []string{"no card of node 2: 3 nodes"}},
		"another fleet":   {other(func(c *Card) { c.Fleet = "main" }), 2, []string{"card2.json: node 2 enrolled for fleet \"main\", not \"test\""}},
		"another network": {other(func(c *Card) { c.Network = "mainnet" }), 2, []string{"is on \"mainnet\", not \"regtest\""}},
		"another t":       {cards, 3, []string{"card0.json: node 0 has min_signers = 2, not 3"}},
		"another n":       {other(func(c *Card) { c.N = 4 }), 2, []string{"card2.json: node 2 has max_signers = 4", "card0.json has 3"}},
		"another epoch":   {other(func(c *Card) { c.Epoch = 2 }), 2, []string{"enrolled for epoch 2, not 1"}},
		"huge n":          {all(func(c *Card) { c.N = 1 << 30 }), 2, []string{"no card of node 3"}},
		"negative n":      {all(func(c *Card) { c.N = -1 }), 2, []string{"is not one of -1 nodes"}},
	} {
		m := newManifest(c.threshold)
		err := Join(m, c.cards)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
	}
}

func TestReadCardRefuses(t *testing.T) {
	card := enrolled(t, 1)[0]
	good, err := json.Marshal(card.Card)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":         "",
		"two cards":     string(good) + string(good),
		"a manifest":    `{"version":1,"nodes":[` + string(good) + `]}`,
		"an array":      "[" + string(good) + "]",
		"unknown field": strings.Replace(string(good), "{", `{"name":"a",`, 1),
		"a field twice": strings.Replace(string(good), "{", `{"index":1,`, 1),
		"no keys":       `{"version":1,"index":0}`,
		"no version":    strings.Replace(string(good), `"version":1,`, "", 1),
		"version 2":     strings.Replace(string(good), `"version":1`, `"version":2`, 1),
		"negative":      strings.Replace(string(good), `"index":0`, `"index":-1`, 1),
		"huge":          string(good) + strings.Repeat(" ", 100<<10),
	} {
		path := filepath.Join(t.TempDir(), "card.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := ReadCard(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := ReadCard(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestInitAroundAManifest: all but the nodes, and no keys of theirs.
func TestInitAroundAManifest(t *testing.T) {
	m := newManifest(2)
	if err := Join(m, enrolled(t, 3)); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "fleet")
	o := Options{Manifest: m, Client: "treasury", BusURL: "tls://bus.example:4222", ServerPorts: []int{4000}}
	got, err := Init(t.Context(), dir, o)
	if err != nil || got.Hash() != m.Hash() {
		t.Fatal(err)
	}
	files := snapshot(t, dir)
	for path := range files {
		if name := filepath.Base(path); strings.HasPrefix(name, "node") || name == "key.json" {
			t.Errorf("wrote %s", path)
		}
	}
	stored, err := wire.ParseManifest([]byte(files[filepath.Join(dir, ManifestFile)]))
	if err != nil || stored.Hash() != m.Hash() {
		t.Errorf("the stored manifest is another: %v", err)
	}
	g, err := config.LoadGateway(filepath.Join(dir, GatewayFile))
	if err != nil || g.Bus.URL != o.BusURL || g.Network.Type != "regtest" {
		t.Errorf("%+v, %v", g, err)
	}
	access, err := config.LoadAccess(filepath.Join(dir, AccessFile))
	if err != nil || len(access.Clients) != 1 || access.Clients[0].Name != "treasury" {
		t.Errorf("%+v, %v", access, err)
	}
	if _, err := config.LoadClient(filepath.Join(dir, ClientFile)); err != nil {
		t.Error(err)
	}
}

// TestParty: the entries of new parties are what the access list takes, and
// what it would not take makes no key.
func TestParty(t *testing.T) {
	dir := t.TempDir()
	list := ""
	for i, p := range []Party{{Name: "gateway1", Kinds: nil}, {Name: "deposits", Kinds: []string{"keygen"}}, {Name: "treasury", Kinds: []string{"keygen", "sign"}}} {
		public, entry, err := p.NewKey(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil || !strings.Contains(entry, fmt.Sprintf("%x", []byte(public))) {
			t.Fatalf("%s: %v", entry, err)
		}
		list += entry
	}
	path := filepath.Join(dir, "access.toml")
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	access, err := config.LoadAccess(path)
	if err != nil || len(access.Gateways) != 1 || len(access.Clients) != 2 || fmt.Sprint(access.Clients[0].Kinds) != "[keygen]" {
		t.Errorf("%+v, %v", access, err)
	}
	if _, _, err := (Party{Name: "gateway1", Kinds: nil}).NewKey(filepath.Join(dir, "0")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key was overwritten: %v", err)
	}
	for _, p := range []Party{{Name: "a b"}, {Kinds: []string{"sign"}}, {Name: "a", Kinds: []string{"mine"}}, {Name: "a", Kinds: []string{"sign", "sign"}}} {
		file := filepath.Join(dir, "new")
		if _, _, err := p.NewKey(file); err == nil {
			t.Errorf("%+v was taken", p)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%+v: there is a key", p)
		}
	}
}
