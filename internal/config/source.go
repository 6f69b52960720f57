package config

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// source knows where each key of a file stands, and collects what is wrong.
type source struct {
	path, dir   string         // dir is absolute
	data        []byte         // of the file; cleared once it is loaded
	lines       map[string]int // line of each key and table: node.index, client[1].name
	expressions []expression   // in file order
	bad         map[string]bool
	errors      Errors
}

// expression is a table header or a key with its value.
type expression struct {
	path       string
	line       int
	start      int // offset of its first line
	isKeyValue bool
}

// unknownKey is the message of a key that this program does not have.
const unknownKey = "unknown key"

// newSource walks the file's expressions. It stops quietly at a fault in the
// syntax, which decode then reports.
func newSource(path, dir string, data []byte) *source {
	s := &source{path: path, dir: dir, data: data, lines: map[string]int{}, bad: map[string]bool{}}
	tables := map[string]int{} // how often [[name]] was seen
	table := ""
	p := unstable.Parser{}
	p.Reset(data)
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = join("", e.Key())
			if e.Kind == unstable.ArrayTable {
				tables[table]++
				table = fmt.Sprintf("%s[%d]", table, tables[table]-1)
			}
			s.add(&p, data, table, e.Key(), false)
		case unstable.KeyValue:
			name := join(table, e.Key())
			s.add(&p, data, name, e.Key(), true)
			s.inline(&p, name, e.Value())
		}
	}
	return s
}

func (s *source) add(p *unstable.Parser, data []byte, path string, key unstable.Iterator, keyValue bool) {
	if !key.Next() {
		return
	}
	raw := key.Node().Raw
	line := p.Shape(raw).Start.Line
	start := bytes.LastIndexByte(data[:raw.Offset], '\n') + 1
	s.lines[path] = line
	s.expressions = append(s.expressions, expression{path, line, start, keyValue})
}

// inline notes the keys of an inline table.
func (s *source) inline(p *unstable.Parser, path string, value *unstable.Node) {
	if value.Kind != unstable.InlineTable {
		return
	}
	for it := value.Children(); it.Next(); {
		kv := it.Node()
		key := kv.Key()
		name := join(path, kv.Key())
		if key.Next() {
			s.lines[name] = p.Shape(key.Node().Raw).Start.Line
		}
		s.inline(p, name, kv.Value())
	}
}

func join(table string, key unstable.Iterator) string {
	var parts []string
	if table != "" {
		parts = append(parts, table)
	}
	for key.Next() {
		parts = append(parts, string(key.Node().Data))
	}
	return strings.Join(parts, ".")
}

// decode fills into, and reports whether the values can be judged. The
// library stops at the first value of a wrong type; so the key is noted,
// blanked, and the file decoded again.
func (s *source) decode(data []byte, into any) bool {
	text := bytes.Clone(data)
	defer clear(text)
	target := reflect.ValueOf(into).Elem()
	defaults := reflect.New(target.Type()).Elem()
	defaults.Set(target)
	for {
		target.Set(defaults) // or a second round would append to arrays of tables
		err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(into)
		var unknown *toml.StrictMissingError
		var wrong *toml.DecodeError
		switch {
		case err == nil:
			return true
		case errors.As(err, &unknown):
			for i := range unknown.Errors {
				e := &unknown.Errors[i]
				line, _ := e.Position()
				s.errors = append(s.errors, &Error{s.path, line, strings.Join(e.Key(), "."), unknownKey})
			}
			return true
		case !errors.As(err, &wrong):
			s.errors = append(s.errors, &Error{File: s.path, Message: err.Error()})
			return false
		}
		line, _ := wrong.Position()
		i := s.at(line)
		if i < 0 || !s.expressions[i].isKeyValue || s.bad[s.expressions[i].path] {
			s.errors = append(s.errors, &Error{s.path, line, strings.Join(wrong.Key(), "."), message(wrong)})
			return false
		}
		key := s.expressions[i].path
		s.bad[key] = true
		s.errors = append(s.errors, &Error{s.path, line, key, message(wrong)})
		s.blank(text, i)
	}
}

// at finds the expression that a line belongs to, or gives -1.
func (s *source) at(line int) int {
	found := -1
	for i, e := range s.expressions {
		if e.line <= line {
			found = i
		}
	}
	return found
}

// blank overwrites expression i and keeps the lines.
func (s *source) blank(text []byte, i int) {
	end := len(text)
	if i+1 < len(s.expressions) {
		end = s.expressions[i+1].start
	}
	for at := s.expressions[i].start; at < end; at++ {
		if text[at] != '\n' && text[at] != '\r' {
			text[at] = ' '
		}
	}
}

// message is the library's, without its names for our types.
func message(e *toml.DecodeError) string {
	text := strings.TrimPrefix(e.Error(), "toml: ")
	if at := strings.Index(text, " into struct field"); at > 0 {
		text = text[:at] + ": it has the wrong type"
	}
	return text
}

// has tells whether the file sets a key.
func (s *source) has(key string) bool {
	_, ok := s.lines[key]
	return ok
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

// fail notes an error, unless the key had one already.
func (s *source) fail(key, format string, args ...any) {
	if s.bad[key] {
		return
	}
	s.bad[key] = true
	s.errors = append(s.errors, &Error{s.path, s.line(key), key, fmt.Sprintf(format, args...)})
}

func (s *source) result() error {
	if len(s.errors) == 0 {
		return nil
	}
	return s.errors.sorted()
}

// absolute makes a path in the file absolute, and leaves an empty one.
func (s *source) absolute(path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(s.dir, *path)
	}
}
