package launch

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestAccessFollower: what changed is logged, what takes something away as a warning;
// a bad list leaves the one before in use and makes the program unready.
func TestAccessFollower(t *testing.T) {
	dir, _ := newFleet(t, 2)
	path := filepath.Join(dir, fleet.AccessFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := config.LoadManifest(filepath.Join(dir, fleet.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	first, err := LoadAccess(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	var used []*wire.Access
	f := &accessFollower{
		path: path, manifest: m, current: first, use: func(a *wire.Access) { used = append(used, a) },
		check: waiting("access", notYet), log: slog.New(slog.NewTextHandler(&lines, nil)),
	}
	read := func(text string) {
		lines.Reset()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f.changed(config.LoadAccess(path))
	}
	read(string(text))
	if len(used) != 0 || lines.Len() != 0 || f.check.Fail() != nil {
		t.Errorf("an unchanged list: %d used, %q, %v", len(used), lines.String(), f.check.Fail())
	}
	read("nonsense")
	if len(used) != 0 || !strings.Contains(lines.String(), "level=ERROR") || f.check.Fail() == nil ||
		!strings.Contains(f.check.Fail().Error(), "access.toml") {
		t.Errorf("a bad list: %d used, %q, %v", len(used), lines.String(), f.check.Fail())
	}
	read(string(text) + fmt.Sprintf("[[revoked]]\nidentity = \"%x\"\n[[revoked]]\nnode = 9\n"+
		"[[revoked]]\ngateway = \"gateway-0\"\n", []byte(m.Nodes[1].Identity)))
	if len(used) != 1 || !used[0].RevokesNode(m, 1) || used[0].RevokesNode(m, 0) || f.check.Fail() != nil {
		t.Errorf("a revocation: %d used, %v", len(used), f.check.Fail())
	}
	for _, want := range []string{"level=WARN", "was revoked", "revokes a node that the manifest does not have\" node=9",
		"revokes a gateway that it does not have\" gateway=gateway-0"} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("a revocation logs %q, want %s", lines.String(), want)
		}
	}
	read(string(text))
	if len(used) != 2 || used[1].RevokesNode(m, 1) || !strings.Contains(lines.String(), "is revoked no more") {
		t.Errorf("taken back: %d used, %q", len(used), lines.String())
	}
}
