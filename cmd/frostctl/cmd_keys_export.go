package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/secret"
)

var exportFormats = []string{"ndjson", "csv"}

func newKeysExportCommand() *cobra.Command {
	var f keyFilter
	var format, out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write all keys into a file, as NDJSON or CSV",
		Long: `Export writes all keys that the flags choose, as they come: memory does not grow
with their number. The file is there once it is whole, and one that is there
already is not overwritten. Without --out it is standard output.

These are a gateway's words, with labels and addresses. What proves keys are the
files of keygen; what restores a fleet is frostctl register export.` + gatewayHelp,
		Example: `  frostctl keys export --format csv --out keys.csv
  frostctl keys export --label payouts | jq -r .address`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(exportFormats, format) {
				return usagef("--format %.64q: use ndjson or csv", format)
			}
			if _, err := f.query(); err != nil {
				return err
			}
			if out == "" {
				n, err := exportKeys(cmd, &f, format, cmd.OutOrStdout())
				if err == nil && n == 0 {
					note(cmd, "no such key")
				}
				return err
			}
			return exportFile(cmd, &f, format, out)
		},
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&format, "format", "ndjson", "ndjson or csv")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file that is made; one that is there is not overwritten")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(exportFormats, cobra.ShellCompDirectiveNoFileComp))
	addConfigFlag(cmd)
	return cmd
}

// exportLine is the output of keys export --out with --json.
type exportLine struct {
	File string `json:"file"`
	Keys int    `json:"keys"`
}

// exportFile writes beside the file, and gives it its name once it is whole: what is cut off
// never has that name.
func exportFile(cmd *cobra.Command, f *keyFilter, format, path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return &os.PathError{Op: "open", Path: path, Err: os.ErrExist}
	}
	part, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".part-*")
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(part.Name())) }()
	n, err := exportKeys(cmd, f, format, part)
	if err == nil {
		err = part.Sync()
	}
	if err = errors.Join(err, part.Close()); err != nil {
		return err
	}
	if err := os.Link(part.Name(), path); err != nil {
		if errors.Is(err, os.ErrExist) {
			return &os.PathError{Op: "open", Path: path, Err: os.ErrExist}
		}
		return fmt.Errorf("--out: %w", err)
	}
	if err := secret.SyncDir(filepath.Dir(path)); err != nil {
		return err
	}
	return say(cmd, exportLine{path, n}, "%d keys are in %s\n", n, path)
}

// exportKeys streams keys to out, and counts them.
func exportKeys(cmd *cobra.Command, f *keyFilter, format string, out io.Writer) (int, error) {
	q, err := f.query()
	if err != nil {
		return 0, err
	}
	c, err := openGateway(cmd)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	buffered := bufio.NewWriterSize(out, 64<<10)
	lines := &lineCounter{to: buffered, bar: newCounter(cmd, "keys", out)}
	if format == "csv" {
		lines.count = -1 // its head
	}
	err = c.Export(cmd.Context(), q, format, lines)
	lines.bar.finish()
	return max(lines.count, 0), errors.Join(err, buffered.Flush())
}

// lineCounter counts the lines that go through it.
type lineCounter struct {
	to    io.Writer
	count int
	bar   *counter
}

func (l *lineCounter) Write(p []byte) (int, error) {
	n, err := l.to.Write(p)
	l.count += bytes.Count(p[:n], []byte("\n"))
	l.bar.update(max(l.count, 0))
	return n, err
}

// counter shows how far a command is that does not know how far it is to the end: once a
// second, after the first.
type counter struct {
	cmd   *cobra.Command
	what  string
	bar   *progress
	next  time.Time
	quiet bool // results go to a terminal
}

func newCounter(cmd *cobra.Command, what string, out io.Writer) *counter {
	return &counter{cmd: cmd, what: what, next: time.Now().Add(time.Second), quiet: isTerminal(out)}
}

func (c *counter) update(done int) {
	if c.quiet || time.Now().Before(c.next) {
		return
	}
	if c.bar == nil {
		c.bar = newProgress(c.cmd, c.what, unknownTotal)
	}
	c.next = time.Now().Add(time.Second)
	c.bar.update(done, unknownTotal)
}

func (c *counter) finish() {
	if c.bar != nil {
		c.bar.finish()
	}
}
