package pkcs11

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// takeURI puts what an RFC 7512 URI says into the section, and wipes the URI:
//
//	pkcs11:token=node-0;object=frost-identity?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/frost/pin
//
// Attributes are token, object (the identity key), slot-id and, behind the
// question mark, module-path, pin-value and pin-source (a file). Errors never
// quote a value, which may be a PIN.
func (s *Section) takeURI(t keyprovider.Table, file string) {
	attributes, err := parseURI(string(s.URI.Expose()))
	s.URI.Wipe()
	s.URI = keyprovider.Secret{}
	if err != nil {
		t.Fail("uri", "is no PKCS#11 URI that can be used here: %v", err)
		return
	}
	for _, a := range []struct {
		name, key string
		field     *string
	}{
		{"token", "token_label", &s.TokenLabel}, {"object", "key_label", &s.KeyLabel},
		{"module-path", "pkcs11_library", &s.Library},
	} {
		value, there := attributes[a.name]
		if there && *a.field != "" && *a.field != value {
			t.Fail("uri", "has another %s than %s says", a.name, a.key)
		} else if there {
			*a.field = value
		}
	}
	if text, there := attributes["slot-id"]; there {
		n, err := strconv.ParseUint(text, 10, 32)
		slot := uint(n)
		switch {
		case err != nil:
			t.Fail("uri", "has a slot-id that is no number")
		case s.Slot != nil && *s.Slot != slot:
			t.Fail("uri", "has another slot-id than slot says")
		}
		s.Slot = &slot
	}
	s.takePIN(t, attributes, file)
}

func (s *Section) takePIN(t keyprovider.Table, attributes map[string]string, file string) {
	value, hasValue := attributes["pin-value"]
	source, hasSource := attributes["pin-source"]
	if !hasValue && !hasSource {
		return
	}
	for _, other := range []string{"pin", "pin_file"} {
		if t.Has(other) {
			t.Fail("uri", "names a PIN, and so does %s: one place for the PIN", other)
			return
		}
	}
	if hasValue && hasSource {
		t.Fail("uri", "has both pin-value and pin-source: one place for the PIN")
		return
	}
	if hasValue {
		s.Pin.Bytes = secret.New([]byte(value))
		s.checkPIN(t, "uri", file)
		return
	}
	if path, found := strings.CutPrefix(source, "file:"); found {
		source = strings.TrimPrefix(path, "//")
	}
	if source == "" || strings.HasPrefix(source, "|") || strings.Contains(source, "://") {
		t.Fail("uri", "has a pin-source that is not one file: programs are not run for a PIN")
		return
	}
	s.PINFile = source
}

// maxURI is the longest URI in bytes.
const maxURI = 4096

// attributes that count, and whether they stand in the query.
var attributes = map[string]bool{
	"token": false, "object": false, "slot-id": false,
	"module-path": true, "pin-value": true, "pin-source": true,
}

// others of RFC 7512. They are refused: their author would think that they had
// an effect.
var others = []string{"manufacturer", "model", "serial", "library-manufacturer", "library-version",
	"library-description",
	"id", "type", "slot-manufacturer", "slot-description", "module-name"}

// parseURI returns the attributes, decoded. None is empty or holds a NUL.
func parseURI(text string) (map[string]string, error) {
	rest, found := strings.CutPrefix(text, "pkcs11:")
	if !found {
		return nil, errors.New("it is not of the form pkcs11:token=LABEL;object=LABEL")
	}
	if len(text) > maxURI {
		return nil, fmt.Errorf("it is longer than %d bytes", maxURI)
	}
	out := map[string]string{}
	path, query, asks := strings.Cut(rest, "?")
	if path != "" {
		if err := parsePart(out, strings.Split(path, ";"), false); err != nil {
			return nil, err
		}
	}
	if asks {
		if err := parsePart(out, strings.Split(query, "&"), true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parsePart(out map[string]string, part []string, query bool) error {
	for i, attribute := range part {
		name, value, found := strings.Cut(attribute, "=")
		inQuery, known := attributes[name]
		switch {
		case !found: // it could be anything, a PIN too
			return fmt.Errorf("attribute %d is not of the form name=value", i+1)
		case !known:
			return unknown(name, i+1)
		case inQuery != query:
			return fmt.Errorf("attribute %s is on the wrong side of the question mark", name)
		}
		if _, twice := out[name]; twice {
			return fmt.Errorf("attribute %s is there twice", name)
		}
		decoded, err := url.PathUnescape(value)
		if err != nil || decoded == "" || strings.ContainsRune(decoded, 0) {
			return fmt.Errorf("attribute %s is empty or not encoded as RFC 3986 says", name)
		}
		out[name] = decoded
	}
	return nil
}

// unknown names an attribute that RFC 7512 has, and no other: it could be part
// of a PIN with an unencoded & in it.
func unknown(name string, number int) error {
	attribute := fmt.Sprint("attribute ", number)
	if slices.Contains(others, name) {
		attribute = fmt.Sprintf("attribute %q", name)
	}
	return fmt.Errorf("%s is not known here: use token, object and slot-id, then module-path, pin-value and pin-source "+
		"behind a question mark", attribute)
}
