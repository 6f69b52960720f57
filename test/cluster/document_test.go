package cluster_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDocument follows docs/cluster.md from its first command to its last. The
// README.md that the first one writes has no other commands.
func TestDocument(t *testing.T) {
	lines := commands(page(t, "cluster.md"))
	if len(lines) < 10 {
		t.Fatalf("%d commands: the search is broken", len(lines))
	}
	f := reader{follower{operator: newOperator(t)}}
	for i, line := range lines {
		f.follow(line)
		if i == 1 { // in the directory
			readme, err := os.ReadFile(filepath.Join(f.dir, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range commands(string(readme)) {
				known := func(l string) bool { return f.here(l) == line }
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

// reader follows docs/cluster.md, and waits where the page says that something takes
// a moment.
type reader struct{ follower }

func (r *reader) follow(line string) {
	r.t.Helper()
	switch {
	case strings.HasPrefix(line, "sleep "):
		r.firstReload()
		return
	case strings.Contains(line, " --config clients/"):
		r.followed()
	}
	r.follower.follow(line)
}

// firstReload waits for what the document sleeps for. The new account is as
// useless as the page says.
func (f *reader) firstReload() {
	f.t.Helper()
	for _, s := range append(f.servers[:1:1], f.servers[2:]...) { // the second was killed
		s.awaits("Reloaded server configuration")
	}
	cmd := f.command("frostctl bus check --fleet main --nodes 3 --credentials clients/treasury/client.nk " +
		"--tls-ca ca.crt --url tls://127.0.0.1:4222 --timeout 2s")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "nothing answers there") {
		f.t.Errorf("one reload is enough for a new account now, the page can say so: %v %s", err, out)
	}
}

// followed waits for every program to have the list that the new client is in.
func (f *reader) followed() {
	f.t.Helper()
	for _, p := range f.programs {
		p.awaits("changed=\"client treasury was added\"")
	}
}
