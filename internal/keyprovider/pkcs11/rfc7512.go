package pkcs11

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxURI is the longest URI in bytes.
const maxURI = 4096

// attributes that count, and whether they stand in the query.
var attributes = map[string]bool{
	"token": false, "manufacturer": false, "model": false, "serial": false, "slot-id": false, // the token
	"object": false, "id": false, "type": false, // the identity key
	"module-path": true, "pin-value": true, "pin-source": true,
}

// padded are those that PKCS #11 fills up with padding: what is behind the text is
// no part of it.
var padded = []string{"token", "manufacturer", "model", "serial"}

// others of RFC 7512. They are refused: their author would think that they had
// an effect.
var others = []string{
	"library-manufacturer", "library-version", "library-description",
	"slot-manufacturer", "slot-description", "module-name",
}

// parseURI returns the attributes, decoded. None is empty, and none but id holds
// a NUL. Errors quote no value, which may be a PIN.
func parseURI(text string) (map[string]string, error) {
	const scheme = "pkcs11:"
	if len(text) < len(scheme) || !strings.EqualFold(text[:len(scheme)], scheme) {
		return nil, errors.New("it is not of the form pkcs11:token=LABEL;object=LABEL")
	}
	if len(text) > maxURI {
		return nil, fmt.Errorf("it is longer than %d bytes", maxURI)
	}
	out := map[string]string{}
	path, query, _ := strings.Cut(text[len(scheme):], "?")
	for _, part := range []struct {
		text, separator string
		query           bool
	}{{path, ";", false}, {query, "&", true}} {
		if part.text == "" {
			continue
		}
		for i, attribute := range strings.Split(part.text, part.separator) {
			name, value, found := strings.Cut(attribute, "=")
			inQuery, known := attributes[name]
			_, twice := out[name]
			switch {
			case !found: // it could be anything, a PIN too
				return nil, fmt.Errorf("attribute %d is not of the form name=value", i+1)
			case !known:
				return nil, unknown(name, i+1)
			case inQuery != part.query:
				return nil, fmt.Errorf("attribute %s is on the wrong side of the question mark", name)
			case twice:
				return nil, fmt.Errorf("attribute %s is there twice", name)
			}
			decoded, err := decodeValue(name, value, inQuery)
			if err != nil {
				return nil, fmt.Errorf("attribute %s %w", name, err)
			}
			out[name] = decoded
		}
	}
	return out, nil
}

// legal are the characters that RFC 7512 lets stand for themselves in a path,
// and in a query.
var legal = map[bool]*regexp.Regexp{
	false: regexp.MustCompile(`^[A-Za-z0-9._~:\[\]@!$'()*+,=&%-]*$`),
	true:  regexp.MustCompile(`^[A-Za-z0-9._~:\[\]@!$'()*+,=/?|%-]*$`),
}

// swallowed finds a PIN that a wrong separator made part of another value,
// which errors and /readyz may show.
var swallowed = regexp.MustCompile(`(?i)(^|[^a-z])pin[-_]?(value|source)?\s*=`)

// decodeValue takes the percent signs out of a value. What follows "attribute NAME"
// in its errors says nothing of the value.
func decodeValue(name, value string, query bool) (string, error) {
	switch {
	case query && strings.Contains(value, ";"):
		return "", errors.New("has a ; in it: behind the question mark, & separates attributes")
	case strings.Contains(value, " "):
		return "", errors.New("has a blank in it: write it as %20")
	case name == "pin-value" && strings.Contains(value, "+"):
		return "", errors.New("has a + in it: write a plus sign as %2B, and a blank as %20")
	case !legal[query].MatchString(value):
		return "", errors.New("has a character in it that must be percent-encoded, as RFC 7512 says")
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return "", errors.New("has a % in it that no two hexadecimal digits follow: write a percent sign as %25")
	}
	if slices.Contains(padded, name) {
		decoded = strings.TrimRight(decoded, padding)
	}
	switch {
	case decoded == "":
		return "", errors.New("is empty")
	case name != "id" && strings.ContainsRune(decoded, 0):
		return "", errors.New("holds a NUL (%00)")
	case !strings.HasPrefix(name, "pin-") && swallowed.MatchString(decoded):
		return "", errors.New("has another attribute in it, for the PIN: " +
			"; separates attributes before the question mark, & behind it")
	case name == "type" && decoded != "private" && decoded != "public":
		return "", errors.New("is not private: the identity is a pair of keys")
	}
	return decoded, nil
}

// unknown names an attribute that RFC 7512 has, and no other: it could be part
// of a PIN with an unencoded & in it.
func unknown(name string, number int) error {
	attribute := fmt.Sprint("attribute ", number)
	if slices.Contains(others, name) {
		attribute = fmt.Sprintf("attribute %q", name)
	}
	return fmt.Errorf("%s is not known here: use token, manufacturer, model, serial, slot-id, object, id and type, "+
		"then module-path, pin-value and pin-source behind a question mark", attribute)
}
