package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/plain"
)

// strictJSON reads exactly one JSON value that means the same to every
// reader: no unknown fields, no field twice, no null, no field in another spelling
// (encoding/json would take "JOB" for "job", and the last of two). Its errors
// are for whoever wrote the JSON, in any language.
func strictJSON(data []byte, v any) error {
	if err := otherEncoding(data); err != nil {
		return err
	}
	if err := plainKeys(data); err != nil {
		return plain.Error(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return plain.Error(dec.Decode(v))
}

// otherEncoding names what some writers of text put before JSON, or write it in.
func otherEncoding(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return errors.New("it begins with a byte-order mark: write UTF-8 without one")
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		return errors.New("it is UTF-16: write UTF-8")
	}
	return nil
}

// plainKeys walks the tokens of one JSON value and refuses doubled keys, keys
// that are not lower case, nulls, what no format here has room for, and anything behind
// the value. So what is decoded after it takes memory in proportion to its size: of a list
// of two bytes an element, the decoder would make several hundred bytes of each.
func plainKeys(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // the fields say which numbers they take
	if err := walkValue(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// Bounds of what is decoded.
const (
	maxDepth  = 8
	maxList   = MaxJobItems // entries; a manifest has fewer nodes
	maxFields = 32          // of an object
)

// errLongList means that a list has more than maxList entries.
var errLongList = fmt.Errorf("a list of more than %d entries", maxList)

// errNull is for what encoding/json takes for a field that is not there, and others for
// one that is empty.
var errNull = errors.New("it is null, or has a null in a list: give a value")

func walkValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return walkObject(dec, depth)
	case nil:
		return errNull
	case json.Delim('['):
		return walkList(dec, depth)
	}
	return err
}

func walkList(dec *json.Decoder, depth int) error {
	for n := 0; dec.More(); n++ {
		if n == maxList {
			return errLongList
		}
		if err := walkValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func walkObject(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if seen[key] || !plainKey(key) {
			return fmt.Errorf("field %.64q is repeated or not in lower case", key)
		}
		if len(seen) == maxFields {
			return fmt.Errorf("an object of more than %d fields", maxFields)
		}
		seen[key] = true
		if err := walkValue(dec, depth+1); errors.Is(err, errNull) {
			return fmt.Errorf("field %.64q is null: give it a value, or leave it out", key)
		} else if err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func plainKey(key string) bool {
	for _, c := range []byte(key) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return key != ""
}
