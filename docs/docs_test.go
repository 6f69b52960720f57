// Package docs holds the pages of this folder against the code.
package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// source is a parsed file of the module.
type source struct {
	path string // from the root, with slashes
	file *ast.File
}

// sources parses the Go files below the given folders of the module.
func sources(t *testing.T, folders ...string) (files []source) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join("..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			files = append(files, source{filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))), file})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// unquoted is the value of a string literal.
func unquoted(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

var tag = regexp.MustCompile(`^(frostfleet/|BIP0|TapTweak|FROST-)`)

func TestEveryTagIsDocumented(t *testing.T) {
	text, count := page(t, "protocol.md"), 0
	for _, s := range sources(t, "internal", "client") {
		if s.isTest() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := unquoted(n); ok && tag.MatchString(lit) {
				count++
				if !strings.Contains(text, strings.TrimSpace(lit)) {
					t.Errorf("protocol.md does not have the tag %q of %s", lit, s.path)
				}
			}
			return true
		})
	}
	if count < 30 {
		t.Errorf("found %d tags: the search is broken", count)
	}
}

func TestEveryCodeIsDocumented(t *testing.T) {
	text, count := page(t, "protocol.md"), 0
	for _, s := range sources(t, "internal/wire", "internal/frost") {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") || len(spec.Values) != 1 {
				return true
			}
			if code, ok := unquoted(spec.Values[0]); ok {
				count++
				if !strings.Contains(text, "| `"+code+"` |") {
					t.Errorf("protocol.md does not have the code %s (%s)", code, s.path)
				}
			}
			return true
		})
	}
	if count < 20 {
		t.Errorf("found %d codes: the search is broken", count)
	}
}

// TestEveryFieldIsDocumented: the CBOR keys of each message stand under its
// name, in rows of key and field.
func TestEveryFieldIsDocumented(t *testing.T) {
	text, count := page(t, "protocol.md"), 0
	cborKey := regexp.MustCompile(`cbor:"(\d+),`)
	for _, s := range sources(t, "internal/wire") {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			_, section, _ := strings.Cut(text, "### `"+spec.Name.Name+"`\n")
			section, _, _ = strings.Cut(section, "\n##")
			for _, f := range structure.Fields.List {
				if f.Tag == nil {
					continue
				}
				key := cborKey.FindStringSubmatch(f.Tag.Value)
				if key == nil {
					continue
				}
				count++
				if row := fmt.Sprintf("| %s | `%s` |", key[1], f.Names[0].Name); !strings.Contains(section, row) {
					t.Errorf("protocol.md, section `%s`: no row %q", spec.Name.Name, row)
				}
			}
			return true
		})
	}
	if count < 40 {
		t.Errorf("found %d fields: the search is broken", count)
	}
}

func TestLimits(t *testing.T) {
	text := page(t, "protocol.md")
	for name, value := range map[string]any{
		"MaxNodes": wire.MaxNodes, "MaxJobSize": wire.MaxJobSize, "MaxMessageSize": wire.MaxMessageSize,
		"MaxJobKeys": wire.MaxJobKeys, "MaxJobItems": wire.MaxJobItems, "MaxJobLife": wire.MaxJobLife,
		"DelegationLife": wire.DelegationLife, "MaxAttempts": wire.MaxAttempts, "MaxBatch": frost.MaxBatch, "MaxMessage": frost.MaxMessage,
	} {
		shown := fmt.Sprint(value)
		if n, ok := value.(int); ok {
			shown = thousands(n)
		}
		if row := "| `" + name + "` | " + shown + " |"; !strings.Contains(text, row) {
			t.Errorf("protocol.md has no row %q", row)
		}
	}
	for _, name := range []string{"maxFaults", "maxDeliveries", "suspectAfter"} {
		if row := "| `" + name + "` | " + constant(t, name) + " |"; !strings.Contains(text, row) {
			t.Errorf("protocol.md has no row %q", row)
		}
	}
}

// constant is the literal value of an unexported constant.
func constant(t *testing.T, name string) (value string) {
	t.Helper()
	for _, s := range sources(t, "internal/protocol", "internal/gateway") {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && spec.Names[0].Name == name && len(spec.Values) == 1 {
				if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
					value = lit.Value
				}
			}
			return true
		})
	}
	if value == "" {
		t.Errorf("no constant %s", name)
	}
	return value
}

func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// TestDraft: pages name the draft of BIP 445 that the code implements, and no other.
func TestDraft(t *testing.T) {
	named := regexp.MustCompile(`BIP 445 draft (\d+\.\d+\.\d+)`)
	for _, name := range []string{"protocol.md", "../README.md", "../CHANGELOG.md"} {
		found := named.FindAllStringSubmatch(page(t, name), -1)
		if len(found) == 0 {
			t.Errorf("%s names no draft of BIP 445", name)
		}
		for _, draft := range found {
			if draft[1] != bip445.Draft {
				t.Errorf("%s says %s; the code implements %s", name, draft[0], bip445.Draft)
			}
		}
	}
}

func TestEverySubjectIsDocumented(t *testing.T) {
	var declared struct {
		Streams []struct {
			Name     string   `json:"name"`
			Subjects []string `json:"subjects"`
		} `json:"streams"`
	}
	if err := json.Unmarshal([]byte(page(t, "../nats/streams.json")), &declared); err != nil {
		t.Fatal(err)
	}
	text := page(t, "protocol.md")
	for _, s := range declared.Streams {
		_, row, ok := strings.Cut(text, "\n| "+s.Name+" | ")
		if !ok {
			t.Errorf("protocol.md does not have the stream %s", s.Name)
		}
		row, _, _ = strings.Cut(row, "\n")
		for _, subject := range s.Subjects {
			if !strings.Contains(row, "`"+subject+"`") {
				t.Errorf("protocol.md, stream %s: no subject %s", s.Name, subject)
			}
		}
	}
}

// TestDiagrams: the arrows of the diagrams are the legal moves, no more and no
// fewer.
func TestDiagrams(t *testing.T) {
	text := page(t, "protocol.md")
	for table, heading := range map[string]string{
		"dkgMoves": "### One batch at one node\n", "signMoves": "### One session at one node\n",
	} {
		_, diagram, _ := strings.Cut(text, heading)
		diagram, _, _ = strings.Cut(diagram, "\n##")
		drawn := map[string]bool{}
		for _, arrow := range regexp.MustCompile(`(?m)^ +(\w+ --> \w+)`).FindAllStringSubmatch(diagram, -1) {
			drawn[arrow[1]] = true
		}
		legal := moves(t, table)
		if len(legal) < 5 {
			t.Errorf("%s: found %d moves: the search is broken", table, len(legal))
		}
		for move := range legal {
			if !drawn[move] {
				t.Errorf("protocol.md does not draw %s of %s", move, table)
			}
		}
		for move := range drawn {
			if !legal[move] {
				t.Errorf("protocol.md draws %s, which %s does not allow", move, table)
			}
		}
	}
}

// moves reads a table of legal moves: map[phase][]phase.
func moves(t *testing.T, table string) map[string]bool {
	t.Helper()
	name := func(e ast.Expr) string {
		ident, _ := e.(*ast.Ident)
		if ident == nil {
			t.Fatalf("%s: a phase is not a constant", table)
		}
		return strings.TrimPrefix(strings.TrimPrefix(ident.Name, "dkg"), "sign")
	}
	found := map[string]bool{}
	for _, s := range sources(t, "internal/protocol") {
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Names[0].Name != table || len(spec.Values) != 1 {
				return true
			}
			for _, row := range spec.Values[0].(*ast.CompositeLit).Elts {
				kv := row.(*ast.KeyValueExpr)
				for _, next := range kv.Value.(*ast.CompositeLit).Elts {
					found[name(kv.Key)+" --> "+name(next)] = true
				}
			}
			return false
		})
	}
	return found
}

// TestNamedTestsExist: a page that says which test shows something is right.
func TestNamedTestsExist(t *testing.T) {
	exist := map[string]bool{}
	for _, s := range sources(t, "internal", "client", "test", "nats", "cmd", "docs") {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.isTest() && f.Recv == nil {
				exist[f.Name.Name] = true
			}
		}
	}
	for _, path := range pages(t) {
		for _, name := range regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`").FindAllStringSubmatch(page(t, path), -1) {
			if !exist[name[1]] {
				t.Errorf("%s names the test %s, which does not exist", path, name[1])
			}
		}
	}
}

// TestLinks: every relative link leads to a file.
func TestLinks(t *testing.T) {
	for _, path := range pages(t) {
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(page(t, path), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), link[1])); err != nil {
				t.Errorf("%s links to %s: %v", path, link[1], err)
			}
		}
	}
}

func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"../README.md", "../CHANGELOG.md", "../CONTRIBUTING.md", "../SECURITY.md"}
	for _, pattern := range []string{"*.md", "adr/*.md"} {
		matches, err := filepath.Glob(pattern)
		if err != nil || len(matches) == 0 {
			t.Fatalf("no pages match %s: %v", pattern, err)
		}
		found = append(found, matches...)
	}
	return found
}

// widePages have rows from before there was a limit. The one that is generated is as wide
// as its functions' names.
var widePages = []string{"architecture.md", "benchmarks.md", "cluster.md", "hsm.md", "jobs.md", "performance.md",
	"protocol.md", "register.md", "testing.md", "tracing.md"}

// TestRowsFitAScreen: a table whose rows are wider than this is a list, or says less.
func TestRowsFitAScreen(t *testing.T) {
	const widest = 140
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages, %v: the search is broken", len(pages), err)
	}
	for _, name := range pages {
		if slices.Contains(widePages, name) {
			continue
		}
		for i, line := range strings.Split(page(t, name), "\n") {
			if n := utf8.RuneCountInString(line); strings.HasPrefix(line, "|") && n > widest {
				t.Errorf("%s:%d: a row of %d columns, and %d fit", name, i+1, n, widest)
			}
		}
	}
}
