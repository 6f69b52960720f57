package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pkcs11 is the file of a node with a token; what is added begins at line 17.
func pkcs11(tail string) string {
	text, _, _ := strings.Cut(awsKMS, `type = "aws-kms"`)
	return text + `type = "pkcs11"
pkcs11_library = "lib.so"
token_label = "t"
key_label = "k"
` + tail
}

// TestPIN: where a PIN may stand, and what comes out.
func TestPIN(t *testing.T) {
	t.Setenv("FROST_TEST_PIN", "from environment")
	tests := map[string]struct{ tail, pin, file, uri string }{
		"none":               {"", "", "", ""},
		"literal":            {`pin = "776655"`, "776655", "", ""},
		"environment":        {`pin = "${FROST_TEST_PIN}"`, "from environment", "", ""},
		"inner dollar":       {`pin = "a${b}"`, "a${b}", "", ""},
		"file":               {`pin_file = "/run/pin"`, "", "/run/pin", ""},
		"uri":                {`uri = "pkcs11:object=o;slot-id=1?module-path=/lib.so"`, "", "", "pkcs11:object=o;slot-id=1?module-path=/lib.so"},
		"pin-value":          {`uri = "pkcs11:object=o?pin-value=1%3f2&module-path=/l"`, "1?2", "", "pkcs11:object=o?module-path=/l"},
		"pin-value, alone":   {`uri = "pkcs11:object=o?pin-value=7766"`, "7766", "", "pkcs11:object=o"},
		"pin-value, named":   {`uri = "pkcs11:?pin-value=%24%7BFROST_TEST_PIN%7D"`, "from environment", "", "pkcs11:"},
		"pin-source":         {`uri = "pkcs11:?pin-source=file:/run/my%20pin"`, "", "/run/my pin", "pkcs11:"},
		"pin-source, URL":    {`uri = "pkcs11:?pin-source=file:///run/pin"`, "", "/run/pin", "pkcs11:"},
		"pin-source, a path": {`uri = "pkcs11:?pin-source=/run/pin"`, "", "/run/pin", "pkcs11:"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			n, err := LoadNode(write(t, pkcs11(c.tail)))
			if err != nil {
				t.Fatal(err)
			}
			k := n.Node.KeyProvider
			if string(k.Pin.Expose()) != c.pin || (k.Pin.Bytes == nil) != (c.pin == "") || k.PinFile != c.file || k.URI != c.uri {
				t.Errorf("got pin %q, file %q, uri %q", k.Pin.Expose(), k.PinFile, k.URI)
			}
			if c.pin != "" && strings.Contains(fmt.Sprintf("%v %+v %#v", n, n, n), c.pin) {
				t.Error("the pin is printed")
			}
		})
	}
}

func TestPKCS11Errors(t *testing.T) {
	const at = "17: node.key_provider."
	tests := map[string]struct{ tail, want string }{
		"pin and file":         {"pin = '1'\npin_file = 'f'", at + "pin: exclude each other"},
		"unset":                {"pin = '${FROST_TEST_UNSET}'", at + "pin: variable FROST_TEST_UNSET, which is not set"},
		"half a name":          {"pin = '${FROST'", at + "pin: not the name of an environment variable"},
		"empty":                {"pin = ''", at + "pin: is no PIN"},
		"two lines":            {`pin = "1\n2"`, at + "pin: is no PIN"},
		"too long":             {"pin = '" + strings.Repeat("1", 256) + "'", at + "pin: is no PIN"},
		"sessions":             {"sessions = 65", at + "sessions: use 1 to 64"},
		"no sessions":          {"sessions = 0", at + "sessions: use 1 to 64"},
		"derivation":           {"derivation = 'kms'", at + "derivation: use hmac, ecdh"},
		"regions":              {"hedge_after = '1s'", at + `hedge_after: not for type "pkcs11"`},
		"attempts":             {"max_attempts = 0", at + "max_attempts: use 1 to 100"},
		"price":                {"prices.sign = -1", at + "prices.sign: use 0 to"},
		"price, nan":           {"prices.sign = nan", at + "prices.sign: use 0 to"},
		"price, unknown":       {"prices.login = 1", at + "prices.login: unknown key"},
		"price, text":          {"prices.sign = 'a'", at + "prices.sign: wrong type"},
		"no uri":               {"uri = 'https://a'", at + "uri: not of the form pkcs11:"},
		"uri and pin":          {"uri = 'pkcs11:?pin-value=1'\npin = '2'", at + "uri: so does pin:"},
		"uri and file":         {"uri = 'pkcs11:?pin-source=/a'\npin_file = 'b'", at + "uri: so does pin_file:"},
		"uri, two places":      {"uri = 'pkcs11:?pin-value=1&pin-source=/a'", at + "uri: both pin-value and pin-source"},
		"uri, two PINs":        {"uri = 'pkcs11:?pin-value=1&pin-value=1'", at + "uri: pin-value is there twice"},
		"uri, a program":       {"uri = 'pkcs11:?pin-source=%7Ccat'", at + "uri: programs are not run"},
		"uri, broken":          {"uri = 'pkcs11:?pin-value=%zz'", at + "uri: pin-value has a % in it"},
		"uri, unset":           {"uri = 'pkcs11:?pin-value=%24%7BFROST_TEST_UNSET%7D'", at + "uri: FROST_TEST_UNSET"},
		"uri, library":         {"uri = 'pkcs11:token=t;library-version=1'", at + `uri: attribute "library-version" is not known here`},
		"uri, type":            {"uri = 'pkcs11:token=t;type=cert'", at + "uri: attribute type is not private"},
		"uri, pin in the path": {"uri = 'pkcs11:pin-value=1'", at + "uri: pin-value is on the wrong side"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, pkcs11(c.tail+"\n"))
			_, err := LoadNode(path)
			compare(t, path, err, []string{c.want})
		})
	}
}

// TestURIStandsForAll: with an uri nothing else is needed, and what it lacks
// is named.
func TestURIStandsForAll(t *testing.T) {
	text, _, _ := strings.Cut(awsKMS, `type = "aws-kms"`)
	text += "type = \"pkcs11\"\nuri = \"%s\"\n"
	if _, err := LoadNode(write(t, fmt.Sprintf(text, "pkcs11:token=t;object=k?module-path=/lib.so"))); err != nil {
		t.Error(err)
	}
	path := write(t, fmt.Sprintf(text, "pkcs11:"))
	_, err := LoadNode(path)
	compare(t, path, err, []string{"12: node.key_provider.pkcs11_library: missing", "12: node.key_provider.key_label: missing",
		"12: node.key_provider.token_label: missing"})
}

// TestPinNeedsAPrivateFile: a PIN in the file needs mode 0600; the name of a
// variable is no secret.
func TestPinNeedsAPrivateFile(t *testing.T) {
	t.Setenv("FROST_TEST_PIN", "1")
	for tail, want := range map[string][]string{
		`pin = "1"`:                           {"17: node.key_provider.pin: chmod 600"},
		`uri = "pkcs11:token=a?pin-value=1"`:  {"17: node.key_provider.uri: chmod 600"},
		`pin = "${FROST_TEST_PIN}"`:           nil,
		`uri = "pkcs11:token=a?pin-source=x"`: nil,
	} {
		path := write(t, pkcs11(tail+"\n"))
		if _, err := LoadNode(path); err != nil {
			t.Errorf("%s: %v", tail, err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		n, err := LoadNode(path)
		if want != nil {
			compare(t, path, err, want)
		} else if err != nil {
			t.Errorf("%s: %v", tail, err)
		} else if file := n.Node.KeyProvider.PinFile; file != "" && file != filepath.Join(filepath.Dir(path), "x") {
			t.Errorf("pin file %s", file)
		}
	}
}

// FuzzURI: what is kept of an URI holds no PIN, and keeps being one.
func FuzzURI(f *testing.F) {
	for _, seed := range []string{"pkcs11:", "pkcs11:token=b;object=c?module-path=/e&pin-value=x", "pkcs11:?pin-source=file:///p&a", "pkcs11:%?&&pin-value", "http:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := parseURI(text)
		if err != nil {
			return
		}
		again, err := parseURI(u.rest)
		if err != nil || again.pin != nil || again.source != "" || again.rest != u.rest {
			t.Fatalf("%q keeps %q: %+v, %v", text, u.rest, again, err)
		}
	})
}
