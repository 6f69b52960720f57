package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/command/commandtest"
)

var program = commandtest.Program{Root: newRootCommand, Exits: exits}

// TestUsageOfAll: what is wrong with any command line is exit code 2.
func TestUsageOfAll(t *testing.T) { program.Usage(t) }

// TestWrongFiles: whatever stands where a file is named, the error names the
// file and says what is wrong with it.
func TestWrongFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, stderr, code := call(t, "", "fleet", "init", dir); code != 0 {
		t.Fatal(stderr)
	}
	manifest, config := filepath.Join(dir, "manifest.json"), filepath.Join(dir, "client.toml")
	id := strings.Repeat("0", 32) + ".0"
	for name, tt := range map[string]struct {
		args  string
		codes []int
	}{
		"keygen":          {"keygen --chain solana --config FILE", []int{exitError}},
		"sign":            {"sign --key " + id + " --message 00 --config FILE", []int{exitError}},
		"sign --file":     {"sign --file FILE --config " + config, []int{exitError}},
		"jobs":            {"jobs --config FILE", []int{exitError}},
		"verify":          {"verify --keys - --config FILE", []int{exitError}},
		"verify keys":     {"verify --keys FILE --manifest " + manifest, []int{exitError, exitUnproven}},
		"verify manifest": {"verify --keys - --manifest FILE", []int{exitError}},
		"bench":           {"bench keygen --chain solana --config FILE", []int{exitError}},
		"fleet manifest":  {"fleet manifest --name main --network regtest --threshold 2 FILE", []int{exitError}},
		"fleet init":      {"fleet init " + filepath.Join(dir, "new") + " --manifest FILE", []int{exitError}},
		"dev":             {"dev FILE", []int{exitError}},
	} {
		t.Run(name, func(t *testing.T) { program.Files(t, strings.Fields(tt.args), tt.codes...) })
	}
}
