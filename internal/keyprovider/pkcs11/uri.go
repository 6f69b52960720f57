package pkcs11

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// takeURI puts what an RFC 7512 URI says into the section, and wipes the URI:
//
//	pkcs11:token=node-0;object=frost-identity?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/frost/pin
//
// Attributes are those of the token (token, manufacturer, model, serial,
// slot-id), of the identity key (object, id, type) and, behind the question mark,
// module-path, pin-value and pin-source (a file), as p11tool prints them. Errors
// never quote a value, which may be a PIN.
func (s *Section) takeURI(file string) error {
	if s.URI.Bytes == nil {
		return nil
	}
	read, err := parseURI(string(s.URI.Expose()))
	s.URI.Wipe()
	s.URI = keyprovider.Secret{}
	if err != nil {
		return fmt.Errorf("is no PKCS#11 URI that can be used here: %w", err)
	}
	for _, a := range []struct {
		name, key string
		field     *string
	}{
		{"token", "token_label", &s.TokenLabel}, {"object", "key_label", &s.KeyLabel},
		{"module-path", "pkcs11_library", &s.Library},
		{"manufacturer", "", &s.manufacturer}, {"model", "", &s.model}, {"serial", "", &s.serial},
	} {
		value, there := read[a.name]
		if there && *a.field != "" && *a.field != value {
			return fmt.Errorf("has another %s than %s says", a.name, a.key)
		} else if there {
			*a.field = value
		}
	}
	s.keyID = []byte(read["id"])
	if text, there := read["slot-id"]; there {
		n, err := strconv.ParseUint(text, 10, 32)
		slot := uint(n)
		switch {
		case err != nil:
			return errors.New("has a slot-id that is no number")
		case s.Slot != nil && *s.Slot != slot:
			return errors.New("has another slot-id than slot says")
		}
		s.Slot = &slot
	}
	return s.takePIN(read, file)
}

func (s *Section) takePIN(read map[string]string, file string) error {
	value, hasValue := read["pin-value"]
	source, hasSource := read["pin-source"]
	switch {
	case !hasValue && !hasSource:
		return nil
	case s.Pin.Bytes != nil:
		return errors.New("names a PIN, and so does pin: one place for the PIN")
	case s.PINFile != "":
		return errors.New("names a PIN, and so does pin_file: one place for the PIN")
	case hasValue && hasSource:
		return errors.New("has both pin-value and pin-source: one place for the PIN")
	case hasValue:
		s.Pin.Bytes = secret.New([]byte(value))
		return s.checkPIN(file)
	}
	if path, found := strings.CutPrefix(source, "file:"); found {
		source = strings.TrimPrefix(path, "//")
	}
	if source == "" || strings.HasPrefix(source, "|") || strings.Contains(source, "://") {
		return errors.New("has a pin-source that is not one file: programs are not run for a PIN")
	}
	s.PINFile = source
	return nil
}
