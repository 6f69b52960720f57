package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// maxDepth is how deep JSON may be nested.
const maxDepth = 16

// Errors about JSON name no values.
var (
	errUTF8   = errors.New("it is not UTF-8")
	errJSON   = errors.New("it is not JSON")
	errDepth  = errors.New("it is nested too deep")
	errTwice  = errors.New("an object has a member twice")
	errNUL    = errors.New("a string has the character U+0000")
	errNull   = errors.New("it has null: leave the member out")
	errMember = errors.New("it does not fit its schema")
)

// strictJSON reads JSON of which all readers say the same: UTF-8, no member twice, nothing after
// it (RFC 8259, RFC 7493).
var strictJSON = huma.Format{
	Marshal: huma.DefaultJSONFormat.Marshal,
	Unmarshal: func(data []byte, into any) error {
		if _, first := into.(*any); first { // huma reads twice
			if err := checkJSON(data); err != nil {
				return err
			}
		}
		d := json.NewDecoder(bytes.NewReader(data))
		if err := d.Decode(into); err != nil {
			return errMember
		}
		return nil
	},
}

// checkJSON wants one value, and nothing that two readers may understand differently.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errUTF8
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var members []map[string]bool // of the objects that are open; nil: an array
	name := false                 // the next string is a member's name
	for begun := false; !begun || len(members) > 0; begun = true {
		token, err := d.Token()
		if err != nil {
			return errJSON
		}
		inObject := len(members) > 0 && members[len(members)-1] != nil
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{', '[':
				if len(members) == maxDepth {
					return errDepth
				}
				var open map[string]bool
				if v == '{' {
					open = map[string]bool{}
				}
				members = append(members, open)
				name = v == '{'
				continue
			default:
				members = members[:len(members)-1]
				inObject = len(members) > 0 && members[len(members)-1] != nil
			}
		case nil:
			return errNull
		case string:
			if strings.IndexByte(v, 0) >= 0 {
				return errNUL
			}
			if inObject && name {
				if members[len(members)-1][v] {
					return errTwice
				}
				members[len(members)-1][v] = true
				name = false
				continue
			}
		}
		name = inObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errJSON
	}
	return nil
}

// parseQuery is url.ParseQuery with errors that repeat nothing, and for UTF-8 alone.
func parseQuery(raw string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errors.New("a character is not escaped as it should be")
	}
	for name, all := range values {
		for _, text := range append(all, name) {
			if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
				return nil, errors.New("it is not UTF-8, or has the character U+0000")
			}
		}
	}
	return values, nil
}
