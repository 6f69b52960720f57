// Package plain says in plain words what is wrong with data that was to be
// JSON or hexadecimal: the words of Go's libraries name Go's types.
package plain

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

const cutOff = "it ends too early: it is empty or cut off"

// Words is what one error of encoding/json, encoding/hex or io means; false if
// err is another.
func Words(err error) (string, bool) {
	switch e := err.(type) { //nolint:errorlint // callers walk the chain
	case *json.SyntaxError:
		return syntaxWords(e), true
	case *json.UnmarshalTypeError:
		return typeWords(e), true
	case *time.ParseError:
		return fmt.Sprintf("%.40q is not a time as RFC 3339 writes it, such as 2026-01-31T12:30:00Z", e.Value), true
	case hex.InvalidByteError:
		return fmt.Sprintf("%q is not a hexadecimal digit (two digits a byte, without 0x)", rune(e)), true
	}
	if err == hex.ErrLength { //nolint:errorlint // callers walk the chain
		return "an odd number of hexadecimal digits (there are two a byte)", true
	}
	if err == io.ErrUnexpectedEOF || err == io.EOF { //nolint:errorlint // callers walk the chain
		return cutOff, true
	}
	if field, ok := strings.CutPrefix(fmt.Sprint(err), "json: unknown field "); ok {
		return "unknown field " + field, true
	}
	if strings.HasPrefix(fmt.Sprint(err), "Time.UnmarshalJSON: ") {
		return `a time is a JSON string, such as "2026-01-31T12:30:00Z"`, true
	}
	return "", false
}

// Error is err in plain words, if it is one that Words knows.
func Error(err error) error {
	if words, ok := Words(err); ok {
		return &worded{words, err}
	}
	return err
}

type worded struct {
	words string
	err   error
}

func (w *worded) Error() string { return w.words }

func (w *worded) Unwrap() error { return w.err }

func syntaxWords(e *json.SyntaxError) string {
	if strings.HasPrefix(e.Error(), "unexpected end") {
		return "it is not JSON: it is empty or cut off"
	}
	return fmt.Sprintf("it is not JSON, at byte %d", e.Offset)
}

func typeWords(e *json.UnmarshalTypeError) string {
	got, want := e.Value, "another type"
	if number, ok := strings.CutPrefix(got, "number "); ok {
		got = number
	} else {
		got = "a JSON " + got
	}
	switch e.Type.Kind() {
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint, reflect.Uint64, reflect.Uint32, reflect.Uint8:
		want = "a whole number, written without point or exponent"
	case reflect.Float64:
		want = "a number"
	case reflect.String:
		want = "a string"
	case reflect.Bool:
		want = "true or false"
	case reflect.Slice, reflect.Array:
		want = "a list"
		if e.Type.Elem().Kind() == reflect.Uint8 {
			want = "a string"
		}
	case reflect.Struct, reflect.Map:
		want = "an object"
	}
	if e.Field == "" {
		return fmt.Sprintf("it is %s, want %s", got, want)
	}
	return fmt.Sprintf("field %q is %.64s, want %s", e.Field, got, want)
}
