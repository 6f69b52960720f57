// Command mutants is `make mutants`: it takes one property after the other away
// from the code, and requires that the test named for it fails. It changes nothing
// in the repository: mutated files come in by go's -overlay.
//
// A mutant that survives says that a property has no test. One that does not apply,
// compile or end says nothing, and is an error as well.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// figure is a mutant's line in the report.
type figure struct {
	Name     string  `json:"name"`
	File     string  `json:"file"`
	KilledBy string  `json:"killed_by"`
	Killed   bool    `json:"killed"`
	Seconds  float64 `json:"seconds"`
}

func main() {
	root := flag.String("root", ".", "the module's folder")
	out := flag.String("out", "", "write a report to this file; with -only, others stay as they stand there")
	only := flag.String("only", "", "run the mutants whose name or file matches this regular expression")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *root, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, out, only string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	match, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	list := slices.DeleteFunc(all(), func(m Mutant) bool {
		return !match.MatchString(m.Name) && !match.MatchString(m.Edits[0].File)
	})
	if len(list) == 0 {
		return fmt.Errorf("no mutant matches %q", only)
	}
	if err := checkAll(root, list); err != nil {
		return err
	}
	if err := unmutated(ctx, root, list); err != nil {
		return err
	}
	return kill(ctx, root, list, func(figures []figure) error {
		if out == "" {
			return nil
		}
		return save(out, figures, only != "")
	})
}

// checkAll fails unless all mutants apply and compile and their tests exist.
func checkAll(root string, list []Mutant) error {
	c, err := newChecker(root, list)
	if err != nil {
		return err
	}
	var errs []error
	for i := range list {
		if err := errors.Join(c.check(&list[i]), list[i].findTest(root)); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", list[i].Name, err))
		}
	}
	return errors.Join(errs...)
}

// unmutated runs the tests as they are, those of a package together: one that fails
// anyway kills nothing.
func unmutated(ctx context.Context, root string, list []Mutant) error {
	groups := map[string][]string{}
	for _, m := range list {
		key := strings.Join(append([]string{m.Pkg}, m.Args...), "\t")
		if !slices.Contains(groups[key], m.Test) {
			groups[key] = append(groups[key], m.Test)
		}
	}
	for i, key := range slices.Sorted(maps.Keys(groups)) {
		words := strings.Split(key, "\t")
		pkg, args := words[0], words[1:]
		begun := time.Now()
		out, err := runTests(ctx, root, pkg, groups[key], args, "")
		if err != nil {
			return err
		}
		for _, test := range groups[key] {
			if got := judge(test, out); got != passed {
				return fmt.Errorf("%s %s without a mutant: it %s\n%s", pkg, test, got, text(out))
			}
		}
		fmt.Printf("%3d/%d  passes     %6.1f s  %s without mutants (%d tests)\n",
			i+1, len(groups), time.Since(begun).Seconds(), strings.Join(words, " "), len(groups[key]))
	}
	return nil
}

// kill runs each mutant against its test, and keeps the figures after each, as they
// take a while.
func kill(ctx context.Context, root string, list []Mutant, keep func([]figure) error) (err error) {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var figures []figure
	var alive []error
	for i := range list {
		m := &list[i]
		begun := time.Now()
		overlay, err := writeOverlay(dir, root, m)
		if err != nil {
			return err
		}
		out, err := runTests(ctx, root, m.Pkg, []string{m.Test}, m.Args, overlay)
		if err != nil {
			return err
		}
		got, verdict := judge(m.Test, out), "killed"
		if got != failed {
			verdict = "NOT KILLED"
			alive = append(alive, fmt.Errorf("%s: %s %s\n%s", m.Name, m.Test, got, text(out)))
		}
		took := time.Since(begun).Round(100 * time.Millisecond).Seconds()
		fmt.Printf("%3d/%d  %-10s %6.1f s  %s (%s)\n", i+1, len(list), verdict, took, m.Name, m.Test)
		figures = append(figures, figure{
			Name: m.Name, File: m.Edits[0].File, KilledBy: m.Pkg + " " + m.Test, Killed: got == failed, Seconds: took,
		})
		if err := keep(figures); err != nil {
			return err
		}
	}
	fmt.Printf("%d of %d mutants killed\n", len(list)-len(alive), len(list))
	return errors.Join(alive...)
}

// save writes the report. Figures of mutants that were not run stay, if asked for.
func save(path string, figures []figure, keep bool) error {
	if keep {
		var old []figure
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &old)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, f := range old {
			if !slices.ContainsFunc(figures, func(n figure) bool { return n.Name == f.Name }) {
				figures = append(figures, f)
			}
		}
	}
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
