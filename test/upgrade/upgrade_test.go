package upgrade

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/chaos"
)

func TestMain(m *testing.M) {
	end, err := chaos.Workspace()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	end() // with what Previous built
	os.Exit(code)
}

// TestRollingUpgrade: a fleet that the previous release set up and runs becomes one of this
// release, program after program, under load, and no job fails. One gateway and one worker go
// back once while the fleet is mixed. Command lines of both releases work throughout.
func TestRollingUpgrade(t *testing.T) {
	previous, err := Previous()
	if err != nil {
		t.Fatal(err)
	}
	o := chaos.Options{First: previous}
	if testing.Verbose() {
		o.Out = os.Stderr
	}
	s := chaos.Start(t, o)
	f := &mixed{T: t, Stand: s, previous: previous}
	gateways, nodes := s.Programs()
	for _, name := range append(gateways, nodes...) {
		f.wants(name, true)
	}
	f.generate(previous, "previous.jsonl")
	r := s.Rolling()
	r.Passed()
	step := func(name, bin string) {
		s.Replace(name, bin)
		f.wants(name, bin == previous)
		r.Passed()
	}
	step(gateways[0], s.Bin())
	step(gateways[0], previous)
	step(gateways[0], s.Bin())
	step(nodes[0], s.Bin())
	f.generate(s.Bin(), "mixed.jsonl")
	f.signs(previous, "previous.jsonl", "mixed.jsonl")
	f.signs(s.Bin(), "previous.jsonl", "mixed.jsonl")
	step(nodes[0], previous)
	step(nodes[0], s.Bin())
	step(gateways[1], s.Bin())
	step(nodes[1], s.Bin())
	step(nodes[2], s.Bin())
	f.apply(s.Bin())
	r.Passed()
	f.apply(previous) // and back, once streams are as this release has them
	step(gateways[0], previous)
	step(nodes[2], previous)
	step(nodes[2], s.Bin())
	step(gateways[0], s.Bin())
	f.apply(s.Bin())
	r.Passed()
	f.generate(previous, "last.jsonl") // by a client that is upgraded later
	f.signs(previous, "previous.jsonl", "mixed.jsonl", "last.jsonl")
	f.signs(s.Bin(), "previous.jsonl", "mixed.jsonl", "last.jsonl")
	if f.hasCompact("plain.register") {
		t.Fatal("entries are compact, and nobody said so")
	}
	f.compact()
	for _, name := range gateways {
		step(name, s.Bin())
	}
	f.generatesCompact(previous)
	f.signs(previous, "previous.jsonl", "compact.jsonl")
	f.signs(s.Bin(), "mixed.jsonl", "compact.jsonl")
	r.Finish()
}

// mixed is a fleet of two releases.
type mixed struct {
	*testing.T
	*chaos.Stand
	previous string
}

// wants checks that a program is of the release that it should be of.
func (f *mixed) wants(name string, previous bool) {
	f.Helper()
	if is := strings.HasPrefix(f.Version(name), PreviousBuild); is != previous {
		f.Fatalf("%s runs %q", name, f.Version(name))
	}
}

// frostctl is the command of a release, in the fleet's directory.
func (f *mixed) frostctl(bin string, args ...string) string {
	f.Helper()
	cmd := exec.CommandContext(f.Context(), filepath.Join(bin, "frostctl"), args...)
	cmd.Dir = f.Dir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Fatalf("%s: frostctl %s: %v\n%s", bin, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (f *mixed) generate(bin, file string) {
	f.Helper()
	f.frostctl(bin, "keygen", "--config", "client.toml", "--chain", "bitcoin", "--count", "2", "--out", file)
}

// signs has a release's client sign with the keys of files.
func (f *mixed) signs(bin string, files ...string) {
	f.Helper()
	for _, file := range files {
		key := regexpKey.FindString(read(f.T, filepath.Join(f.Dir(), file)))
		f.frostctl(bin, "sign", "--config", "client.toml", "--keys", file, "--key", key,
			"--message", strings.Repeat("5a", 32))
	}
}

// compact sets what an operator sets once all programs are of this release.
func (f *mixed) compact() {
	f.Helper()
	for _, name := range []string{fleet.GatewayFile, "gateway1/gateway.toml"} {
		path := filepath.Join(f.Dir(), name)
		text := strings.Replace(read(f.T, path), "[gateway]\n", "[gateway]\ncompact_entries = true\n", 1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
}

// generatesCompact makes keys until an entry of them is compact: gateways that start hear the
// nodes before they ask for that.
func (f *mixed) generatesCompact(bin string) {
	f.Helper()
	for i := range 60 {
		if err := os.RemoveAll(filepath.Join(f.Dir(), "compact.jsonl")); err != nil {
			f.Fatal(err)
		}
		f.generate(bin, "compact.jsonl")
		if f.hasCompact(fmt.Sprintf("%d.register", i)) {
			return
		}
		time.Sleep(time.Second)
	}
	f.Fatal("no entry is compact")
}

// hasCompact exports KEYS to a new file, and tells whether it has a compact entry.
func (f *mixed) hasCompact(file string) bool {
	f.Helper()
	return strings.Contains(f.frostctl(f.Bin(), "register", "export", file, "--json", "--manifest", "manifest.json", "--url", f.URL(),
		"--credentials", "nats/administrator.nk", "--tls-ca", "ca.crt"), `"compact"`)
}

// apply has the streams be as a release declares them: the last step of an upgrade, and the
// first one back.
func (f *mixed) apply(bin string) {
	f.Helper()
	f.frostctl(bin, "bus", "apply", "--fleet", fleetName, "--nodes", "3", "--replicas", "3", "--url", f.URL(),
		"--credentials", "nats/administrator.nk", "--tls-ca", "ca.crt")
}
