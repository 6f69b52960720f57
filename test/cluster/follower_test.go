package cluster_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page is a document.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is the part of a page under a heading, up to the next one of any level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n"+heading+"\n")
	if !found {
		t.Fatalf("there is no heading %q", heading)
	}
	if end := regexp.MustCompile(`(?m)^##`).FindStringIndex(outsideBlocks(rest)); end != nil {
		rest = rest[:end[0]]
	}
	return rest
}

var block = regexp.MustCompile("(?s)```sh\n(.*?)```")

// outsideBlocks blanks what may look like a heading and is a comment of a shell.
func outsideBlocks(text string) string {
	return block.ReplaceAllStringFunc(text, func(b string) string { return strings.Repeat(" ", len(b)) })
}

// commands are those of a document's sh blocks, one an entry.
func commands(text string) (all []string) {
	for _, found := range block.FindAllStringSubmatch(text, -1) {
		joined := regexp.MustCompile(`\s*\\\n\s*`).ReplaceAllString(found[1], " ")
		for line := range strings.Lines(joined) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// follower does what a document says, line by line: it runs commands, keeps servers and
// programs in terminals of their own, and does by hand what the lines that begin with #
// ask for.
type follower struct {
	*operator
	servers, programs []*terminal       // in the order of their start
	byHand            map[string]func() // by line
}

var assignment = regexp.MustCompile(`^([A-Z]+)=`)

func (f *follower) follow(line string) {
	f.t.Helper()
	switch {
	case strings.HasPrefix(line, "#"):
		do, known := f.byHand[line]
		if !known {
			f.t.Fatalf("nobody knows how to do this by hand: %s", line)
		}
		do()
	case strings.HasPrefix(line, "cd "):
		f.dir = filepath.Join(f.dir, strings.TrimPrefix(line, "cd "))
	case strings.HasPrefix(line, "("), strings.HasPrefix(line, "frostctl bus serve "):
		f.servers = append(f.servers, f.open(line))
	case strings.Contains(line, " run --config "):
		f.programs = append(f.programs, f.open(line))
	case assignment.MatchString(line):
		name := assignment.FindStringSubmatch(line)[1]
		f.env = append(f.env, name+"="+f.run(line+`; printf %s "$`+name+`"`))
	case strings.HasPrefix(line, "kill ") && strings.Contains(line, "nats/"):
		f.run(line)
		server := running(f.t, f.servers, regexp.MustCompile(`nats/nats-\d`).FindString(line))
		server.ended <- <-server.ended // whoever waits sees it end
	default:
		f.run(line)
	}
}

// followSection does all that stands under a heading of a page.
func (f *follower) followSection(text, heading string) {
	f.t.Helper()
	lines := commands(section(f.t, text, heading))
	if len(lines) == 0 {
		f.t.Fatalf("%s has no commands: the search is broken", heading)
	}
	for _, line := range lines {
		f.follow(line)
	}
}

// running is the newest terminal with a command.
func running(t *testing.T, all []*terminal, command string) *terminal {
	t.Helper()
	for i := len(all) - 1; i >= 0; i-- {
		if strings.Contains(all[i].line, command) {
			return all[i]
		}
	}
	t.Fatalf("nobody started %q", command)
	return nil
}

// kill ends a program as a crash or the loss of its machine does.
func (p *terminal) kill() {
	_ = p.cmd.Process.Kill()
	p.ended <- <-p.ended
}
