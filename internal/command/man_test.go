package command

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestMan: a page for each command, which says what the help says, whatever Markdown or roff
// make of its characters; and the same bytes each time.
func TestMan(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	const hard = "Prints tr([f]xpub/<0;1>/*)#sum, a_b_c, `x`, ~y~, {z|w}, \\d and *stars*.\n\n  --one  laid out\n  --two  by spaces\n\n" +
		".TH is no macro here.\n'nor is this"
	tree := func() *cobra.Command {
		root := &cobra.Command{Use: "program", Short: "A program"}
		sub := &cobra.Command{Use: "sub <X>", Short: "Does <this> and *that*", Long: hard, Example: "  program sub <X>",
			Run: func(*cobra.Command, []string) {}}
		sub.Flags().String("flag", "", "a <value> of *them*")
		root.AddCommand(sub)
		return root
	}
	dirs := []string{filepath.Join(t.TempDir(), "made", "man1"), t.TempDir()}
	for _, dir := range dirs {
		root := tree()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs([]string{"man", dir})
		prepare(root, nil)
		if err := root.Execute(); err != nil || !strings.HasSuffix(out.String(), " pages are in "+dir+"\n") {
			t.Fatalf("%v, %s", err, &out)
		}
	}
	pages, err := filepath.Glob(filepath.Join(dirs[0], "*.1"))
	if err != nil || len(pages) < 5 {
		t.Fatalf("%v, %v", pages, err)
	}
	for _, path := range pages {
		one, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(filepath.Join(dirs[1], filepath.Base(path)))
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs the second time: %v", path, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dirs[0], "program-sub.1"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.NewReplacer(`\-`, "-", `\&`, "", `\\`, `\`, `\fB`, "", `\fP`, "").Replace(string(text))
	for _, want := range []string{"Does <this> and *that*",
		"tr([f]xpub/<0;1>/*)#sum, a_b_c, `x`, ~y~, {z|w}, \\d and *stars*.",
		"  --one  laid out\n  --two  by spaces\n", ".TH is no macro here.", "'nor is this", "a <value> of *them*",
		"program sub <X>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, ".TH is") || strings.HasPrefix(line, "'nor") {
			t.Errorf("a line of the help is a macro: %s", line)
		}
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{"": "", "one two three": "one two\n three",
		"longer-than-that": "longer-than-that"} {
		if got := wrap(text, 8, "\n "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestJSONErrors: with --json an error is an object on standard error, with its exit code.
func TestJSONErrors(t *testing.T) {
	for args, want := range map[string]string{
		"--json sub":       `{"error":"no such thing","exit_code":1}` + "\n",
		"--json sub extra": `{"error":"unexpected argument \"extra\"","exit_code":2,"usage":"program sub [flags]"}` + "\n",
		"sub":              "program: no such thing\n",
	} {
		root := &cobra.Command{Use: "program"}
		root.PersistentFlags().Bool("json", false, "")
		root.AddCommand(&cobra.Command{Use: "sub", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return errors.New("no such thing") }})
		var errs bytes.Buffer
		root.SetErr(&errs)
		root.SetArgs(strings.Fields(args))
		prepare(root, nil)
		cmd, err := root.ExecuteC()
		if report(cmd, err, ExitCode(err, nil)); errs.String() != want {
			t.Errorf("%s: %q, want %q", args, errs.String(), want)
		}
	}
}
