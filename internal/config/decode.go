package config

import (
	"encoding"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// unknownKey is the message of a key that this program does not have.
const unknownKey = "unknown key"

// decode fills in a struct. own gives the name in it of an entry, or false for
// one that belongs elsewhere. Each value is decoded by itself: the library stops
// at the first one of a wrong type, and we want them all.
func (s *source) decode(into any, own func(path string) (name string, ok bool)) {
	misplaced := "." // table whose keys are not looked at either; at first, none
	for _, e := range s.entries {
		name, ok := own(e.path)
		if !ok || strings.HasPrefix(e.path, misplaced) {
			continue
		}
		field, problem := find(reflect.ValueOf(into).Elem(), name)
		if problem == "" && e.value == nil && !isTable(field) {
			problem = "is a value or a list of tables, not a table"
		}
		if problem != "" {
			s.bad[e.path] = true
			s.note(e.line, e.written, problem)
			misplaced = e.path + "."
			continue
		}
		if lower := strings.ToLower(e.written); e.written != lower {
			s.note(e.line, e.written, unknownKey+": keys are in lower case: "+lower)
		}
		if e.value == nil {
			continue
		}
		if err := e.decode(field); err != nil {
			line := e.line
			if at, ok := errors.AsType[*toml.DecodeError](err); ok {
				row, _ := at.Position()
				line += row - 1
			}
			s.bad[e.path] = true
			s.note(line, e.path, message(err))
		}
	}
}

// decode has the library decode the value into a field.
func (e entry) decode(field reflect.Value) error {
	text := append([]byte("v"), e.value...)
	defer clear(text) // it may hold a PIN
	one := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: field.Type(), Tag: `toml:"v"`}})).Elem()
	err := toml.Unmarshal(text, one.Addr().Interface())
	if err == nil {
		field.Set(one.Field(0))
	}
	return err
}

// character is how the library's messages quote what they stumbled over.
var character = regexp.MustCompile(`( but got|:)? U\+[0-9A-F]+( '.*')?`)

// message is the library's, without its names for our types, and without the
// characters and values that it quotes: they may be of a PIN.
func message(err error) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "toml: "), ": strconv.")
	text = character.ReplaceAllString(text, "")
	if what, _, found := strings.Cut(text, " into struct field"); found {
		return what + ": it has the wrong type"
	}
	return text
}

// find returns the field of a name, or says why there is none. A list grows by
// the tables that the file adds to it.
func find(v reflect.Value, name string) (field reflect.Value, problem string) {
	for part := range strings.SplitSeq(name, ".") {
		key, index, element := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		var fields []reflect.StructField
		if isTable(v) {
			fields = reflect.VisibleFields(v.Type())
		}
		i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return f.Tag.Get("toml") == key })
		if i < 0 {
			return v, unknownKey
		}
		v = v.FieldByIndex(fields[i].Index)
		if !element {
			continue
		}
		if v.Kind() != reflect.Slice {
			return v, "is no list of tables: it stands in single brackets, or is a value"
		}
		n, _ := strconv.Atoi(index) // the file's own count
		for v.Len() <= n {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		}
		v = v.Index(n)
	}
	return v, ""
}

// isTable reports whether a field is a table of the file.
func isTable(v reflect.Value) bool {
	_, text := v.Addr().Interface().(encoding.TextUnmarshaler)
	return v.Kind() == reflect.Struct && !text
}
