package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Error is one thing that is wrong with a policy file.
type Error struct {
	Line    int    // 0 when nothing in the file stands for it
	Key     string // such as rule[0].kinds; may be empty
	Message string
}

// Error gives line, key and message.
func (e *Error) Error() string {
	text := e.Message
	if e.Key != "" {
		text = e.Key + ": " + text
	}
	if e.Line > 0 {
		text = fmt.Sprintf("line %d: %s", e.Line, text)
	}
	return text
}

// Errors is all that is wrong with a policy file, by line.
type Errors []*Error

// Error gives one error a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// source knows where the keys of a file stand, and collects what is wrong with it.
type source struct {
	lines  map[string]int // of each key and table: rule[0].limit[1].amount
	errors Errors
}

// newSource finds the lines of a file that decodes. They come from go-toml's parser,
// which is exported as "unstable": the decoder gives positions for its own errors only.
func newSource(file []byte) *source {
	s := &source{lines: map[string]int{}}
	lists := map[string]int{} // tables of each list so far
	table, row, passed := "", 1, 0
	p := unstable.Parser{}
	for p.Reset(file); p.NextExpression(); {
		e := p.Expression()
		var path []string
		for key := e.Key(); key.Next(); {
			if len(path) == 0 {
				start := int(key.Node().Raw.Offset)
				row += bytes.Count(file[passed:start], []byte("\n"))
				passed = start
			}
			path = append(path, string(key.Node().Data))
		}
		for _, name := range path {
			if lower := strings.ToLower(name); lower != name {
				s.note(row, name, "unknown key: keys are in lower case: "+lower)
			}
		}
		switch e.Kind {
		case unstable.KeyValue:
			s.lines[join(table, path)] = row
		case unstable.Table:
			table = element(path, lists)
			s.lines[table] = row
		case unstable.ArrayTable:
			name := element(path, lists)
			lists[name]++
			table = fmt.Sprintf("%s[%d]", name, lists[name]-1)
			s.lines[table] = row
		}
	}
	return s
}

func join(table string, path []string) string {
	if table != "" {
		path = append([]string{table}, path...)
	}
	return strings.Join(path, ".")
}

// element names a table within the last ones of the lists above it.
func element(path []string, lists map[string]int) (name string) {
	for i, part := range path {
		if name = join(name, []string{part}); i < len(path)-1 && lists[name] > 0 {
			name = fmt.Sprintf("%s[%d]", name, lists[name]-1)
		}
	}
	return name
}

func (s *source) note(line int, key, message string) {
	s.errors = append(s.errors, &Error{line, key, message})
}

// fail notes an error at a key, or at the nearest table around it that the file has.
func (s *source) fail(key, format string, args ...any) {
	line := 0
	for at := key; at != "" && line == 0; at = at[:max(strings.LastIndexByte(at, '.'), 0)] {
		line = s.lines[at]
	}
	s.note(line, key, fmt.Sprintf(format, args...))
}

func (s *source) result() error {
	if len(s.errors) == 0 {
		return nil
	}
	slices.SortStableFunc(s.errors, func(a, b *Error) int { return a.Line - b.Line })
	return s.errors
}
