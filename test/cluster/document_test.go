package cluster_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
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
	if f.restarted < 4 || len(f.servers) != 4 {
		t.Errorf("%d programs restarted and %d servers started: the page lacks something", f.restarted, len(f.servers))
	}
}

// follower does what a document says.
type follower struct {
	*operator
	servers, programs []*terminal
	restarted         int
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
	case strings.HasPrefix(line, "# restart "):
		f.restart()
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

// restart stops each program in order, and goes on when it is ready again.
func (f *follower) restart() {
	f.t.Helper()
	place := map[string]int{"gateway/gateway.toml": 0, "node0/node.toml": 1, "node1/node.toml": 2, "node2/node.toml": 3}
	for i, p := range f.programs {
		p.stop(syscall.SIGTERM)
		f.programs[i] = f.open(p.line)
		f.awaitReady(place[p.line[strings.LastIndexByte(p.line, ' ')+1:]])
		f.restarted++
	}
}
