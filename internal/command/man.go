package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// newMan makes the man pages of a program out of its help, so that they say the same.
func newMan(root *cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages of all commands into a directory",
		Long: `Man writes one page a command into a directory, which is made if it is not
there. With SOURCE_DATE_EPOCH in the environment, the pages have that date.`,
		Example: "  " + root.Name() + " man ~/.local/share/man/man1 && man " + root.Name(),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			plainTree(root)
			header := &doc.GenManHeader{Section: "1", Source: root.Name() + " " + Version(), Manual: "Frostfleet"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return err
			}
			pages, err := filepath.Glob(filepath.Join(args[0], root.Name()+"*.1"))
			if err != nil {
				return err
			}
			if WantJSON(cmd) {
				return PrintJSON(cmd.OutOrStdout(), map[string]any{"directory": args[0], "pages": len(pages)})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d pages are in %s\n", len(pages), args[0])
			return err
		},
	}
	jsonFlag(root, cmd)
	return cmd
}

// plainTree makes Markdown of the help of a command and all below it, as cobra/doc takes that
// for Markdown: what is in the help text stands in the page, letter by letter. No help is
// printed after that.
func plainTree(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true // pages do not change from day to day
	cmd.Short, cmd.Long = markdown.Replace(cmd.Short), page(cmd.Long)
	cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) { f.Usage = markdown.Replace(f.Usage) })
	for _, c := range cmd.Commands() {
		plainTree(c)
	}
}

// markdown escapes what Markdown reads as anything but text.
var markdown = strings.NewReplacer(`\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `{`, `\{`, `}`, `\}`, `[`, `\[`,
	`]`, `\]`,
	`<`, `\<`, `>`, `\>`, `#`, `\#`, `|`, `\|`, `~`, `\~`)

// page is a help text in Markdown. Lines that are laid out by spaces stay as they are.
func page(help string) string {
	var out strings.Builder
	code := false
	for line := range strings.Lines(help) {
		text := strings.TrimRight(line, "\n")
		laidOut := strings.Contains(text, "  ")
		if laidOut != code && text != "" {
			out.WriteByte('\n')
			code = laidOut
		}
		if laidOut {
			out.WriteString("    " + text + "\n")
		} else {
			out.WriteString(markdown.Replace(text) + "\n")
		}
	}
	return out.String()
}
