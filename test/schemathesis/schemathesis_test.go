// Package schemathesis_test has Schemathesis make requests of the OpenAPI document of a running
// fleet, thousands of them, as it allows them and as it does not.
package schemathesis_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

var long = flag.Bool("long", false, "ten minutes of requests, other ones each time")

// How many requests Schemathesis makes of each operation in each of two phases, beside those that
// follow from the document alone: about a minute, and ten with -long.
const (
	examples     = 60
	longExamples = 400
)

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := fleettest.Build(); err == nil {
		_ = os.RemoveAll(bin)
	}
	os.Exit(code)
}

// patience is for one answer, however busy the machine is.
const patience = 2 * time.Minute

// program is Schemathesis: $FROSTFLEET_SCHEMATHESIS, or schemathesis.
func program(t *testing.T) string {
	t.Helper()
	name := os.Getenv("FROSTFLEET_SCHEMATHESIS")
	if name == "" {
		name = "schemathesis"
	}
	if text, err := exec.CommandContext(t.Context(), name, "--version").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s\nrun pip install -r test/schemathesis/requirements.txt (or name the program in "+
			"FROSTFLEET_SCHEMATHESIS)", name, err, text)
	}
	return name
}

// TestDocumentIsKept: nothing that Schemathesis asks is answered with a fault (5xx), with a status,
// a media type, a header or a body that the document does not have, or as good if the document
// rules it out; nor without a token. That all that fits its schema is accepted, the document does
// not say: a PSBT is more than base64.
func TestDocumentIsKept(t *testing.T) {
	t.Parallel()
	st := program(t)
	dir := filepath.Join(t.TempDir(), "fleet")
	base := startFleet(t, dir)
	token, err := os.ReadFile(filepath.Join(dir, "http.token"))
	if err != nil {
		t.Fatal(err)
	}
	authorization := "Authorization: Bearer " + strings.TrimSpace(string(token))
	var keys []string // for hooks.py: there is something to ask for
	for _, chain := range []string{"bitcoin", "solana"} {
		keys = append(keys, keygen(t, base, authorization, chain))
	}
	hooks, err := filepath.Abs("hooks.py")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"run", base + "/openapi.json", "--header", authorization, "--checks", "all",
		"--exclude-checks", "positive_data_acceptance", "--suppress-health-check", "all", "--continue-on-failure",
		"--request-timeout", fmt.Sprint(patience.Seconds()),
		"--max-response-time", fmt.Sprint(patience.Seconds()), // the default is 10 s; wait=60s is allowed
		"--generation-database", "none", "--no-color"}
	if *long {
		args = append(args, "--max-examples", fmt.Sprint(longExamples))
	} else {
		args = append(args, "--max-examples", fmt.Sprint(examples), "--seed", "16")
	}
	cmd := exec.CommandContext(t.Context(), st, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "SCHEMATHESIS_HOOKS="+hooks, "FROST_KEYS="+strings.Join(keys, " "),
		"PYTHONDONTWRITEBYTECODE=1")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	_, summary, found := bytes.Cut(text, []byte("= SUMMARY ="))
	if !found || !bytes.Contains(summary, []byte("Stateful")) || !bytes.Contains(summary, []byte("generated")) {
		t.Fatalf("it has tested nothing:\n%s", text)
	}
	t.Logf("%s", summary)
}

// startFleet makes a fleet with software keys, runs it until the test ends, as a person would, and
// returns where it answers.
func startFleet(t *testing.T, dir string) string {
	t.Helper()
	bin, err := fleettest.Build()
	if err != nil {
		t.Fatal(err)
	}
	frostctl := filepath.Join(bin, "frostctl")
	made, err := exec.CommandContext(t.Context(), frostctl, "fleet", "init", dir, "--network", "regtest",
		"--bus-port", fmt.Sprint(freeport.New(t)), "--server-port", "0").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, made)
	}
	var errs bytes.Buffer
	cmd := exec.Command(frostctl, "dev", dir, "--http")
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil || strings.Contains(errs.String(), "panicked") || t.Failed() {
			t.Errorf("frostctl dev: %v\n%s", err, errs.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if base := lines.Text(); strings.HasPrefix(base, "http://") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return base
		}
	}
	t.Fatalf("frostctl dev ended, and said\n%s", errs.String())
	return ""
}

// keygen makes a key and returns its id.
func keygen(t *testing.T, base, authorization, chain string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/keys?wait=60s",
		strings.NewReader(fmt.Sprintf(`{"chain":%q,"count":1}`, chain)))
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(authorization, ": ")
	r.Header.Set(name, value)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	var made struct{ Keys []struct{ ID string } }
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	if err != nil || len(made.Keys) != 1 {
		t.Fatalf("%d %s %v", answer.StatusCode, text, err)
	}
	return made.Keys[0].ID
}
