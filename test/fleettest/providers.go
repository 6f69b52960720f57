package fleettest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// UseProviders gives nodes other key providers than the software one, and writes the
// manifest anew with the cards of their keys.
func UseProviders(t T, dir string, m *wire.Manifest, sections map[int]string) {
	t.Helper()
	if len(sections) == 0 {
		return
	}
	for i, section := range sections {
		path := filepath.Join(dir, fleet.NodeFile(i))
		replaceSection(t, path, section)
		m.Nodes[i] = card(t, path)
	}
	if err := m.Seal(); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, fleet.ManifestFile), string(text))
}

func replaceSection(t T, path, section string) {
	t.Helper()
	const header = "[node.key_provider]\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), header)
	_, after, more := strings.Cut(rest, "\n[")
	if !found || !more {
		t.Fatalf("%s has no section to replace", path)
	}
	write(t, path, before+header+section+"\n["+after)
}

func card(t T, path string) wire.NodeCard {
	t.Helper()
	n, err := launch.LoadNode(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := launch.OpenProvider(t.Context(), n, launch.ProviderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := worker.Card(t.Context(), p, Name, 1, n.Node.Index)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
