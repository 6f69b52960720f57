package config

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// decode fills into, and reports whether the values can be judged. The library
// stops at the first value of a wrong type; so the key is noted, blanked, and
// the file decoded again.
func (s *source) decode(into any) bool {
	defer func() { s.errors = append(s.errors, s.respelled...) }()
	target := reflect.ValueOf(into).Elem()
	defaults := reflect.New(target.Type()).Elem()
	defaults.Set(target)
	for {
		target.Set(defaults) // or a second round would append to arrays of tables
		err := toml.NewDecoder(bytes.NewReader(s.text)).DisallowUnknownFields().Decode(into)
		var unknown *toml.StrictMissingError
		var wrong *toml.DecodeError
		switch {
		case err == nil:
			return true
		case errors.As(err, &unknown):
			for i := range unknown.Errors {
				s.unknown(&unknown.Errors[i])
			}
			return true
		case !errors.As(err, &wrong):
			s.errors = append(s.errors, &Error{File: s.path, Message: err.Error()})
			return false
		}
		if !s.wrong(wrong) {
			return false
		}
	}
}

// unknown notes a key that no file of this kind has. Of one in another case
// it takes back that lower case would help.
func (s *source) unknown(e *toml.DecodeError) {
	line, _ := e.Position()
	found := &Error{s.path, line, strings.Join(e.Key(), "."), unknownKey}
	if s.skip != nil && s.skip(found) {
		return
	}
	for _, other := range s.respelled {
		if other.Line == line && strings.HasSuffix(strings.ToLower(other.Key), e.Key()[len(e.Key())-1]) {
			other.Message = unknownKey
			return
		}
	}
	s.errors = append(s.errors, found)
}

// wrong notes a value of a wrong type and blanks it. It reports false if the
// rest of the file can't be read.
func (s *source) wrong(e *toml.DecodeError) bool {
	line, _ := e.Position()
	if s.broken != nil && e.Error() == "toml: "+s.broken.Error() {
		// Its key is not known, e has the one before. What is there may be a PIN.
		s.errors = append(s.errors, &Error{File: s.path, Line: line, Message: character.ReplaceAllString(message(e), "")})
		return false
	}
	i := s.at(line)
	if i < 0 || !s.expressions[i].isKeyValue || s.bad[s.expressions[i].path] {
		s.errors = append(s.errors, &Error{s.path, line, strings.Join(e.Key(), "."), message(e)})
		return false
	}
	key := s.expressions[i].path
	s.bad[key] = true
	s.errors = append(s.errors, &Error{s.path, line, key, message(e)})
	s.blank(i, i+1)
	return true
}

// character is how the library's messages quote what they stumbled over.
var character = regexp.MustCompile(`( but got|:)? U\+[0-9A-F]+( '.*')?`)

// message is the library's, without its names for our types, and without the
// value that strconv quotes.
func message(e *toml.DecodeError) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(e.Error(), "toml: "), ": strconv.")
	switch at := strings.Index(text, " into struct field"); {
	case at > 0:
		text = text[:at] + ": it has the wrong type"
	case strings.HasPrefix(text, "cannot store an array table in "):
		text = "is no list of tables: it stands in single brackets, or is a value"
	case strings.HasPrefix(text, "cannot store a table in "):
		text = "is a value, not a table"
	}
	return text
}
