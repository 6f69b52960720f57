// Package guide_test runs the commands of docs/aws-kms.md: every sh block, in
// order, by bash with AWS's own command line and the real programs, against
// moto. Each runs twice, and the second run must change nothing.
package guide_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := fleettest.Build(); err == nil {
		_ = os.RemoveAll(bin)
	}
	os.Exit(code)
}

// guide is the page, cut into its fenced blocks by language.
func guide(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/aws-kms.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, b := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		found[b[1]] = append(found[b[1]], b[2])
	}
	if len(found["sh"]) < 8 || len(found["json"]) != 2 || len(found["toml"]) < 1 {
		t.Fatalf("the guide has %d sh, %d json and %d toml blocks: the search is broken",
			len(found["sh"]), len(found["json"]), len(found["toml"]))
	}
	return found
}

// operator is somebody at a shell who follows the guide.
type operator struct {
	t    *testing.T
	moto *kmstest.Moto
	dir  string
	env  []string
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	moto := kmstest.StartMoto(t)
	bin, err := fleettest.Build()
	if err != nil {
		t.Fatal(err)
	}
	dir, tools := t.TempDir(), startAWS(t)
	// The command line takes a variable that is set and empty for a name.
	env := slices.DeleteFunc(
		append(os.Environ(), kmstest.Env()...),
		func(pair string) bool { return strings.HasSuffix(pair, "=") },
	)
	return &operator{t, moto, dir, append(env, "AWS_ENDPOINT_URL="+moto.URL, "PATH="+tools+":"+bin+":"+os.Getenv("PATH"))}
}

// startAWS gives a folder with the command aws.
func startAWS(t *testing.T) (folder string) {
	t.Helper()
	python := os.Getenv("FROSTFLEET_PYTHON")
	script, err := filepath.Abs("aws.py")
	if err != nil {
		t.Fatal(err)
	}
	if folder, err = os.MkdirTemp("", "aws-"); err != nil { // t.TempDir is too long for a socket
		t.Fatal(err)
	}
	socket := filepath.Join(folder, "socket")
	server := exec.Command(python, script, "serve", socket)
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = server.Wait()
		_ = os.RemoveAll(folder)
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("%s has no awscli: run make test, which installs it (test/requirements.txt): %q, %v", python, line, err)
	}
	write(t, filepath.Join(folder, "aws"), "#!/bin/sh\nexec "+python+" -IS "+script+" run "+socket+" \"$@\"\n", 0o700)
	return folder
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// run has bash run a script, which ends with the first command that fails.
func (o *operator) run(script string) string {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), "bash", "-euxo", "pipefail")
	cmd.Dir, cmd.Env, cmd.Stdin = o.dir, o.env, strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// keys counts the keys and aliases that there are, by region.
func (o *operator) keys() string {
	o.t.Helper()
	var all []string
	for _, region := range []string{"us-east-1", "us-west-2"} {
		for _, list := range []string{"Aliases", "Keys"} {
			out, err := kmstest.Do(o.moto.URL, region, "List"+list, nil)
			if err != nil {
				o.t.Fatal(err)
			}
			own := 0
			for _, one := range out[list].([]any) {
				if !strings.Contains(fmt.Sprint(one), "alias/aws/") {
					own++
				}
			}
			all = append(all, fmt.Sprintf("%s %s %d", region, list, own))
		}
	}
	return strings.Join(all, "\n")
}

// TestQuickWay is the guide from role to alarm, with the script of provision.
func TestQuickWay(t *testing.T) {
	t.Parallel()
	found, o := guide(t), newOperator(t)
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(o.dir, "node0.nk"), string(seed)+"\n", 0o600)
	here := strings.NewReplacer("/data/", o.dir+"/", "/etc/frostfleet/", o.dir+"/")
	write(t, filepath.Join(o.dir, "node.toml"), here.Replace(found["toml"][0]), 0o600)
	var script string
	for _, block := range found["sh"] {
		if !byHand(block) {
			script += block
		}
	}
	var cards [2]string
	for i := range cards {
		out := o.run(script)
		for _, want := range []string{"keys generated, signatures verified, everything removed", "true"} {
			if !strings.Contains(out, want) {
				t.Errorf("run %d does not print %q:\n%s", i+1, want, out)
			}
		}
		const want = "us-east-1 Aliases 2\nus-east-1 Keys 2\nus-west-2 Aliases 0\nus-west-2 Keys 0"
		if have := o.keys(); have != want {
			t.Errorf("after run %d there are\n%s\nwant\n%s", i+1, have, want)
		}
		card, err := os.ReadFile(filepath.Join(o.dir, "frost-node-0-card.json"))
		if err != nil {
			t.Fatal(err)
		}
		cards[i] = string(card)
	}
	if cards[0] != cards[1] {
		t.Errorf("the card has changed from\n%s\nto\n%s", cards[0], cards[1])
	}
}

// byHand are the blocks that stand beside the quick way.
func byHand(block string) bool {
	return regexp.MustCompile(`(create-key|replicate-key|put-role-policy) `).MatchString(block)
}

// TestByHand makes keys in two regions without provision.
func TestByHand(t *testing.T) {
	t.Parallel()
	found, o := guide(t), newOperator(t)
	for i, name := range []string{"iam", "derivation"} {
		write(t, filepath.Join(o.dir, "frost-node-0-"+name+".json"), found["json"][i], 0o600)
	}
	script := "MULTI=--multi-region\n"
	for _, block := range found["sh"] {
		if byHand(block) || strings.Contains(block, "create-role ") {
			script += block
		}
	}
	for i := range 2 {
		out := o.run(script)
		if i == 1 && strings.Count(out, `"Enabled"`) != 4 {
			t.Errorf("run %d prints\n%s", i+1, out)
		}
		const want = "us-east-1 Aliases 2\nus-east-1 Keys 2\nus-west-2 Aliases 2\nus-west-2 Keys 2"
		if have := o.keys(); have != want {
			t.Errorf("after run %d there are\n%s\nwant\n%s", i+1, have, want)
		}
	}
}
