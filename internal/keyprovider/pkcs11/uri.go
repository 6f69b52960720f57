package pkcs11

import (
	"strconv"
	"strings"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// watched is a table that notes whether anything failed.
type watched struct {
	keyprovider.Table
	failed bool
}

// Fail implements keyprovider.Table.
func (w *watched) Fail(key, format string, args ...any) {
	w.failed = true
	w.Table.Fail(key, format, args...)
}

// takeURI puts what an RFC 7512 URI says into the section, and wipes the URI:
//
//	pkcs11:token=node-0;object=frost-identity?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/frost/pin
//
// Attributes are those of the token (token, manufacturer, model, serial,
// slot-id), of the identity key (object, id, type) and, behind the question mark,
// module-path, pin-value and pin-source (a file), as p11tool prints them. Errors
// never quote a value, which may be a PIN.
func (s *Section) takeURI(t keyprovider.Table, file string) {
	read, err := parseURI(string(s.URI.Expose()))
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
		{"manufacturer", "", &s.manufacturer}, {"model", "", &s.model}, {"serial", "", &s.serial},
	} {
		value, there := read[a.name]
		if there && *a.field != "" && *a.field != value {
			t.Fail("uri", "has another %s than %s says", a.name, a.key)
		} else if there {
			*a.field = value
		}
	}
	if id, there := read["id"]; there {
		s.keyID = []byte(id)
	}
	if text, there := read["slot-id"]; there {
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
	s.takePIN(t, read, file)
}

func (s *Section) takePIN(t keyprovider.Table, read map[string]string, file string) {
	value, hasValue := read["pin-value"]
	source, hasSource := read["pin-source"]
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
