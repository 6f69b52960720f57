package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// checker says whether a mutant compiles, without compiling it: go list names the
// compiled form of everything that the package imports, and go/types does the rest.
// That takes milliseconds, so that CI can do it for the whole table.
type checker struct {
	root    string
	exports map[string]string   // by import path
	files   map[string][]string // by import path, absolute
}

func newChecker(root string, list []Mutant) (*checker, error) {
	c := &checker{root: root, exports: map[string]string{}, files: map[string][]string{}}
	args := []string{"list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export"}
	for _, m := range list {
		for _, e := range m.Edits {
			if pkg := "./" + path.Dir(e.File); !slices.Contains(args, pkg) {
				args = append(args, pkg)
			}
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir, Export string
			GoFiles                 []string
		}
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return c, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		}
		c.exports[p.ImportPath] = p.Export
		for _, f := range p.GoFiles {
			c.files[p.ImportPath] = append(c.files[p.ImportPath], filepath.Join(p.Dir, f))
		}
	}
}

// check applies a mutant and returns why the result does not compile.
func (c *checker) check(m *Mutant) error {
	sources, err := m.apply(c.root)
	if err != nil {
		return err
	}
	for changed := range sources {
		dir, err := filepath.Rel(c.root, filepath.Dir(changed))
		if err != nil {
			return err
		}
		pkg := module + filepath.ToSlash(dir)
		if !slices.Contains(c.files[pkg], changed) {
			return fmt.Errorf("%s is not built here", changed)
		}
		if err := c.compile(pkg, sources); err != nil {
			return err
		}
	}
	return nil
}

// compile checks the types of a package, some of whose files are replaced.
func (c *checker) compile(pkg string, replace map[string][]byte) error {
	var files []*ast.File
	fset := token.NewFileSet()
	for _, name := range c.files[pkg] {
		var text any
		if source, ok := replace[name]; ok {
			text = source
		}
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(c.exports[path]) }
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", open)}
	_, err := conf.Check(pkg, fset, files, nil)
	return err
}

// findTest returns an error unless the package has the mutant's test.
func (m *Mutant) findTest(root string) error {
	names, err := filepath.Glob(filepath.Join(root, m.Pkg, "*_test.go"))
	if err != nil {
		return err
	}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == m.Test {
				return nil
			}
		}
	}
	return fmt.Errorf("%s has no test %s", m.Pkg, strings.TrimSpace(m.Test))
}
