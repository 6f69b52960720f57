package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestBenchUsage: a command line that can't be run names the flag, and nothing
// is asked of any fleet.
func TestBenchUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("FROSTCTL_CONFIG", "")
	tests := []struct{ args, says string }{
		{"keygen", "chain"},
		{"keygen --chain dogecoin", "use bitcoin or solana"},
		{"keygen --chain bitcoin", "FROSTCTL_CONFIG"},
		{"keygen --chain bitcoin extra", "extra"},
		{"keygen --chain bitcoin --count 1 --duration 1s", "count duration"},
		{"keygen --chain bitcoin --count 0", "--count 0"},
		{"keygen --chain bitcoin --batch 0", "--batch 0"},
		{"keygen --chain bitcoin --batch 5001", "at most 5000"},
		{"keygen --chain bitcoin --duration 0s", "--duration 0s"},
		{"keygen --chain bitcoin --workers 0", "--workers 0"},
		{"keygen --chain bitcoin --rate 0", "--rate 0"},
		{"keygen --chain bitcoin --rate -1", "--rate -1"},
		{"keygen --chain bitcoin --rate NaN", "--rate NaN"},
		{"keygen --chain bitcoin --rate +Inf", "--rate +Inf"},
		{"keygen --chain bitcoin --timeout 100ms", "--timeout 100ms"},
		{"keygen --chain bitcoin --timeout 31m", "--timeout 31m"},
		{"keygen --chain bitcoin --keys x", "--keys"},
		{"sign --chain bitcoin --batch 1001", "at most 1000"},
		{"sign --chain bitcoin --key-count 0", "--key-count 0"},
		{"sign --chain bitcoin --keys x --key-count 1", "key-count keys"},
		{"mixed --chain bitcoin --count 1", "--count"},
		{"mixed --chain bitcoin --bulk verify", "use sign or keygen"},
		{"mixed --chain bitcoin --bulk sign --batch 1001", "at most 1000"},
		{"mixed --chain bitcoin --bulk keygen --batch 5001", "at most 5000"},
		{"nonsense", "nonsense"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			stdout, stderr, code := call(t, "", strings.Fields("bench "+tt.args)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit code %d, printed %q, said %q; want 2 and something about %q", code, stdout, stderr, tt.says)
			}
		})
	}
}

func TestBenchHelp(t *testing.T) {
	for _, name := range []string{"", "keygen", "sign", "mixed"} {
		args := strings.Fields("bench " + name)
		stdout, _, code := call(t, "", append(args, "--help")...)
		if code != 0 || !strings.Contains(stdout, "Examples:\n  frostctl bench") || !strings.Contains(stdout, "KEYS") && name == "" {
			t.Errorf("%v --help: exit code %d\n%s", args, code, stdout)
		}
	}
}

// TestBenchAsks: on a network that is not regtest nothing happens without
// --yes, not even a file.
func TestBenchAsks(t *testing.T) {
	for _, network := range []string{"mainnet", "testnet", "signet", "regtest"} {
		t.Run(network, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "fleet")
			args := []string{"fleet", "init", dir, "--network", network}
			if network == "mainnet" {
				args = append(args, "--allow-insecure")
			}
			if _, stderr, code := call(t, "", args...); code != 0 {
				t.Fatal(stderr)
			}
			// A folder that is missing is found after the question, and before the
			// fleet is.
			hgrm := filepath.Join(dir, "missing", "sign.hgrm")
			args = []string{"bench", "sign", "--chain", "solana", "--hgrm", hgrm, "--config", filepath.Join(dir, "client.toml")}
			refused := network != "regtest"
			for _, yes := range []bool{false, true} {
				if yes {
					args = append(args, "--yes")
				}
				_, stderr, code := call(t, "", args...)
				if refused && !yes {
					if code != exitUsage || !strings.Contains(stderr, "is on "+network) || !strings.Contains(stderr, "--yes") {
						t.Errorf("without --yes: exit code %d, said %q", code, stderr)
					}
				} else if code != exitError || !strings.Contains(stderr, "--hgrm: "+hgrm) {
					t.Errorf("yes %t: exit code %d, said %q", yes, code, stderr)
				}
			}
		})
	}
}

// TestBenchOutcome: the exit code tells why jobs failed; busy is no failure as
// long as something was done.
func TestBenchOutcome(t *testing.T) {
	refused := &client.JobError{Job: "x", Code: client.CodeNotOwner}
	tests := []struct {
		name  string
		loads []*loadgen.Report
		code  int
		says  string
	}{
		{"done", []*loadgen.Report{{Started: 1, Done: 1}}, 0, ""},
		{"some busy", []*loadgen.Report{{Started: 3, Done: 1, Busy: 2}}, 0, ""},
		{"all busy", []*loadgen.Report{{Name: "sign", Started: 2, Busy: 2}}, exitBusy, "none of 2 jobs"},
		{"refused", []*loadgen.Report{{Started: 1, Done: 1}, {Name: "bulk", Started: 3, Done: 1, Failed: 2, FirstError: refused}}, exitRefused, "bulk: 2 of 3 jobs failed"},
		{"late", []*loadgen.Report{{Started: 1, Failed: 1, FirstError: client.ErrNoAnswer}}, exitTimeout, "1 of 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := outcome(tt.loads)
			if code := command.ExitCode(err, exits); code != tt.code || tt.says != "" && !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("%v, exit code %d; want %d and %q", err, code, tt.code, tt.says)
			}
		})
	}
}

func TestIsBusy(t *testing.T) {
	if !is[*client.BusyError](fmt.Errorf("publishing: %w", errors.Join(io.EOF, &client.BusyError{}))) || is[*client.BusyError](io.EOF) || is[*client.BusyError](nil) {
		t.Error("busy is a *client.BusyError and nothing else")
	}
}

// TestBenchItems: any number of items from any number of keys, each message
// once, and none that a chain takes for a transaction.
func TestBenchItems(t *testing.T) {
	b := &benchmark{chain: "solana"}
	for i := range 3 {
		b.signers = append(b.signers, client.Key{ID: fmt.Sprint(i), PublicKey: []byte{byte(i)}})
	}
	seen := map[string]bool{}
	for i := range 10 {
		used := map[string]int{}
		for _, it := range b.items(i, 6) {
			if seen[string(it.Message)] {
				t.Errorf("message %q comes twice", it.Message)
			}
			seen[string(it.Message)] = true
			used[it.Key]++
			if it.Key != fmt.Sprint(it.PublicKey[0]) {
				t.Errorf("key %s with public key %x", it.Key, it.PublicKey)
			}
		}
		if len(used) != 3 || used["0"] != 2 || used["1"] != 2 {
			t.Errorf("six messages under keys %v", used)
		}
	}
	if m := string(b.message(1, 2)); !strings.HasPrefix(m, "frostctl bench ") {
		t.Errorf("message %q", m)
	}
	b.chain = "bitcoin"
	if m := b.message(1, 2); len(m) != 32 || bytes.Equal(m, b.message(2, 1)) {
		t.Errorf("message %x", m)
	}
}

func TestBenchComplete(t *testing.T) {
	m := &client.Manifest{N: 24, T: 16}
	o := benchmark{chain: "bitcoin", count: 3, duration: 1}
	o.complete(m)
	suite, _ := wire.ChainSuite("bitcoin")
	if want := wire.BatchSize(suite, 24, 16); o.batch != want || want >= 1000 || o.duration != 0 {
		t.Errorf("batch %d, want %d; duration %s", o.batch, want, o.duration)
	}
	o = benchmark{chain: "solana", batch: 7, duration: 1}
	if o.complete(m); o.batch != 7 || o.duration != 1 {
		t.Errorf("%+v", o)
	}
}

// TestBenchProgress: jobs of how many, or seconds where that is not known, and
// only what is new.
func TestBenchProgress(t *testing.T) {
	tests := []struct {
		load loadgen.Load
		want string
	}{
		{loadgen.Load{Count: 4}, `{"progress":"jobs","done":3,"total":4}`},
		{loadgen.Load{Rate: 2, Duration: 2e9}, `{"progress":"jobs","done":3,"total":4}`},
		{loadgen.Load{Duration: 9e9}, `{"progress":"seconds","done":7,"total":9}`},
	}
	for _, tt := range tests {
		var errs bytes.Buffer
		cmd := &cobra.Command{}
		cmd.Flags().Bool("json", true, "")
		cmd.SetErr(&errs)
		bar := newLoadProgress(cmd, &tt.load)
		for range 2 {
			tt.load.Progress(loadgen.Snapshot{Elapsed: 7e9, Started: 9, Done: 1, Failed: 1, Busy: 1})
		}
		bar.finish()
		if errs.String() != tt.want+"\n" {
			t.Errorf("said %q, want %q once", errs.String(), tt.want)
		}
	}
}

// TestBenchKeysFile: a file without the chain's keys is an error that says how
// to make some.
func TestBenchKeysFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.jsonl")
	if err := os.WriteFile(path, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &benchmark{chain: "solana", keys: path, cmd: new(cobra.Command), c: new(client.Client)}
	if err := b.readKeys(); err == nil || !strings.Contains(err.Error(), "frostctl keygen --chain solana --out "+path) {
		t.Errorf("got %v", err)
	}
}
