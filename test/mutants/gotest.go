package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// outcome is what a run of one test came to.
type outcome int

const (
	passed   outcome = iota
	failed           // the test itself said so
	unbuilt          // it did not compile
	timedOut         // it was ended from outside, which shows nothing
	missing          // it did not run
)

func (o outcome) String() string {
	return [...]string{"passed", "failed", "did not build", "timed out", "did not run to its end"}[o]
}

// testLimit ends a test that hangs under a mutant. A test that waits for what no
// longer happens gives up before that by itself.
const testLimit = "10m"

// event is a line of go test -json.
type event struct{ Action, Test, Output string }

// runTests runs tests of a package, with what overlay names in place of the sources,
// and returns what go test -json printed.
func runTests(ctx context.Context, root, pkg string, tests, args []string, overlay string) ([]byte, error) {
	all := []string{"test", "-json", "-count=1", "-vet=off", "-timeout", testLimit,
		"-run", "^(" + strings.Join(tests, "|") + ")$"}
	if overlay != "" {
		all = append(all, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", slices.Concat(all, []string{"./" + pkg}, args)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		return nil, errors.Join(err, ctx.Err())
	}
	return out, nil
}

// judge reads what a run of a test printed.
func judge(test string, out []byte) outcome {
	result := missing
	for line := range bytes.Lines(out) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		switch {
		case e.Action == "build-fail":
			return unbuilt
		case strings.HasPrefix(e.Output, "panic: test timed out after"):
			return timedOut
		case e.Test == test && e.Action == "pass":
			result = passed
		case e.Test == test && e.Action == "fail":
			result = failed
		}
	}
	return result
}

// text is the end of what a run said, for people.
func text(out []byte) string {
	var all strings.Builder
	for line := range bytes.Lines(out) {
		var e event
		if json.Unmarshal(line, &e) != nil {
			e.Output = string(line)
		}
		all.WriteString(e.Output)
	}
	s := all.String()
	return s[max(0, len(s)-2000):]
}

// writeOverlay leaves the mutant's files in a folder, and what go's -overlay reads.
func writeOverlay(dir, root string, m *Mutant) (string, error) {
	sources, err := m.apply(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for path, source := range sources {
		replace[path] = filepath.Join(dir, strconv.Itoa(len(replace))+"-"+filepath.Base(path))
		if err := os.WriteFile(replace[path], source, 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
