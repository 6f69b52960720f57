package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/selftest"
)

// TestCheck: of a good client it passes; whatever is broken of what the other
// commands read, it fails, and says all of it at once.
func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string // by name: content
		says  []string
	}{
		"nothing":       {nil, nil},
		"manifest":      {map[string]string{"manifest.json": "{"}, []string{"manifest.json"}},
		"manifest, BOM": {map[string]string{"manifest.json": "\ufeff{}"}, []string{"begins with a byte-order mark"}},
		"key":           {map[string]string{"client.key": "\"00\"\n"}, []string{"client.key_file: key file", "quotes"}},
		"two at once": {map[string]string{"manifest.json": "\xff\xfe{\x00", "access.toml": "[[Client]]\n"},
			[]string{"manifest", "UTF-16", "access.toml:1: Client: unknown key"}},
		"configuration": {map[string]string{"client.toml": "[client]\nName = \"c\"\nkey_file = \"client.key\"\n"},
			[]string{"client.toml:2: client.Name: unknown key: keys are in lower case: client.name"}},
		"another client's key": {map[string]string{"client.key": strings.Repeat("ab", 32) + "\n"},
			[]string{"client c is listed with public key"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "fleet")
			o := fleet.Options{Name: "test", Network: "regtest", N: 1, T: 1, BusPort: 4222, Client: "c"}
			if _, err := fleet.Init(t.Context(), dir, o); err != nil {
				t.Fatal(err)
			}
			for file, content := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			stdout, stderr, code := call(t, "", "check", "--config", filepath.Join(dir, fleet.ClientFile))
			if want := min(len(test.says), 1) * exitError; code != want {
				t.Errorf("exit code %d: %s\n%s", code, stderr, stdout)
			}
			for _, says := range test.says {
				if !strings.Contains(stdout, says) {
					t.Errorf("no %q in\n%s", says, stdout)
				}
			}
			stdout, _, code = call(t, "", "check", "--json", "--config", filepath.Join(dir, fleet.ClientFile))
			var report selftest.Report
			if json.Unmarshal([]byte(stdout), &report) != nil || report.OK != (code == 0) {
				t.Errorf("exit code %d: %s", code, stdout)
			}
		})
	}
}
