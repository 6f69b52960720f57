package config

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// source knows where each key of a file stands, and collects what is wrong.
//
// The lines come from go-toml's parser, which is exported as "unstable": the
// decoder itself gives positions for its own errors only, and an error about a
// value without its line is half an error. FuzzLoad holds the two together.
type source struct {
	path, dir   string         // dir is absolute
	text        []byte         // what is decoded: the file, with its keys in lower case
	lines       map[string]int // line of each key and table: node.index, client[1].name
	expressions []expression   // in file order
	bad         map[string]bool
	respelled   []*Error          // keys that were put into lower case
	broken      error             // the fault in the syntax at which the expressions end
	skip        func(*Error) bool // of unknown keys: another pass knows them; may be nil
	errors      Errors
	counted     struct{ offset, lines int } // see lineAt
}

// expression is a table header or a key with its value.
type expression struct {
	path       string
	line       int
	start      int // offset of its first line
	isKeyValue bool
	repeated   bool // an expression above has the same path
}

// unknownKey is the message of a key that this program does not have.
const unknownKey = "unknown key"

// newSource walks the file's expressions. It stops quietly at a fault in the
// syntax, which decode then reports.
func newSource(path, dir string, data []byte) *source {
	s := &source{path: path, dir: dir, text: bytes.Clone(data), lines: map[string]int{}, bad: map[string]bool{}}
	tables := map[string]int{} // how often [[name]] was seen
	table, twice := "", false
	p := unstable.Parser{}
	p.Reset(data)
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			name, line, start := s.key(&p, "", e.Key())
			if table = name; e.Kind == unstable.ArrayTable {
				tables[name]++
				table = fmt.Sprintf("%s[%d]", name, tables[name]-1)
			}
			twice = s.add(expression{path: table, line: line, start: start})
		case unstable.KeyValue:
			name, line, start := s.key(&p, table, e.Key())
			if keyValue := (expression{path: name, line: line, start: start, isKeyValue: true}); twice {
				s.expressions = append(s.expressions, keyValue)
			} else {
				s.add(keyValue)
				s.value(&p, name, e.Value())
			}
		}
	}
	s.broken = p.Error()
	s.dropRepeated()
	return s
}

// lineAt is the line of an offset. Offsets come in file order, so the whole file is
// counted once.
func (s *source) lineAt(offset int) int {
	if offset < s.counted.offset {
		s.counted.offset, s.counted.lines = 0, 0
	}
	s.counted.lines += bytes.Count(s.text[s.counted.offset:offset], []byte("\n"))
	s.counted.offset = offset
	return s.counted.lines + 1
}

// add notes an expression, and reports whether it is there twice. The first of
// two keeps its line.
func (s *source) add(e expression) (twice bool) {
	if first, dup := s.lines[e.path]; dup {
		what := "table"
		if e.isKeyValue {
			what = "key"
		}
		e.repeated = true
		s.errors = append(s.errors, &Error{s.path, e.line, e.path, fmt.Sprintf("this %s is there twice: line %d has it too", what, first)})
	} else {
		s.lines[e.path] = e.line
	}
	s.expressions = append(s.expressions, e)
	return e.repeated
}

// key joins a dotted key to its table, in lower case, and finds its line and
// the offset where that begins.
//
// The decoder takes a key in any case, and a check that asks for the key by its
// name would not see it. So another spelling is an error, and to find what else
// is wrong the file is read as if it had been right.
func (s *source) key(p *unstable.Parser, table string, key unstable.Iterator) (path string, line, start int) {
	written := table
	path = table
	for first := true; key.Next(); first = false {
		node := key.Node()
		if first {
			line = s.lineAt(int(node.Raw.Offset))
			start = bytes.LastIndexByte(s.text[:node.Raw.Offset], '\n') + 1
		}
		lower := strings.ToLower(string(node.Data))
		written, path = join(written, string(node.Data)), join(path, lower)
		if lower != string(node.Data) {
			raw := s.text[node.Raw.Offset : node.Raw.Offset+node.Raw.Length]
			if spelled := bytes.ToLower(raw); len(spelled) == len(raw) {
				copy(raw, spelled)
			}
		}
	}
	if written != path {
		s.respelled = append(s.respelled, &Error{s.path, line, written, unknownKey + ": keys are in lower case: " + path})
	}
	return path, line, start
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

// value notes the keys of inline tables.
func (s *source) value(p *unstable.Parser, path string, value *unstable.Node) {
	switch value.Kind {
	case unstable.Array:
		i := 0
		for it := value.Children(); it.Next(); i++ {
			s.value(p, fmt.Sprintf("%s[%d]", path, i), it.Node())
		}
	case unstable.InlineTable:
		for it := value.Children(); it.Next(); {
			kv := it.Node()
			name, line, _ := s.key(p, path, kv.Key())
			s.lines[name] = line
			s.value(p, name, kv.Value())
		}
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

// blank overwrites the expressions from i up to end, and keeps the lines.
func (s *source) blank(i, end int) {
	to := len(s.text)
	if end < len(s.expressions) {
		to = s.expressions[end].start
	}
	for at := s.expressions[i].start; at < to; at++ {
		if s.text[at] != '\n' && s.text[at] != '\r' {
			s.text[at] = ' '
		}
	}
}

// dropRepeated blanks a key that is there twice, and a table with its keys, so
// that the rest can be judged.
func (s *source) dropRepeated() {
	for i, e := range s.expressions {
		if !e.repeated {
			continue
		}
		end := i + 1
		for !e.isKeyValue && end < len(s.expressions) && s.expressions[end].isKeyValue {
			end++
		}
		s.blank(i, end)
	}
}

// has reports whether the file sets a key.
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

// again judges the same file anew.
func (s *source) again() *source {
	return &source{path: s.path, dir: s.dir, lines: s.lines, bad: map[string]bool{}}
}

// absolute makes a path in the file absolute, and leaves an empty one.
func (s *source) absolute(path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(s.dir, *path)
	}
}
