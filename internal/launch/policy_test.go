package launch

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/policy"
)

func policyText(name string) string {
	return "version = 1\n[[rule]]\nname = \"" + name + "\"\nclients = [\"*\"]\nkeys = [\"*\"]\nkinds = [\"psbt\"]\n"
}

// TestPolicyFollower: a new policy is used and logged as a warning, the same one under
// other words is not, and a bad file leaves the one before in force.
func TestPolicyFollower(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.toml")
	var lines strings.Builder
	var used []*policy.Policy
	var fails error
	f := &policyFollower{
		use: func(p *policy.Policy) error { used = append(used, p); return fails }, check: waiting("policy", notYet),
		log: slog.New(slog.NewTextHandler(&lines, nil)),
	}
	read := func(text string) {
		lines.Reset()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f.changed(config.LoadPolicy(path, "regtest"))
	}
	read(policyText("first"))
	if len(used) != 1 || !strings.Contains(lines.String(), "level=WARN") || f.check.Fail() != nil {
		t.Fatalf("the first: %d used, %q, %v", len(used), lines.String(), f.check.Fail())
	}
	read("# the same\n" + policyText("first"))
	if len(used) != 1 || lines.Len() > 0 {
		t.Errorf("the same: %d used, %q", len(used), lines.String())
	}
	read("nonsense")
	if len(used) != 1 || !strings.Contains(lines.String(), "level=ERROR") || f.check.Fail() == nil {
		t.Errorf("a bad one: %d used, %q, %v", len(used), lines.String(), f.check.Fail())
	}
	fails = errors.New("no such key")
	read(policyText("second"))
	if len(used) != 2 || f.current == used[1].Hash() || f.check.Fail() == nil {
		t.Errorf("one that can't be used: %d used, %v", len(used), f.check.Fail())
	}
	fails = nil
	read(policyText("second"))
	if len(used) != 3 || f.current != used[2].Hash() || f.check.Fail() != nil {
		t.Errorf("the second: %d used, %v", len(used), f.check.Fail())
	}
}

// A signal reaches both that follow a file.
func TestReloads(t *testing.T) {
	signals := make(chan os.Signal)
	p := &program{Options: Options{Reload: signals}}
	a, b := p.reloads(t.Context())
	for range 3 {
		signals <- os.Interrupt
	}
	<-a
	<-b
	p.stop()
}
