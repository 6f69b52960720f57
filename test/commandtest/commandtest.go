// Package commandtest holds the command lines of all programs to the same
// conventions.
package commandtest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/frostfleet/frostfleet/internal/command"
)

// A Program is one whose commands are tested.
type Program struct {
	Root  func() *cobra.Command
	Exits []command.Exit
}

// Call runs the program in this process.
func (p Program) Call(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	root := p.Root()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	code = command.Run(t.Context(), root, p.Exits...)
	return out.String(), errs.String(), code
}

// goWords are what only Go programmers understand.
var goWords = []string{
	"context deadline exceeded", "context canceled", "encoding/hex", "cannot unmarshal", "Go struct", "Go value", "strconv.",
	"invalid character '", "unexpected end of JSON", "json:", "EOF", "bufio.", "invalid argument", "dial tcp", "connect:",
	"nats: ", "open ", "read ", "asn1:", "<nil>", "goroutine", "%!",
}

// Plain fails the test if a message has words that only Go programmers
// understand.
func Plain(t *testing.T, stderr string) {
	t.Helper()
	for _, words := range goWords {
		if strings.Contains(stderr, words) {
			t.Errorf("says %q, which has %q in it", stderr, words)
		}
	}
}

// Usage gives every command of the program an unknown subcommand or a
// superfluous argument, an unknown flag, and numbers that are none: each time
// the exit code is 2, and standard error names what is wrong and the usage.
func (p Program) Usage(t *testing.T) {
	t.Chdir(t.TempDir())
	root := p.Root()
	p.Call(t, "", "--help") // gives every program its common commands
	p.usage(t, root)
	for _, args := range []string{"help nonsense", "exit-codes nonsense", "completion nonsense", "nonsense", "--nonsense"} {
		p.wrong(t, "nonsense", strings.Fields(args)...)
	}
	if stdout, _, code := p.Call(t, ""); code != 0 ||
		!strings.Contains(stdout, "Available Commands") && !strings.Contains(stdout, "Usage:") {
		t.Errorf("without arguments: exit code %d, printed %q; want help", code, stdout)
	}
	stdout, _, code := p.Call(t, "", "--version")
	if code != 0 || strings.Contains(stdout, "(devel)") {
		t.Errorf("--version: exit code %d, printed %q", code, stdout)
	}
	stdout, _, code = p.Call(t, "", "exit-codes")
	if code != 0 || !strings.Contains(stdout, "\n2    the command line is wrong\n") {
		t.Errorf("exit-codes: exit code %d, printed %q", code, stdout)
	}
}

func (p Program) usage(t *testing.T, cmd *cobra.Command) {
	path := strings.Fields(cmd.CommandPath())[1:]
	with := func(more ...string) []string { return append(append([]string{}, path...), more...) }
	p.wrong(t, "--nonsense", with("--nonsense")...)
	if cmd.HasSubCommands() && cmd.HasParent() {
		p.wrong(t, "nonsense", with("nonsense")...)
		if !cmd.Runnable() { // else it does something itself
			p.wrong(t, "needs a command", path...)
		}
	}
	if !cmd.HasSubCommands() && !strings.Contains(cmd.Use, "...") {
		p.wrong(t, "", with("one", "two", "three")...)
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		for _, value := range wrongNumbers[f.Value.Type()] {
			p.wrong(t, "--"+f.Name, with("--"+f.Name+"="+value)...)
		}
	})
	for _, c := range cmd.Commands() {
		p.usage(t, c)
	}
}

// wrongNumbers are values that flags of each type refuse.
var wrongNumbers = map[string][]string{
	"int":      {"1.0", "1e3", "x", "", "99999999999999999999", "1 000"},
	"port":     {"1.0", "1e3", "x", "", "-2", "65536", "99999999999999999999"},
	"float64":  {"x", "", "1,5"},
	"duration": {"10", "x", "", "1 hour"},
	"bool":     {"x", ""},
	"hex":      {"xyz", "0x00", "abc", ""},
}

func (p Program) wrong(t *testing.T, says string, args ...string) {
	t.Helper()
	stdout, stderr, code := p.Call(t, "", args...)
	if code != command.CodeUsage || stdout != "" || !strings.Contains(stderr, says) ||
		strings.Count(stderr, "\nusage: ") != 1 {
		t.Errorf("%q: exit code %d, printed %q, said %q; want 2, something about %q, and the usage", args, code, stdout,
			stderr, says)
	}
	Plain(t, stderr)
}

// Files gives a command every kind of wrong file in the place of FILE in its
// arguments: the exit code is one of codes, and standard error names the file
// in plain words.
func (p Program) Files(t *testing.T, args []string, codes ...int) {
	dir := t.TempDir()
	directory := filepath.Join(dir, "directory")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"missing": filepath.Join(dir, "missing"), "directory": directory}
	for name, content := range map[string]string{
		"empty": "", "blank": "\n\n", "binary": "\x7fELF\x02\x01\x00\x00\xff\xfe\x00", "text": "hello\n", "cut off": "{\"version\": 1,",
		"JSON of another kind": "{\"version\": 1, \"x\": [1.0, 1e3, -1]}\n", "a JSON list": "[1, 2]\n", "null": "null\n",
		"numbers":   "{\"version\": 1.0, \"n\": 1e3, \"index\": -1}\n",
		"words":     "{\"version\": \"one\", \"key\": 1, \"client\": 1, \"job\": 1}\n",
		"not hex":   "{\"key\": \"00000000000000000000000000000000.0\", \"message\": \"zz\", \"identity\": \"0x00\"}\n",
		"odd hex":   "{\"key\": \"00000000000000000000000000000000.0\", \"message\": \"abc\", \"identity\": \"abc\"}\n",
		"TOML":      "[network]\ntype = \"regtest\"\n",
		"bad TOML":  "[network\ntype = regtest\n",
		"TOML type": "[network]\ntype = 1.0\n[server]\nport = \"x\"\n[node]\nindex = 1.5\n[client]\nname = 1\n",
		"PEM":       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"huge":      strings.Repeat("x", 17<<20),
	} {
		files[name] = filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(files[name], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			call := make([]string, len(args))
			for i, a := range args {
				call[i] = strings.ReplaceAll(a, "FILE", file)
			}
			stdout, stderr, code := p.Call(t, "", call...)
			fits := false
			for _, c := range codes {
				fits = fits || c == code
			}
			if !fits || stdout != "" || !strings.Contains(stderr, filepath.Base(file)) || len(stderr) > 4<<10 {
				t.Errorf("%q: exit code %d, printed %q, said %.2000q; want %v and the file's name", args, code, stdout,
					stderr, codes)
			}
			Plain(t, stderr)
		})
	}
}
