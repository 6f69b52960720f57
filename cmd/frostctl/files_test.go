package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/test/commandtest"
)

var program = commandtest.Program{Root: newRootCommand, Exits: exits}

// TestHelpOfAll: every command explains itself, in the same words as the others.
func TestHelpOfAll(t *testing.T) { program.Help(t) }

// TestUsageOfAll: what is wrong with any command line is exit code 2.
func TestUsageOfAll(t *testing.T) { program.Usage(t) }

// TestWrongFiles: whatever stands where a file is named, the error names the
// file and says what is wrong with it.
func TestWrongFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, stderr, code := call(t, "", "fleet", "init", dir); code != 0 {
		t.Fatal(stderr)
	}
	ceremony, spare := filepath.Join(dir, "ceremony.key"), t.TempDir()
	if _, stderr, code := call(t, "", "reconstruct", "keygen", "-o", ceremony); code != 0 {
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
		"keygen resumed":  {"keygen --resume FILE --config " + config, []int{exitError}},
		"jobs result":     {"jobs result --jobs FILE --config " + config, []int{exitError}},
		"job's payload":   {"jobs result --payload FILE --config " + config, []int{exitError}},
		"sign psbt":       {"sign psbt FILE --config " + config, []int{exitError}},
		"tx show":         {"tx show FILE --manifest " + manifest, []int{exitError}},
		"approve":         {"approve FILE --approver a --approver-key " + manifest + " --manifest " + manifest, []int{exitError}},
		"jobs publish":    {"jobs publish FILE --config " + config, []int{exitError}},
		"verify":          {"verify --keys - --config FILE", []int{exitError}},
		"verify keys":     {"verify --keys FILE --manifest " + manifest, []int{exitError, exitUnproven}},
		"verify manifest": {"verify --keys - --manifest FILE", []int{exitError}},
		"bench":           {"bench keygen --chain solana --config FILE", []int{exitError}},
		"fleet manifest":  {"fleet manifest --name main --network regtest --threshold 2 FILE", []int{exitError}},
		"fleet init":      {"fleet init " + filepath.Join(dir, "new") + " --manifest FILE", []int{exitError}},
		"dev":             {"dev FILE", []int{exitError}},
		"reconstruct":     {"reconstruct --print --key " + ceremony + " FILE", []int{exitError}},
		"ceremony's key":  {"reconstruct -o " + spare + "/roots --key FILE " + manifest, []int{exitError}},
		"sign-solana":     {"reconstruct sign-solana --root " + id + " --key " + ceremony + " -t FILE " + manifest, []int{exitError}},
	} {
		t.Run(name, func(t *testing.T) { program.Files(t, strings.Fields(tt.args), tt.codes...) })
	}
}

// TestNobodyListens: a server that is not there is an error of the connection,
// not a job that may still be done.
func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "nats://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, stderr, code := call(t, "", "fleet", "init", dir, "--bus-url", url); code != 0 {
		t.Fatal(stderr)
	}
	config := filepath.Join(dir, "client.toml")
	job := "0198c0de-7a10-7cc3-98c4-dc0c0c07398f"
	for name, args := range map[string][]string{
		"keygen":    {"keygen", "--chain", "solana", "--config", config},
		"sign":      {"sign", "--key", strings.Repeat("0", 32) + ".0", "--message", "00", "--config", config},
		"jobs":      {"jobs", job, "--config", config},
		"bench":     {"bench", "keygen", "--chain", "solana", "--config", config},
		"bus check": {"bus", "check", "--fleet", "dev", "--nodes", "3", "--url", url},
		"bus apply": {"bus", "apply", "--fleet", "dev", "--nodes", "3", "--url", url},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			root := newRootCommand()
			var errs bytes.Buffer
			root.SetArgs(args)
			root.SetErr(&errs)
			code := command.Run(ctx, root, exits...)
			if said := errs.String(); code != exitError || !strings.Contains(said, url) || !strings.Contains(said, "check the address") {
				t.Errorf("exit code %d, said %q", code, said)
			}
			commandtest.Plain(t, errs.String())
		})
	}
}
