package cluster_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commands are those of a document's sh blocks, one an entry.
func commands(t *testing.T, text string) (all []string) {
	t.Helper()
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		joined := regexp.MustCompile(`\s*\\\n\s*`).ReplaceAllString(block[1], " ")
		for line := range strings.Lines(joined) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	if len(all) < 10 {
		t.Fatalf("%d commands: the search is broken", len(all))
	}
	return all
}

// TestDocument follows docs/cluster.md from its first command to its last. The
// README.md that the first one writes has no other commands.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile("../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := commands(t, string(page))
	f := follower{operator: newOperator(t)}
	for i, line := range lines {
		f.follow(line)
		if i == 1 { // in the directory
			readme, err := os.ReadFile(filepath.Join(f.dir, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range commands(t, string(readme)) {
				known := func(l string) bool { return f.ports.Replace(l) == line }
				if !slices.ContainsFunc(lines, known) {
					t.Errorf("docs/cluster.md lacks a command of README.md: %s", line)
				}
			}
		}
	}
	if len(f.programs) != 4 || len(f.servers) != 4 {
		t.Errorf("%d programs and %d servers started: the page lacks something", len(f.programs), len(f.servers))
	}
}

// follower does what a document says.
type follower struct {
	*operator
	servers, programs []*terminal
}

func (f *follower) follow(line string) {
	f.t.Helper()
	switch {
	case strings.HasPrefix(line, "cd "):
		f.dir = filepath.Join(f.dir, strings.TrimPrefix(line, "cd "))
	case strings.HasPrefix(line, "("):
		f.servers = append(f.servers, f.open(line))
	case strings.Contains(line, " run --config "):
		f.programs = append(f.programs, f.open(line))
	case strings.HasPrefix(line, "sleep "):
		f.firstReload()
	case strings.Contains(line, " --config clients/"):
		f.followed()
		f.run(line)
	default:
		f.run(line)
	}
}

// firstReload waits for what the document sleeps for. The new account is as
// useless as the page says.
func (f *follower) firstReload() {
	f.t.Helper()
	for _, s := range append(f.servers[:1:1], f.servers[2:]...) { // the second was killed
		s.awaits("Reloaded server configuration")
	}
	cmd := f.command("frostctl bus check --fleet main --credentials clients/treasury/client.nk --tls-ca ca.crt " +
		"--url tls://127.0.0.1:4222 --timeout 2s")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "nothing answers there") {
		f.t.Errorf("one reload is enough for a new account now, the page can say so: %v %s", err, out)
	}
}

// followed waits for every program to have the list that the new client is in.
func (f *follower) followed() {
	f.t.Helper()
	for _, p := range f.programs {
		p.awaits("access list changed: client treasury was added")
	}
}
