package pkcs11

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// TestURIAttributes: every one of RFC 7512 is either read or refused by its
// name.
func TestURIAttributes(t *testing.T) {
	for name, query := range attributes {
		text := "pkcs11:" + name + "=1%202"
		if query {
			text = "pkcs11:?" + name + "=1%202"
		}
		if got, err := parseURI(text); err != nil || got[name] != "1 2" {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, name := range others {
		for _, text := range []string{"pkcs11:token=t;" + name + "=1", "pkcs11:?" + name + "=1"} {
			if _, err := parseURI(text); err == nil || !strings.Contains(err.Error(), `"`+name+`" is not known here`) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// TestURIErrors name the fault and quote no value, which may be a PIN.
func TestURIErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "not of the form pkcs11:",
		"PKCS11:token=a":                        "not of the form pkcs11:",
		"pkcs11:" + strings.Repeat("x", maxURI): "longer",
		"pkcs11:token":                          "attribute 1 is not of the form",
		"pkcs11:token=a;":                       "attribute 2 is not of the form",
		"pkcs11:token=a?SECRET":                 "attribute 1 is not of the form",
		"pkcs11:?pin-value=1&SECRET=2":          "attribute 2 is not known here",
		"pkcs11:pin-value=SECRET":               "wrong side",
		"pkcs11:?token=a":                       "wrong side",
		"pkcs11:token=a;token=a":                "twice",
		"pkcs11:token=":                         "empty",
		"pkcs11:token=a%00":                     "not encoded",
		"pkcs11:?pin-value=SECRET%zz":           "pin-value is empty or not encoded",
	} {
		if _, err := parseURI(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: want %q, got %v", text, want, err)
		}
	}
}

// FuzzURI: what is taken says the same when it is written anew, with every byte
// encoded.
func FuzzURI(f *testing.F) {
	f.Add("pkcs11:token=a%20b;object=c;slot-id=7?module-path=/x&pin-value=1234")
	f.Add("pkcs11:token=a?pin-source=file:/etc/pin")
	f.Add("pkcs11:;?&=%")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := parseURI(text)
		if err != nil {
			return
		}
		parts := map[bool][]string{}
		for name, value := range read {
			var encoded strings.Builder
			for _, b := range []byte(value) {
				fmt.Fprintf(&encoded, "%%%02x", b)
			}
			parts[attributes[name]] = append(parts[attributes[name]], name+"="+encoded.String())
		}
		anew := "pkcs11:" + strings.Join(parts[false], ";")
		if len(parts[true]) > 0 {
			anew += "?" + strings.Join(parts[true], "&")
		}
		if len(anew) > maxURI {
			return
		}
		if again, err := parseURI(anew); err != nil || !maps.Equal(again, read) {
			t.Fatalf("%q: %q: %v, %v", text, anew, again, err)
		}
	})
}
