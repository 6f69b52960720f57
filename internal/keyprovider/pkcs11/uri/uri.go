// Package uri reads the RFC 7512 URIs that name a token and its key. Who loads
// a configuration and who opens the token have one rule for what may stand in
// one. It needs no PKCS#11 library.
package uri

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Max is the longest URI in bytes.
const Max = 4096

// attributes that count, and whether they stand in the query.
var attributes = map[string]bool{
	"token": false, "object": false, "slot-id": false,
	"module-path": true, "pin-value": true, "pin-source": true,
}

// others of RFC 7512. They are refused: who wrote one would think that it was
// looked at.
var others = []string{"manufacturer", "model", "serial", "library-manufacturer", "library-version", "library-description",
	"id", "type", "slot-manufacturer", "slot-description", "module-name"}

// InQuery tells whether an attribute stands behind the question mark; known,
// whether it counts at all.
func InQuery(attribute string) (query, known bool) {
	query, known = attributes[attribute]
	return query, known
}

// Parse gives the attributes, decoded. None is empty or holds a NUL. Errors
// quote no value, which may be a PIN.
func Parse(text string) (map[string]string, error) {
	rest, found := strings.CutPrefix(text, "pkcs11:")
	if !found {
		return nil, errors.New("it is not of the form pkcs11:token=LABEL;object=LABEL")
	}
	if len(text) > Max {
		return nil, fmt.Errorf("it is longer than %d bytes", Max)
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
	return fmt.Errorf("%s is not known here: use token, object and slot-id, then module-path, pin-value and pin-source behind a question mark", attribute)
}
