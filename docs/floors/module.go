package floors

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

const module = "github.com/frostfleet/frostfleet/"

// House is the module's production code: what imports what, and what each
// package says that it is.
type House struct {
	Imports  Graph
	Synopsis map[string]string
}

// Module reads the packages below root, the module's folder.
func Module(root string) (*House, error) {
	h := &House{Graph{}, map[string]string{}}
	found, err := load(root, packages.NeedName|packages.NeedImports|packages.NeedFiles|packages.NeedSyntax,
		"./cmd/...", "./client/...", "./internal/...", "./nats/...")
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		name := strings.TrimPrefix(p.PkgPath, module)
		h.Imports.add(name, name)
		for path := range p.Imports {
			if own, ok := strings.CutPrefix(path, module); ok {
				h.Imports.add(name, own)
			}
		}
		for _, file := range p.Syntax {
			if text := file.Doc.Text(); text != "" && h.Synopsis[name] == "" {
				h.Synopsis[name] = sentence(text)
			}
		}
	}
	return h, nil
}

func load(root string, mode packages.LoadMode, patterns ...string) ([]*packages.Package, error) {
	found, err := packages.Load(&packages.Config{Mode: mode, Dir: root}, patterns...)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if len(p.Errors) > 0 {
			return nil, p.Errors[0]
		}
	}
	return found, nil
}

// sentence is the first of a package comment, or what it says before a colon,
// without its "Package x".
func sentence(text string) string {
	text, _, _ = strings.Cut(strings.Join(strings.Fields(text), " ")+" ", ". ")
	text, _, _ = strings.Cut(text, ": ")
	words := strings.SplitN(text, " ", 3)
	if len(words) == 3 && (words[0] == "Package" || words[0] == "Command") {
		text = words[2]
	}
	return strings.TrimSuffix(strings.TrimSpace(text), ".")
}

// Print writes the house as Markdown: the floors, then a row for each package.
func (h *House) Print(w io.Writer) error {
	plan := h.Imports.Plan()
	var b strings.Builder
	fmt.Fprintf(&b, "%d packages on %d floors, %d arrows, %d upward.\n\n```text\n",
		len(h.Imports), len(plan.Floors), plan.Arrows, len(plan.Upward))
	for i, rooms := range slices.Backward(plan.Floors) {
		for n, line := range wrap(rooms, 110) {
			label := "  "
			if n == 0 {
				label = fmt.Sprintf("%2d", i)
			}
			fmt.Fprintf(&b, "%s  %s\n", label, line)
		}
	}
	b.WriteString("```\n\n| floor | package | | imports |\n| --- | --- | --- | --- |\n")
	for i, rooms := range slices.Backward(plan.Floors) {
		for _, room := range rooms {
			var uses []string
			for _, used := range slices.Sorted(maps.Keys(h.Imports[room])) {
				uses = append(uses, strings.TrimPrefix(used, "internal/"))
			}
			fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", i, room, h.Synopsis[room], strings.Join(uses, ", "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap puts names into lines of at most width columns.
func wrap(names []string, width int) (lines []string) {
	line := ""
	for _, name := range names {
		if line != "" && len(line)+2+len(name) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += "  "
		}
		line += name
	}
	return append(lines, line)
}

// Rooms reads the files of one package and what they use of each other: names
// of the package, methods and fields.
func Rooms(root, pattern string) (Graph, error) {
	if !strings.HasPrefix(pattern, ".") {
		pattern = "./" + pattern
	}
	found, err := load(root, packages.NeedName|packages.NeedFiles|packages.NeedImports|packages.NeedTypes|
		packages.NeedTypesInfo|packages.NeedSyntax, pattern)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%s is %d packages: name one", pattern, len(found))
	}
	g, p := Graph{}, found[0]
	for _, file := range p.GoFiles {
		g.add(filepath.Base(file), filepath.Base(file))
	}
	for ident, object := range p.TypesInfo.Uses {
		if object.Pkg() == p.Types {
			g.add(filepath.Base(p.Fset.Position(ident.Pos()).Filename), filepath.Base(p.Fset.Position(object.Pos()).Filename))
		}
	}
	return g, nil
}

// Print writes a plan of rooms as text.
func (p Plan) Print(w io.Writer) error {
	var b strings.Builder
	for i, rooms := range slices.Backward(p.Floors) {
		for n, line := range wrap(rooms, 110) {
			label := "  "
			if n == 0 {
				label = fmt.Sprintf("%2d", i)
			}
			fmt.Fprintf(&b, "%s  %s\n", label, line)
		}
	}
	fmt.Fprintf(&b, "%d floors, %d arrows, %d upward\n", len(p.Floors), p.Arrows, len(p.Upward))
	for _, a := range p.Upward {
		fmt.Fprintf(&b, "  up: %s uses %s\n", a.From, a.To)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
