package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTable: every mutant still applies, compiles, and names a test that is there.
// Whether the tests kill them, make mutants says.
func TestTable(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	list, seen := all(), map[string]bool{}
	c, err := newChecker(root, list)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		m := &list[i]
		t.Run(m.Name, func(t *testing.T) {
			if seen[m.Name] || m.Name == "" || m.Breaks == "" {
				t.Error("the name is empty or taken, or nothing says what breaks")
			}
			seen[m.Name] = true
			if err := c.check(m); err != nil {
				t.Error(err)
			}
			if err := m.findTest(root); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestStaleMutants: a mutant that no longer fits the code is an error, and no pass.
func TestStaleMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]Mutant{
		"0 times":     edit("gone", setFile, "no such text", ""),
		"6 times":     edit("twice", setFile, "frost", ""),
		"no such":     edit("no file", "internal/wire/nothing.go", "x", ""),
		"expected":    edit("no syntax", setFile, "return ", "return ("),
		"undefined":   edit("no types", setFile, "Be32(c.Index)", "be31(c.Index)"),
		"not built":   edit("no source", "internal/wire/codec_test.go", "func TestClip(", "func TestClipp("),
		"has no test": edit("no test", setFile, "Be32(c.Index), ", "").killed("", inWire, "TestNothing"),
		"adapt the ":  edit("no change", setFile, "Be32(c.Index)", "Be32(c.Index)"),
	} {
		err := checkAll(root, []Mutant{m})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something about %q", m.Name, err, want)
		}
	}
}

func TestJudge(t *testing.T) {
	for want, lines := range map[outcome]string{
		passed: `{"Action":"run","Test":"TestA"}` + "\n" + `{"Action":"pass","Test":"TestA"}`,
		failed: `{"Action":"pass","Test":"TestA/b"}` + "\n" + `{"Action":"fail","Test":"TestA"}` + "\n" +
			`{"Action":"fail"}`,
		unbuilt: `{"ImportPath":"x","Action":"build-fail"}` + "\n" + `{"Action":"fail","FailedBuild":"x"}`,
		timedOut: `{"Action":"output","Test":"TestA","Output":"panic: test timed out after 10m0s\n"}` + "\n" +
			`{"Action":"fail","Test":"TestA"}`,
		missing: `{"Action":"output","Output":"testing: warning: no tests to run\n"}` + "\n" + `{"Action":"pass"}`,
	} {
		if got := judge("TestA", []byte(lines)); got != want {
			t.Errorf("%s is taken for %s", want, got)
		}
	}
}

var update = flag.Bool("update", false, "write the table of docs/testing.md anew")

// TestPage: docs/testing.md has the table.
func TestPage(t *testing.T) {
	const page, begin, end = "../../docs/testing.md", "<!-- mutants -->\n", "<!-- end of mutants -->\n"
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(old), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no lines %q and %q", page, begin, end)
	}
	var table strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&table, "\n### %s\n\n| what must hold | without it | killed by |\n| --- | --- | --- |\n", p.title)
		for _, m := range p.mutants {
			fmt.Fprintf(&table, "| %s | %s | `%s` %s |\n", m.Breaks, m.Name, m.Pkg, m.Test)
		}
	}
	want := head + begin + table.String() + "\n" + end + tail
	switch {
	case *update:
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case want != string(old):
		t.Errorf("%s has another table than test/mutants: go test ./test/mutants -run TestPage -update", page)
	}
}
