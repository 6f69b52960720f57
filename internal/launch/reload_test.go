package launch

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/reload"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// took is what a thing makes of texts, in words.
func took(thing reload.Thing, text string) (what string, t reload.Taken) {
	t, err := thing.Take([][]byte{[]byte(text)})
	what = strings.Join(t.Changed, "; ")
	if err != nil {
		what = "error: " + err.Error()
	}
	return what, t
}

// TestAccessList: what changed is named, and grave if it takes something away; a bad list
// is named and changes nothing.
func TestAccessList(t *testing.T) {
	dir, _ := newFleet(t, 2)
	path := filepath.Join(dir, fleet.AccessFile)
	file, err := os.ReadFile(path)
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
	var used []*wire.Access
	manifests := func() []*wire.Manifest { return []*wire.Manifest{m} }
	thing := accessList(path, manifests, first, func(a *wire.Access) { used = append(used, a) })
	text := string(file)
	if what, _ := took(thing, text); what != "" || len(used) != 0 {
		t.Errorf("an unchanged list: %d used, %s", len(used), what)
	}
	if what, _ := took(thing, "nonsense"); !strings.HasPrefix(what, "error: "+path+":1") || len(used) != 0 {
		t.Errorf("a bad list: %d used, %s", len(used), what)
	}
	revoking := text + fmt.Sprintf("[[revoked]]\nidentity = \"%x\"\n[[revoked]]\nnode = 9\n"+
		"[[revoked]]\ngateway = \"gateway-0\"\n", []byte(m.Nodes[1].Identity))
	what, taken := took(thing, revoking)
	if len(used) != 1 || !used[0].RevokesNode(m, 1) || used[0].RevokesNode(m, 0) || !taken.Grave ||
		!strings.Contains(what, "was revoked") {
		t.Errorf("a revocation: %d used, %s", len(used), what)
	}
	got := strings.Join(taken.Warnings, "; ")
	if !strings.Contains(got, "revokes node 9, which the manifest does not have") ||
		!strings.Contains(got, "revokes gateway gateway-0, which it does not have") {
		t.Errorf("revocations of nobody: %s", got)
	}
	if what, taken := took(thing, text); len(used) != 2 || used[1].RevokesNode(m, 1) || taken.Grave ||
		!strings.Contains(what, "is revoked no more") {
		t.Errorf("taken back: %d used, %s", len(used), what)
	}
}

func policyText(name string) string {
	return "version = 1\n[[rule]]\nname = \"" + name + "\"\nclients = [\"*\"]\nkeys = [\"*\"]\nkinds = [\"psbt\"]\n"
}

// TestPolicyOf: a new policy is used, the same one in other words is not, and one that
// can't be used leaves the one before in force.
func TestPolicyOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.toml")
	n := &config.Node{Network: config.Network{Type: "regtest"}, Node: config.NodeSection{Policy: path}}
	var used []*policy.Policy
	var fails error
	thing := policyOf(n, [32]byte{}, func(p *policy.Policy) error { used = append(used, p); return fails })
	for _, step := range []struct {
		text  string
		fails error
		want  string
		used  int
	}{
		{policyText("first"), nil, "the policy's hash is ", 1},
		{"# the same\n" + policyText("first"), nil, "", 1},
		{"nonsense", nil, "error: " + path + ":1", 1},
		{policyText("second"), errors.New("no such key"), "error: policy file " + path + " cannot be used: no such key", 2},
		{policyText("second"), nil, "the policy's hash is ", 3},
		{policyText("second"), nil, "", 3},
	} {
		fails = step.fails
		what, taken := took(thing, step.text)
		if !strings.HasPrefix(what, step.want) || step.want == "" && what != "" || len(used) != step.used ||
			taken.Grave != (len(taken.Changed) > 0) {
			t.Errorf("%q: %d used, %q, want %q", step.text, len(used), what, step.want)
		}
	}
}

const tokenSection = `[node.key_provider]
type = "pkcs11"
pkcs11_library = "/lib/token.so"
token_label = "a"
key_label = "b"
derivation_key_label = "c"
pin = "123456"
`

// TestNodeSettings: log level and prices count at once, once the whole file is good; what
// else changed is named as long as the program has not started with it.
func TestNodeSettings(t *testing.T) {
	dir, _ := newFleet(t, 1)
	path := filepath.Join(dir, fleet.NodeFile(0))
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(file), "[node.key_provider]")
	_, bus, _ := strings.Cut(string(file), "[bus]")
	text := before + tokenSection + "[bus]" + bus
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := LoadNode(path)
	if err != nil {
		t.Fatal(err)
	}
	p := newProgram(Options{Level: new(slog.LevelVar)}, telemetry.RoleWorker, "worker-0")
	p.registry = prometheus.NewRegistry()
	p.metrics = telemetry.NewMetrics(p.registry, telemetry.Identity{Role: telemetry.RoleWorker, Nodes: 1, Threshold: 1})
	p.metrics.ForProvider(n.Node.KeyProvider.Backend, n.Node.KeyProvider.Section.Charges())
	thing := p.nodeSettings(n)
	prices := "[node.key_provider.prices]\nsign = 2.5\nkey_month = 1\n"
	for _, step := range []struct {
		name, text, changed, warned string
		level                       slog.Level
	}{
		{"the same", "# in other words\n" + text, "", "", slog.LevelInfo},
		{"a level", text + "[log]\nlevel = \"debug\"\n", "log.level is debug, it was info", "", slog.LevelDebug},
		{"a bad level, and prices", text + "[log]\nlevel = \"loud\"\n" + prices, "error: " + path + ":", "", slog.LevelDebug},
		{"half a file", text[:len(text)/2], "error: " + path + ":", "", slog.LevelDebug},
		{"prices", text + "[log]\nlevel = \"debug\"\n" + prices, "node.key_provider.prices.sign is 2.5, it was 0; " +
			"node.key_provider.prices.key_month is 1, it was 0", "", slog.LevelDebug},
		{"a PIN and a level", strings.Replace(text, `pin = "123456"`, `pin = "654321"`, 1) + prices,
			"log.level is info, it was debug", "they need a restart: node.key_provider.pin", slog.LevelInfo},
		{"the PIN again", strings.Replace(text, `pin = "123456"`, `pin = "654321"`, 1) + prices,
			"", "they need a restart: node.key_provider.pin", slog.LevelInfo},
		{"as at first", text, "node.key_provider.prices.sign is 0, it was 2.5; " +
			"node.key_provider.prices.key_month is 0, it was 1", "", slog.LevelInfo},
	} {
		what, taken := took(thing, step.text)
		warned := strings.Join(taken.Warnings, "; ")
		if !strings.HasPrefix(what, step.changed) || step.changed == "" && what != "" ||
			!strings.HasSuffix(warned, step.warned) || step.warned == "" && warned != "" || p.Level.Level() != step.level {
			t.Errorf("%s: %q, %q, %v\nwant %q, %q, %v", step.name, what, warned, p.Level.Level(), step.changed, step.warned,
				step.level)
		}
		if strings.Contains(what+warned, "123456") || strings.Contains(what+warned, "654321") {
			t.Errorf("%s: shows a PIN: %q, %q", step.name, what, warned)
		}
	}
	p.Level = nil // the command line gave it
	if what, taken := took(thing, text+"[log]\nlevel = \"debug\"\n"); what != "" ||
		!strings.Contains(strings.Join(taken.Warnings, ""), "log.level was not taken") {
		t.Errorf("a level against the command line: %q, %q", what, taken.Warnings)
	}
}
