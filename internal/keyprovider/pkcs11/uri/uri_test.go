package uri

import (
	"strings"
	"testing"
)

// TestAttributes: every one of RFC 7512 is either read or refused by its name.
func TestAttributes(t *testing.T) {
	for name, query := range attributes {
		text := "pkcs11:" + name + "=1%202"
		if query {
			text = "pkcs11:?" + name + "=1%202"
		}
		if got, err := Parse(text); err != nil || got[name] != "1 2" {
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
