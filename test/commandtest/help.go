package commandtest

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/frostfleet/frostfleet/internal/command"
)

// Help holds the help of every command to what people rely on: a sentence, a text, and an
// example that its own flags understand; flags of the one vocabulary; lines that fit a
// terminal; a man page that says the same.
func (p Program) Help(t *testing.T) {
	t.Helper()
	root := p.Root()
	root.SetArgs([]string{"--help"})
	var out bytes.Buffer
	root.SetOut(&out)
	if code := command.Run(t.Context(), root, p.Exits...); code != 0 { // it has the common commands now
		t.Fatal(code)
	}
	pages := t.TempDir()
	if _, stderr, code := p.Call(t, "", "man", pages); code != 0 {
		t.Fatal(stderr)
	}
	letters := map[string]string{} // what each stands for
	p.help(t, root, pages, letters)
}

// words that are no texts of ours: cobra's.
var foreign = []string{"completion", "bash", "zsh", "fish", "powershell", "help"}

func (p Program) help(t *testing.T, cmd *cobra.Command, pages string, letters map[string]string) {
	path := cmd.CommandPath()
	if cmd.Short == "" || cmd.HasParent() && cmd.Long == "" && !slices.Contains(foreign, cmd.Name()) {
		t.Errorf("%s: no sentence and text of help", path)
	}
	if cmd.HasParent() {
		example(t, cmd)
	}
	if !slices.Contains(foreign, cmd.Name()) {
		for line := range strings.Lines(cmd.Long) {
			if uniseg.StringWidth(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("%s: a line of help is too long: %s", path, line)
			}
		}
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "version" || slices.Contains(foreign, cmd.Name()) {
			return
		}
		word := vocabulary[f.Name]
		if !slices.Contains(strings.Fields(word), kind(f)) {
			t.Errorf("%s: --%s is %s, and the vocabulary has %q: take a word that is there, or put this one in",
				path, f.Name, kind(f), word)
		}
		if f.Usage == "" {
			t.Errorf("%s: --%s has no text", path, f.Name)
		}
		if name, taken := letters[f.Shorthand]; f.Shorthand != "" && taken && name != f.Name {
			t.Errorf("%s: -%s is --%s here and --%s elsewhere", path, f.Shorthand, f.Name, name)
		}
		letters[f.Shorthand] = f.Name
	})
	if !slices.Contains(foreign, cmd.Name()) {
		manPage(t, cmd, pages)
	}
	for _, c := range cmd.Commands() {
		p.help(t, c, pages, letters)
	}
}

// manPage wants every word of the help in the page of a command.
func manPage(t *testing.T, cmd *cobra.Command, pages string) {
	path := cmd.CommandPath()
	text, err := os.ReadFile(filepath.Join(pages, strings.ReplaceAll(path, " ", "-")+".1"))
	if err != nil {
		t.Error(err)
	}
	page := plainPage(string(text))
	for _, word := range strings.Fields(cmd.Short + " " + cmd.Long + " " + cmd.Example) {
		if !strings.Contains(page, word) {
			t.Errorf("%s: the man page lacks %q", path, word)
			break
		}
	}
}

// kind is a flag's type, and its letter.
func kind(f *pflag.Flag) string {
	if f.Shorthand == "" {
		return f.Value.Type()
	}
	return f.Value.Type() + "/" + f.Shorthand
}

// example wants one of the command itself, whose flags the program has.
func example(t *testing.T, cmd *cobra.Command) {
	path := cmd.CommandPath()
	if !strings.Contains(cmd.Example, path) {
		t.Errorf("%s: no example of it", path)
		return
	}
	for line := range strings.Lines(cmd.Example) {
		for _, call := range calls.Split(line, -1) {
			words := strings.Fields(call)
			if len(words) == 0 || words[0] != cmd.Root().Name() {
				continue
			}
			called, rest, err := cmd.Root().Find(words[1:])
			if err != nil {
				t.Errorf("%s: example %q: %v", path, call, err)
				continue
			}
			for _, word := range rest {
				name, isFlag := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(name, "=")
				if isFlag && called.Flag(name) == nil {
					t.Errorf("%s: example %q: %s has no --%s", path, call, called.CommandPath(), name)
				}
			}
		}
	}
}

// calls are what separates commands on a line of shell.
var calls = regexp.MustCompile(`&&|[|;>&(]|\) `)

// plainPage is the text of a man page without what formats it.
func plainPage(page string) string {
	page = strings.NewReplacer(`\-`, "-", `\&`, "", `\\`, `\`, `\fB`, "", `\fP`, "", `\fI`, "", `\fR`, "", `\(aq`, "'",
		`\(bu`, "-").Replace(page)
	return page
}
