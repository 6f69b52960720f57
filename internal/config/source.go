package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// source knows where each key of a file stands, and collects what is wrong.
//
// The lines come from go-toml's parser, which is exported as "unstable": the
// decoder itself gives positions for its own errors only, and an error about a
// value without its line is half an error. FuzzLoad holds the two together.
type source struct {
	path, dir string         // dir is absolute
	table     string         // keys are given without this
	lines     map[string]int // line of each key and table: node.index, client[1].name
	entries   []entry        // in file order
	broken    bool           // the entries end at a fault in the syntax
	bad       map[string]bool
	errors    Errors
}

var _ keyprovider.Table = (*source)(nil)

// entry is a table, or a key with its value.
type entry struct {
	path    string // in lower case
	written string // as the file has it
	line    int
	value   []byte // from the equals sign on; nil: a table
}

// element is one table of a list.
func (e entry) element(i int) entry {
	e.path = fmt.Sprintf("%s[%d]", e.path, i)
	return e
}

// walk collects the entries of a file, up to a fault in its syntax.
type walk struct {
	*source
	text        []byte
	passed, row int // the line feeds before an offset
}

func newSource(path, dir string, text []byte) *source {
	s := &source{path: path, dir: dir, lines: map[string]int{}, bad: map[string]bool{}}
	w := walk{source: s, text: text, row: 1}
	lists := map[string]int{} // how often [[name]] was seen
	table, twice := "", false
	p := unstable.Parser{}
	for p.Reset(text); p.NextExpression(); {
		e := p.Expression()
		if e.Kind == unstable.KeyValue {
			if !twice {
				w.keyValue(table, e)
			}
			continue
		}
		header, _ := w.entry("", e.Key())
		if name := header.path; e.Kind == unstable.ArrayTable {
			header = header.element(lists[name])
			lists[name]++
		}
		table, twice = header.path, !s.add(header)
	}
	s.broken = p.Error() != nil
	s.form(text)
	return s
}

// form notes the first thing that is not as TOML has it, unless its line has an
// error already: a key that is there twice.
func (s *source) form(text []byte) {
	wrong, ok := errors.AsType[*toml.DecodeError](toml.Unmarshal(text, new(struct{})))
	if !ok {
		return
	}
	line, _ := wrong.Position()
	key := strings.Join(wrong.Key(), ".")
	if s.broken {
		key = "" // it is not known, this is the one before
	}
	if !slices.ContainsFunc(s.errors, func(e *Error) bool { return e.Line == line }) {
		s.note(line, key, message(wrong))
	}
}

func (w *walk) keyValue(table string, kv *unstable.Node) {
	e, end := w.entry(table, kv.Key())
	e.value = w.text[end : kv.Raw.Offset+kv.Raw.Length]
	w.value(e, kv.Value())
}

// value adds an entry. Inline tables are tables like others.
func (w *walk) value(e entry, v *unstable.Node) {
	children := v.Children()
	switch {
	case v.Kind == unstable.InlineTable:
		e.value = nil
		for ok := w.add(e); ok && children.Next(); {
			w.keyValue(e.path, children.Node())
		}
	case v.Kind == unstable.Array && v.Child() != nil && v.Child().Kind == unstable.InlineTable:
		for i := 0; children.Next(); i++ {
			w.value(e.element(i), children.Node())
		}
	default:
		w.add(e)
	}
}

var bareKey = regexp.MustCompile(`^\w[\w-]*$`)

// entry joins a dotted key to its table, and finds where it ends. Keys come in file
// order, so the lines are counted once.
func (w *walk) entry(table string, key unstable.Iterator) (e entry, end int) {
	e = entry{path: table, written: table}
	for key.Next() {
		node := key.Node()
		if start := int(node.Raw.Offset); end == 0 {
			w.row += bytes.Count(w.text[w.passed:start], []byte("\n"))
			w.passed, e.line = start, w.row
		}
		end = int(node.Raw.Offset + node.Raw.Length)
		e.written = join(e.written, string(node.Data))
		e.path = join(e.path, strings.ToLower(string(node.Data)))
	}
	return e, end
}

// join quotes a key that would not be one on its own, so that "a.b" is not a.b.
func join(table, key string) string {
	if !bareKey.MatchString(strings.ToLower(key)) {
		key = strconv.Quote(key)
	}
	if table == "" {
		return key
	}
	return table + "." + key
}

// add notes an entry, unless it is there twice: the first counts.
func (s *source) add(e entry) bool {
	if first, dup := s.lines[e.path]; dup {
		what := "key"
		if e.value == nil {
			what = "table"
		}
		s.note(e.line, e.path, fmt.Sprintf("this %s is there twice: line %d has it too", what, first))
		return false
	}
	s.lines[e.path] = e.line
	s.entries = append(s.entries, e)
	return true
}

// Has reports whether the file sets a key.
func (s *source) Has(key string) bool {
	_, ok := s.lines[s.table+key]
	return ok
}

// hasTable reports whether the file has a table, or any that are part of it.
func (s *source) hasTable(name string) bool {
	for path := range s.lines {
		if path == name || strings.HasPrefix(path, name+".") {
			return true
		}
	}
	return false
}

// line finds a key's line, or its table's.
func (s *source) line(key string) int {
	for key != "" {
		if line, ok := s.lines[key]; ok {
			return line
		}
		key = key[:max(strings.LastIndexByte(key, '.'), 0)]
	}
	return 0
}

func (s *source) note(line int, key, message string) {
	s.errors = append(s.errors, &Error{s.path, line, key, message})
}

// Fail notes an error, unless the key had one already.
func (s *source) Fail(key, format string, args ...any) {
	if key = s.table + key; !s.bad[key] {
		s.bad[key] = true
		s.note(s.line(key), key, fmt.Sprintf(format, args...))
	}
}

func (s *source) result() error {
	if len(s.errors) == 0 {
		return nil
	}
	return s.errors.sorted()
}

// again judges the same file anew.
func (s *source) again() *source {
	return &source{path: s.path, dir: s.dir, lines: s.lines, bad: map[string]bool{}}
}

// Absolute makes a path in the file absolute, and leaves an empty one.
func (s *source) Absolute(path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(s.dir, *path)
	}
}
