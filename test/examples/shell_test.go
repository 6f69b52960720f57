package examples_test

import (
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

	"github.com/frostfleet/frostfleet/test/fleettest"
)

// TestMain is also the command nats of the pages, as far as they use it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "nats" {
		if err := natsRequest(os.Args[1:]); err != nil {
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

// TestSignByShell: the job that jobs.md signs and publishes with OpenSSL is
// done, also if its payload ends in a line end, as an editor leaves it: what is signed
// must be what is published.
func TestSignByShell(t *testing.T) {
	var script string
	for _, b := range blocks(t, "docs/jobs.md") {
		if strings.Contains(b, "openssl") {
			script += b
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
	payload := " > job.json\n"
	if strings.Count(script, payload) != 1 {
		t.Fatalf("the payload is not written once by\n%s", script)
	}
	script = strings.Replace(script, payload, payload+"echo >> job.json\n", 1)
	env := []string{"PATH=" + tools + ":" + os.Getenv("PATH"), "NATS_URL=" + f.URL}
	out := bash(t, f.Dir, script+"echo $JOB\n", env...)
	stored, job, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if !strings.Contains(stored, `"seq":1`) {
		t.Fatalf("published: %s", out)
	}
	t.Setenv("FROSTCTL_CONFIG", f.ClientFile())
	for range 600 {
		if text, code, _ := output(t, "", frostctl, "jobs", job, "--json"); code == 0 {
			if !strings.Contains(text, `"status":"done"`) {
				t.Errorf("the job ended with %s", text)
			}
			env = append(env, "FROSTCTL_CONFIG="+f.ClientFile())
			bash(t, f.Dir, "frostctl jobs result --payload job.json --json > keys.jsonl\n"+
				"frostctl verify --keys keys.jsonl | grep '^10 keys of 1 jobs'", env...)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the job was not done")
}
