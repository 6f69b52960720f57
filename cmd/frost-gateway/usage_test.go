package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/selftest"
	"github.com/frostfleet/frostfleet/test/commandtest"
)

var program = commandtest.Program{Root: newRootCommand}

func TestUsage(t *testing.T) { program.Usage(t) }

// TestHelp: every command explains itself, in the same words as the other programs.
func TestHelp(t *testing.T) { program.Help(t) }

func TestWrongFiles(t *testing.T) {
	program.Files(t, []string{"run", "--config", "FILE"}, command.CodeError)
}

func call(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	root := newRootCommand()
	root.SilenceUsage = true
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&out)
	err = root.ExecuteContext(t.Context())
	return out.String(), err
}

// TestCheck: of a good gateway it passes; whatever is broken of what run reads,
// it fails and says where, and run does not start.
func TestCheck(t *testing.T) {
	for name, test := range map[string]struct{ file, text, says string }{
		"nothing":       {"gateway/other.toml", "", ""},
		"configuration": {"gateway/gateway.toml", "[server]\nRole = \"gateway\"\nhost = \"[::1]\"\n", "gateway.toml:2: server.Role: unknown key"},
		"manifest":      {"manifest.json", "{", "manifest.json"},
		"access list":   {"access.toml", "[[gateway]]\nname = \"a b\"\n", "access.toml:2: gateway[0].name"},
		"key":           {"gateway/gateway.key", "00\n", "64 hexadecimal digits"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "fleet")
			if _, err := fleet.Init(t.Context(), dir, fleet.Options{Name: "test", Network: "regtest", N: 1, T: 1, BusPort: 4222, Client: "c"}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, fleet.GatewayFile)
			if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, err := call(t, "check", "--config", path)
			if (err == nil) != (test.says == "") || !strings.Contains(stdout, test.says) {
				t.Errorf("%v\n%s", err, stdout)
			}
			stdout, err = call(t, "check", "--json", "--config", path)
			var report selftest.Report
			if at := strings.LastIndex(stdout, "}\n"); json.Unmarshal([]byte(stdout[:at+1]), &report) != nil || report.OK != (err == nil) || len(report.Steps) != 5 {
				t.Errorf("%s", stdout)
			}
			if test.says == "" {
				return
			}
			if _, err := call(t, "run", "--config", path); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("run: %v", err)
			}
		})
	}
}
