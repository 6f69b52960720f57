package uri

import (
	"strings"
	"testing"
)

// TestAttributes: every one of RFC 7512 is either read or refused by its name.
func TestAttributes(t *testing.T) {
	for name, query := range attributes {
		value, want := "1%202", "1 2"
		if name == "type" {
			value, want = "private", "private"
		}
		text := "pkcs11:" + name + "=" + value
		if query {
			text = "pkcs11:?" + name + "=" + value
		}
		if got, err := Parse(text); err != nil || got[name] != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, name := range others {
		for _, text := range []string{"pkcs11:token=t;" + name + "=1", "pkcs11:?" + name + "=1"} {
			if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), `"`+name+`" is not known here`) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	if _, err := Parse("pkcs11:?pin-value=12&34=5"); err == nil || strings.Contains(err.Error(), "34") {
		t.Errorf("a part of a PIN is quoted: %v", err)
	}
}

// TestNoPINInAnotherValue: a PIN behind a wrong separator is not taken for a
// part of what stands before it, and no error shows it.
func TestNoPINInAnotherValue(t *testing.T) {
	const pin = "87654321"
	for _, text := range []string{
		"pkcs11:token=t;object=o?module-path=/x.so;pin-value=" + pin,
		"pkcs11:token=t;object=o?module-path=/x.so;PIN-value=" + pin,
		"pkcs11:token=t;object=o?module-path=/x.so%3Bpin-value=" + pin,
		"pkcs11:token=t;object=o?module-path=/x.so?pin-value=" + pin,
		"pkcs11:token=t;object=o?module-path=/x.so,pin-value=" + pin,
		"pkcs11:token=t;object=o?module-path=/x.so|pin_value=" + pin,
		"pkcs11:token=t;object=o?module-path=/x.so pin-value=" + pin,
		"pkcs11:token=t;object=o?module-path=/x.so,pin=" + pin,
		"pkcs11:token=t;object=o&pin-value=" + pin,
		"pkcs11:token=t;object=o,pin-value=" + pin,
		"pkcs11:token=t;object=o;pin-value=" + pin,
		"pkcs11:token=t&pin-source=" + pin,
		"pkcs11:token=t%0apin-value%3d" + pin,
		"pkcs11:token=t;object=o?pin-source=/a;pin-value=" + pin,
		"pkcs11:?pin-value=1&" + pin,
		"pkcs11:?pin-value=" + pin + "+1",
		"pkcs11:?pin-value=" + pin + "%",
		"pkcs11:?pin-value=" + pin + ";",
		"pkcs11:?pin-value=" + pin + "#",
		"pkcs11:?pin-value=\"" + pin + "\"",
		"pkcs12:?pin-value=" + pin,
	} {
		got, err := Parse(text)
		if err == nil || got != nil || strings.Contains(err.Error(), pin) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"pkcs11:token=spin=1", "pkcs11:object=pinned", "pkcs11:token=t?module-path=/opt/pin/x.so&pin-value=" + pin} {
		if _, err := Parse(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
