package examples_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// TestMain is also the command nats of the pages, as far as they use it, and a wallet.
func TestMain(m *testing.M) {
	commands := map[string]func([]string) error{"nats": natsRequest, draftCommand: draftPSBT}
	if run := commands[filepath.Base(os.Args[0])]; run != nil {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// natsRequest is nats req SUBJECT -H "NAME: VALUE" ..., with the payload on
// standard input.
func natsRequest(args []string) error {
	if len(args) < 2 || args[0] != "req" {
		return fmt.Errorf("nats %q: the test knows req only", args)
	}
	message := nats.NewMsg(args[1])
	for i := 2; i+1 < len(args); i += 2 {
		name, value, ok := strings.Cut(args[i+1], ": ")
		if args[i] != "-H" || !ok {
			return fmt.Errorf("nats req %q: not a header", args[i:i+2])
		}
		message.Header.Set(name, value)
	}
	var err error
	if message.Data, err = io.ReadAll(os.Stdin); err != nil {
		return err
	}
	conn, err := nats.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := conn.RequestMsg(message, 10*time.Second)
	if err == nil {
		fmt.Printf("%s\n", answer.Data)
	}
	return err
}

// blocks are the sh blocks of a page.
func blocks(t *testing.T, page string) (found []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range regexp.MustCompile("(?s)\n```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, b[1])
	}
	return found
}

// bash runs a block in a folder. In the output nothing is left of progress.
func bash(t *testing.T, dir, script string, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nof\n%s", err, out, script)
	}
	return regexp.MustCompile(`(?m)^\d+ of \d+ \w+( \(job [0-9a-f-]+\))?\n`).ReplaceAllString(string(out), "")
}

// TestReadme runs what the README has a new user type, against a fleet that
// runs already, and compares what it prints with what the README shows.
func TestReadme(t *testing.T) {
	shell := blocks(t, "README.md")
	if len(shell) != 2 {
		t.Fatalf("the README has %d sh blocks", len(shell))
	}
	frostctl := build(t, "cmd/frostctl")
	path := "PATH=" + filepath.Dir(frostctl) + ":" + os.Getenv("PATH")
	dir := t.TempDir()
	first, second, _ := strings.Cut(shell[0], "\n")
	if !strings.HasPrefix(second, "frostctl dev ./fleet") {
		t.Fatalf("the README starts the fleet with %q", second)
	}
	bash(t, t.TempDir(), first, path)
	f := fleettest.Start(t, fleettest.Options{N: 3, T: 2})
	if err := os.Symlink(f.Dir, filepath.Join(dir, "fleet")); err != nil {
		t.Fatal(err)
	}
	printed := strings.ReplaceAll(bash(t, dir, shell[1], path), "fleet "+fleettest.Name+",", "fleet dev,")
	_, shown, _ := strings.Cut(string(must(t, filepath.Join(root, "README.md"))), "<!-- session -->\n")
	shown, _, _ = strings.Cut(shown, "<!-- /session -->")
	if have, want := shape(printed), shape(regexp.MustCompile(`(?m)^( {4}\$.*)?\n`).ReplaceAllString(shown, "")); have != want {
		t.Errorf("the commands print\n%s\nand the README shows\n%s", have, want)
	}
}

func must(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// shape is a text without what differs from run to run: hexadecimal digits,
// shortened or not, and addresses.
func shape(text string) string {
	text = regexp.MustCompile(`bcrt1p\w+`).ReplaceAllString(text, "ADDRESS")
	text = regexp.MustCompile(`[0-9a-f]+…[0-9a-f]+|\b[0-9a-f]{32,}\b`).ReplaceAllString(text, "HEX")
	return regexp.MustCompile(`(?m)^ {4}`).ReplaceAllString(text, "")
}

// TestSignByShell: the jobs that jobs.md signs and publishes with OpenSSL are done, also if
// a payload ends in a line end, as an editor leaves it: what is signed must be what is
// published. The second is of a PSBT that spends from what the first made.
func TestSignByShell(t *testing.T) {
	var script, ofPSBT string
	for _, b := range blocks(t, "docs/jobs.md") {
		switch {
		case strings.Contains(b, "openssl"):
			script += b
		case strings.Contains(b, `"psbt":`):
			ofPSBT += b
		}
	}
	f := fleettest.Start(t, fleettest.Options{N: 3, T: 2})
	tools := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(tools, "nats")); err != nil {
		t.Fatal(err)
	}
	frostctl := build(t, "cmd/frostctl")
	if err := os.Symlink(frostctl, filepath.Join(tools, "frostctl")); err != nil {
		t.Fatal(err)
	}
	script = strings.Replace(script, "FLEET=dev CLIENT=client0", "FLEET="+fleettest.Name+" CLIENT="+fleettest.Client, 1)
	payload := regexp.MustCompile(`(?m)^printf '\{.* > job\.json\n`)
	ofKeygen := payload.FindString(script)
	if strings.Count(script, ofKeygen) != 1 || !strings.HasSuffix(ofPSBT, " > job.json\n") {
		t.Fatalf("the payloads are not written by\n%s\nand\n%s", script, ofPSBT)
	}
	env := []string{
		"PATH=" + tools + ":" + os.Getenv("PATH"), "NATS_URL=" + f.URL, "FROSTCTL_CONFIG=" + f.ClientFile(),
	}
	publish := func(script, payload, seq string) {
		t.Helper()
		script = strings.Replace(script, ofKeygen, payload+"echo >> job.json\n", 1)
		stored, job, _ := strings.Cut(strings.TrimSpace(bash(t, f.Dir, script+"echo $JOB\n", env...)), "\n")
		if !strings.Contains(stored, seq) {
			t.Fatalf("published: %s", stored)
		}
		awaitDone(t, frostctl, f.ClientFile(), job)
	}
	publish(script, ofKeygen, `"seq":1`)
	bash(t, f.Dir, "frostctl jobs result --payload job.json --json > keys.jsonl\n"+
		"frostctl verify --keys keys.jsonl | grep '^10 keys of 1 jobs'", env...)
	key := writePSBT(t, f.Dir)
	publish("KEY="+key+"\n"+strings.Replace(script, "KIND=keygen", "KIND=sign", 1), ofPSBT, `"seq":2`)
	if printed := bash(t, f.Dir, "frostctl jobs result --payload job.json", env...); !strings.HasPrefix(printed, "02000000000101") {
		t.Errorf("not a transaction: %s", printed)
	}
}

// awaitDone waits for the result of a job, which is to be done.
func awaitDone(t *testing.T, frostctl, config, job string) {
	t.Helper()
	t.Setenv("FROSTCTL_CONFIG", config)
	for range 600 {
		if text, code, _ := output(t, "", frostctl, "jobs", job, "--json"); code == 0 {
			if !strings.Contains(text, `"status":"done"`) {
				t.Errorf("the job ended with %s", text)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the job was not done")
}

// writePSBT writes payment.psbt, which spends from a child of the first key of keys.jsonl, and
// returns that key's id.
func writePSBT(t *testing.T, dir string) string {
	t.Helper()
	var line struct {
		Result struct {
			Keys []wire.Key `json:"keys"`
		} `json:"result"`
	}
	if err := json.Unmarshal(must(t, filepath.Join(dir, "keys.jsonl")), &line); err != nil {
		t.Fatal(err)
	}
	key := line.Result.Keys[0]
	root := derive.Key{Suite: frost.Secp256k1TR, PublicKey: key.PublicKey, ChainCode: [32]byte(key.ChainCode)}
	raw, err := draft.NewPSBT().Spend(root, derive.Path{0, 2}, 60_000).Pay(draft.Payee(), 59_000).Bytes()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "payment.psbt"), raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key.ID
}
