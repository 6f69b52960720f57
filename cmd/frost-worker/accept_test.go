package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// changing is a fleet of three nodes, of which one has a file here.
type changing struct {
	t        *testing.T
	path     string // node 0's file
	dir      string // of the other nodes' keys
	manifest *wire.Manifest
}

// others is the card of another device.
func (c *changing) others(name string, epoch, index int) wire.NodeCard {
	c.t.Helper()
	key := filepath.Join(c.dir, name)
	_ = software.Generate(key) // the second time it is there
	p, err := software.Open(software.Options{Path: key, Network: "regtest"})
	if err != nil {
		c.t.Fatal(err)
	}
	defer p.Close()
	card, err := worker.Card(c.t.Context(), p, "main", epoch, index)
	if err != nil {
		c.t.Fatal(err)
	}
	return card
}

func newChanging(t *testing.T) *changing {
	t.Helper()
	c := &changing{t: t, path: node(t, "type = \"software\"\nkey_file = \"key.json\"\n"), dir: t.TempDir()}
	text, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	three := strings.NewReplacer("max_signers = 1", "max_signers = 3", "min_signers = 1", "min_signers = 2").Replace(string(text))
	if err := os.WriteFile(c.path, []byte(three), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "provision", "--config", c.path)
	card, err := wire.ParseCard([]byte(must(t, "enroll", "--config", c.path, "--fleet", "main")))
	if err != nil {
		t.Fatal(err)
	}
	c.manifest = &wire.Manifest{
		Version: 1, Fleet: "main", Network: "regtest", N: 3, T: 2, Epoch: 1, AttestSigning: true,
		Nodes: []wire.NodeCard{card.NodeCard, c.others("b", 1, 1), c.others("c", 1, 2)},
	}
	writeManifest(t, c.path, c.manifest)
	return c
}

func (c *changing) storage() string { return filepath.Join(filepath.Dir(c.path), "data") }

// next writes a manifest that follows, and returns its file.
func (c *changing) next(name string, change func(*wire.Manifest)) (string, *wire.Manifest) {
	c.t.Helper()
	hash := c.manifest.Hash()
	mine, err := wire.ParseCard([]byte(must(c.t, "enroll", "--config", c.path, "--next")))
	if err != nil {
		c.t.Fatal(err)
	}
	m := &wire.Manifest{
		Version: wire.SuccessorVersion, Fleet: "main", Network: "regtest", N: 3, T: 2, Epoch: 2, AttestSigning: true,
		Genesis: hash[:], Previous: hash[:],
		Nodes: []wire.NodeCard{mine.NodeCard, c.others("b", 2, 1), c.others("d", 2, 2)},
	}
	change(m)
	if err := m.Seal(); err != nil {
		c.t.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path, m
}

func (c *changing) refused(want string, args ...string) {
	c.t.Helper()
	_, _, err := call(c.t, "", append(args, "--config", c.path)...)
	if err == nil || !strings.Contains(command.Sentence(err), want) {
		c.t.Errorf("%v: %v, want %q", args, err, want)
	}
}

// TestAcceptManifest: what is approved is shown, asked, signed by the device and kept; one at
// a time, until it is taken back or dealt to.
func TestAcceptManifest(t *testing.T) {
	c := newChanging(t)
	path, next := c.next("next.json", func(*wire.Manifest) {})
	other, _ := c.next("other.json", func(m *wire.Manifest) { m.T = 3 })

	stdout, stderr, err := call(t, "no\n", "accept-manifest", path, "--config", c.path)
	if err == nil || !strings.Contains(err.Error(), "not approved") || !strings.Contains(stderr, "Type yes") {
		t.Errorf("an answer of no: %v, %s", err, stderr)
	}
	for _, want := range []string{"node 2", "is replaced", "this node stays node 0", "2 of 3 sign -> 2 of 3 sign", "any 2 of the 3 nodes"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
	if kept, err := keystore.LoadSuccessor(c.storage()); kept != nil || err != nil {
		t.Fatalf("kept %v, %v", kept, err)
	}
	if out := must(t, "accept-manifest", "--show", "--config", c.path); !strings.Contains(out, "no manifest is approved") {
		t.Errorf("nothing is approved: %s", out)
	}

	if _, stderr, err = call(t, "yes\n", "accept-manifest", path, "--config", c.path); err != nil {
		t.Fatalf("%v %s", err, stderr)
	}
	_, kept, approval, err := worker.ReadSuccessor(c.storage(), c.manifest)
	if err != nil || kept.Hash() != next.Hash() || approval.Forced || approval.Verify(c.manifest, next.Hash()) != nil {
		t.Fatalf("kept %+v, %v", approval, err)
	}
	must(t, "accept-manifest", path, "--yes", "--config", c.path) // again: the same
	c.refused("another manifest is approved", "accept-manifest", other, "--yes")
	must(t, "accept-manifest", "--revoke", "--config", c.path)
	c.refused("no such manifest is approved", "accept-manifest", "--revoke")

	var a acceptance
	out := must(t, "accept-manifest", other, "--yes", "--forced", "--json", "--config", c.path)
	if err := json.Unmarshal([]byte(out), &a); err != nil || !a.Forced || a.After.T != 3 || a.As == nil || *a.As != 0 || a.New != 1 {
		t.Errorf("%v %+v", err, a)
	}
	file, err := keystore.LoadSuccessor(c.storage())
	if err != nil {
		t.Fatal(err)
	}
	if err := keystore.MarkDealt(c.storage(), file.Manifest); err != nil {
		t.Fatal(err)
	}
	c.refused("can't be revoked any more", "accept-manifest", "--revoke")
	if out := must(t, "accept-manifest", "--show", "--config", c.path); !strings.Contains(out, "can't be taken back") ||
		!strings.Contains(out, "FORCED") {
		t.Errorf("%s", out)
	}

	// The next card of a node that dealt is for the manifest after that one.
	card, err := wire.ParseCard([]byte(must(t, "enroll", "--config", c.path, "--next", "--nodes", "5", "--threshold", "4")))
	if err != nil || card.Epoch != 3 || card.N != 5 || card.T != 4 || card.Index != 0 {
		t.Errorf("%+v %v", card, err)
	}
}

// TestAcceptRefuses: a manifest that can't follow this node's is refused by name.
func TestAcceptRefuses(t *testing.T) {
	c := newChanging(t)
	for want, change := range map[string]func(*wire.Manifest){
		`of fleet "rest"`:        func(m *wire.Manifest) { m.Fleet = "rest" },
		"for testnet":            func(m *wire.Manifest) { m.Network = "testnet" },
		"has epoch 3; want 2":    func(m *wire.Manifest) { m.Epoch = 3 },
		"follows 0000":           func(m *wire.Manifest) { m.Previous = make([]byte, 32) },
		"the encryption key of":  func(m *wire.Manifest) { m.Nodes[1] = c.others("b", 1, 1) },
		"was founded by 0000000": func(m *wire.Manifest) { m.Genesis = make([]byte, 32) },
	} {
		path, _ := c.next("bad.json", change)
		c.refused(want, "accept-manifest", path, "--yes")
	}
	c.refused("founding manifest", "accept-manifest", filepath.Join(c.storage(), "manifest.json"), "--yes")
	c.refused("name the manifest to approve", "accept-manifest")
	c.refused("name the manifest to approve", "accept-manifest", "x.json", "--show")

	path, _ := c.next("next.json", func(*wire.Manifest) {})
	must(t, "accept-manifest", path, "--yes", "--config", c.path)
	file := filepath.Join(c.storage(), keystore.SuccessorFile)
	if err := os.WriteFile(file, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := call(t, "", "accept-manifest", "--show", "--config", c.path); !errors.Is(err, keystore.ErrDamaged) {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestAcceptWarns: an operator is told what a manifest gives away.
func TestAcceptWarns(t *testing.T) {
	c := newChanging(t)
	path, _ := c.next("next.json", func(m *wire.Manifest) {
		m.T, m.AttestSigning = 1, false
		m.Nodes = []wire.NodeCard{c.others("e", 2, 0), c.others("b", 2, 1), c.others("d", 2, 2)}
	})
	stdout, _, _ := call(t, "", "accept-manifest", path, "--config", c.path)
	for _, want := range []string{
		"each node alone has every key", "t falls from 2 to 1", "2 nodes are new, and they alone can sign",
		"made to sign without its device", "this node, 0, has no place in it",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not say %q:\n%s", want, stdout)
		}
	}
}

// TestEnrollNext: a card for the next manifest has another encryption key, and what the flags
// say.
func TestEnrollNext(t *testing.T) {
	c := newChanging(t)
	card, err := wire.ParseCard([]byte(must(t, "enroll", "--config", c.path, "--next", "--index", "2")))
	if err != nil {
		t.Fatal(err)
	}
	mine := c.manifest.Nodes[0]
	if card.Fleet != "main" || card.Epoch != 2 || card.N != 3 || card.T != 2 || card.Index != 2 ||
		string(card.Identity) != string(mine.Identity) || string(card.Encryption) == string(mine.Encryption) {
		t.Errorf("%+v", card)
	}
	c.refused("is for --next", "enroll", "--fleet", "main", "--nodes", "4")
	c.refused("want 1 to n of n", "enroll", "--next", "--threshold", "4")
	c.refused("--index 3 of --nodes 3", "enroll", "--next", "--index", "3")
	c.refused("--epoch 1", "enroll", "--next", "--epoch", "1")
}
