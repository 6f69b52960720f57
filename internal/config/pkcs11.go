package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11/uri"
	"github.com/frostfleet/frostfleet/internal/secret"
)

const maxSessions = 64

// maxPIN bounds a PIN in bytes.
const maxPIN = 255

func (k *KeyProvider) checkPKCS11(s *source) {
	k.TokenLabel = strings.TrimRight(k.TokenLabel, " \x00") // as the token pads it
	attributes := k.takeURI(s)
	if !s.bad[providerTable+"uri"] { // of one that can't be read nobody knows what it lacks
		k.checkNames(s, attributes)
	}
	k.checkDerivation(s, DerivationHMAC, DerivationECDH)
	if s.has(providerTable + "sessions") {
		s.between(providerTable+"sessions", k.Sessions, 1, maxSessions)
	}
	if s.has(providerTable + "pin") {
		k.checkPIN(s, "pin")
	}
}

// checkNames wants library, token and identity key to be named, here or in the
// uri.
func (k *KeyProvider) checkNames(s *source, inURI map[string]bool) {
	if k.PKCS11Library == "" && !inURI["module-path"] {
		s.require(providerTable+"pkcs11_library", "")
	}
	if k.KeyLabel == "" && !inURI["object"] {
		s.require(providerTable+"key_label", "")
	}
	if k.Slot == nil && k.TokenLabel == "" && !inURI["token"] && !inURI["slot-id"] {
		s.fail(providerTable+"token_label", "is missing: say which token with token_label, slot or uri")
	}
	if len(k.TokenLabel) > 32 {
		s.fail(providerTable+"token_label", "is longer than the 32 bytes of a token's label")
	}
}

// checkPIN judges a PIN that stands in the file, under pin or in the uri, and
// puts the value of an environment variable in place of ${NAME}.
func (k *KeyProvider) checkPIN(s *source, key string) {
	if k.PinFile != "" {
		s.fail(providerTable+key, "and pin_file exclude each other: one place for the PIN")
		return
	}
	text := k.Pin.Expose()
	_, err := secret.ParseLine(text, maxPIN)
	switch {
	case err != nil || bytes.ContainsAny(text, "\r\n"):
		s.fail(providerTable+key, "%s", noPIN(err)+": take it out to be asked for the PIN")
	case bytes.HasPrefix(text, []byte("${")):
		k.Pin.Bytes = s.environment(providerTable+key, string(text))
	default:
		if info, err := os.Stat(s.path); err == nil && info.Mode().Perm()&0o077 != 0 {
			s.fail(providerTable+key, "holds a PIN in a file of mode %04o that others can read: chmod 600 %s, or use pin_file",
				info.Mode().Perm(), s.path)
		}
	}
}

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// environment resolves ${NAME}. The error does not repeat what could be a PIN.
func (s *source) environment(key, text string) *secret.Bytes {
	match := variable.FindStringSubmatch(text)
	if match == nil {
		s.fail(key, "begins with ${ and is not the name of an environment variable such as ${FROST_PIN}")
		return nil
	}
	value, set := os.LookupEnv(match[1])
	if !set {
		s.fail(key, "names the environment variable %s, which is not set", match[1])
		return nil
	}
	pin, err := secret.ParseLine([]byte(value), maxPIN)
	if err != nil || strings.ContainsAny(value, "\r\n") {
		pin.Wipe()
		s.fail(key, "names the environment variable %s, which %s", match[1], noPIN(err))
		return nil
	}
	return pin
}

// noPIN says why a value is no PIN; nil is one that ends a line, which only a
// file may do.
func noPIN(err error) string {
	why := "ends with a line end"
	if err != nil {
		why = err.Error()
	}
	return fmt.Sprintf("is no PIN of 1 to %d bytes on one line: it %s", maxPIN, why)
}

// takeURI says which attributes the uri has, and moves its PIN to where it is
// not printed: pin-value to Pin, pin-source to PinFile.
func (k *KeyProvider) takeURI(s *source) map[string]bool {
	const key = "uri"
	if !s.has(providerTable + key) {
		return nil
	}
	u, err := parseURI(k.URI)
	if err != nil {
		k.URI = ""
		s.fail(providerTable+key, "%v", err)
		return nil
	}
	k.URI = u.rest
	for _, other := range []string{"pin", "pin_file"} {
		if (u.pin != nil || u.source != "") && s.has(providerTable+other) {
			s.fail(providerTable+key, "names a PIN, and so does %s: one place for the PIN", other)
			return u.attributes
		}
	}
	switch {
	case u.pin != nil && u.source != "":
		s.fail(providerTable+key, "has both pin-value and pin-source: one place for the PIN")
	case u.pin != nil:
		k.Pin.Bytes = u.pin
		k.checkPIN(s, key)
	case u.source != "":
		k.PinFile = u.source
	}
	return u.attributes
}

// pkcs11URI is an RFC 7512 URI, taken apart as far as its PIN goes. The
// provider reads the rest.
type pkcs11URI struct {
	rest       string          // without the PIN
	attributes map[string]bool // that it has
	pin        *secret.Bytes   // nil: none
	source     string          // path of a PIN file
}

// parseURI errors repeat nothing of the URI.
func parseURI(text string) (*pkcs11URI, error) {
	values, err := uri.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("is no PKCS#11 URI that serves here: %w", err)
	}
	u := &pkcs11URI{attributes: map[string]bool{}}
	for name := range values {
		u.attributes[name] = true
	}
	if value, found := values["pin-value"]; found {
		u.pin = secret.New([]byte(value))
	}
	if value, found := values["pin-source"]; found {
		if err := u.takeSource(value); err != nil {
			return nil, err
		}
	}
	path, query, _ := strings.Cut(text, "?")
	var kept []string
	for attribute := range strings.SplitSeq(query, "&") {
		if !strings.HasPrefix(attribute, "pin-") {
			kept = append(kept, attribute)
		}
	}
	u.rest = path
	if query := strings.Join(kept, "&"); query != "" {
		u.rest += "?" + query
	}
	return u, nil
}

func (u *pkcs11URI) takeSource(value string) error {
	if path, found := strings.CutPrefix(value, "file:"); found {
		value = strings.TrimPrefix(path, "//")
	}
	if value == "" || strings.HasPrefix(value, "|") {
		return errors.New("has a pin-source that is not one file: programs are not run for a PIN")
	}
	u.source = value
	return nil
}
