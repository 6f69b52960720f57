package config

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11"
)

// onToken is the file of a node with a token; what is added begins at line 17.
func onToken(tail string) string {
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
	tests := map[string]struct{ tail, pin, file string }{
		"none":               {"", "", ""},
		"literal":            {`pin = "776655"`, "776655", ""},
		"environment":        {`pin = "${FROST_TEST_PIN}"`, "from environment", ""},
		"inner dollar":       {`pin = "a${b}"`, "a${b}", ""},
		"file":               {`pin_file = "/run/pin"`, "", "/run/pin"},
		"uri":                {`uri = "pkcs11:object=k;slot-id=1?module-path=lib.so"`, "", ""},
		"pin-value":          {`uri = "pkcs11:object=k?pin-value=1%3f2&module-path=lib.so"`, "1?2", ""},
		"pin-value, alone":   {`uri = "pkcs11:object=k?pin-value=7766"`, "7766", ""},
		"pin-value, named":   {`uri = "pkcs11:?pin-value=%24%7BFROST_TEST_PIN%7D"`, "from environment", ""},
		"pin-source":         {`uri = "pkcs11:?pin-source=file:/run/my%20pin"`, "", "/run/my pin"},
		"pin-source, URL":    {`uri = "pkcs11:?pin-source=file:///run/pin"`, "", "/run/pin"},
		"pin-source, a path": {`uri = "pkcs11:?pin-source=/run/pin"`, "", "/run/pin"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			n, err := loadNode(write(t, onToken(c.tail)))
			if err != nil {
				t.Fatal(err)
			}
			k := n.Node.KeyProvider.Section.(*pkcs11.Section)
			if string(k.Pin.Expose()) != c.pin || (k.Pin.Bytes == nil) != (c.pin == "") || k.PINFile != c.file ||
				k.URI.Bytes != nil {
				t.Errorf("got pin %q, file %q, uri %q", k.Pin.Expose(), k.PINFile, k.URI.Expose())
			}
			if c.pin != "" && strings.Contains(fmt.Sprintf("%v %+v %#v %+v", n, n, n, k), c.pin) {
				t.Error("the pin is printed")
			}
		})
	}
}

func TestPKCS11Errors(t *testing.T) {
	const at = "17: node.key_provider."
	tests := map[string]struct{ tail, want string }{
		"pin and file":    {"pin = '1'\npin_file = 'f'", at + "pin: exclude each other"},
		"unset":           {"pin = '${FROST_TEST_UNSET}'", at + "pin: variable FROST_TEST_UNSET, which is not set"},
		"half a name":     {"pin = '${FROST'", at + "pin: not the name of an environment variable"},
		"empty":           {"pin = ''", at + "pin: is no PIN"},
		"two lines":       {`pin = "1\n2"`, at + "pin: is no PIN"},
		"too long":        {"pin = '" + strings.Repeat("1", 256) + "'", at + "pin: is no PIN"},
		"sessions":        {"sessions = 65", at + "sessions: use 1 to 64"},
		"no sessions":     {"sessions = 0", at + "sessions: use 1 to 64"},
		"derivation":      {"derivation = 'kms'", at + "derivation: use hmac, ecdh"},
		"regions":         {"hedge_after = '1s'", at + `hedge_after: not for type "pkcs11"`},
		"attempts":        {"max_attempts = 0", at + "max_attempts: use 1 to 100"},
		"price":           {"prices.sign = -1", at + "prices.sign: use 0 to"},
		"price, nan":      {"prices.sign = nan", at + "prices.sign: use 0 to"},
		"price, unknown":  {"prices.login = 1", at + "prices.login: unknown key"},
		"price, text":     {"prices.sign = 'a'", at + "prices.sign: wrong type"},
		"no uri":          {"uri = 'https://a'", at + "uri: not of the form pkcs11:"},
		"uri and pin":     {"uri = 'pkcs11:?pin-value=1'\npin = '2'", at + "uri: so does pin:"},
		"uri and file":    {"uri = 'pkcs11:?pin-source=/a'\npin_file = 'b'", at + "uri: so does pin_file:"},
		"uri, two places": {"uri = 'pkcs11:?pin-value=1&pin-source=/a'", at + "uri: both pin-value and pin-source"},
		"uri, two PINs":   {"uri = 'pkcs11:?pin-value=1&pin-value=1'", at + "uri: pin-value is there twice"},
		"uri, a program":  {"uri = 'pkcs11:?pin-source=%7Ccat'", at + "uri: programs are not run"},
		"uri, broken":     {"uri = 'pkcs11:?pin-value=%zz'", at + "uri: pin-value has a % in it"},
		"uri, unset":      {"uri = 'pkcs11:?pin-value=%24%7BFROST_TEST_UNSET%7D'", at + "uri: FROST_TEST_UNSET"},
		"uri, library": {"uri = 'pkcs11:token=t;library-version=1'",
			at + `uri: attribute "library-version" is not known here`},
		"uri, type":            {"uri = 'pkcs11:token=t;type=cert'", at + "uri: attribute type is not private"},
		"uri, other token":     {"uri = 'pkcs11:token=a'", at + "uri: another token than token_label"},
		"uri, other key":       {"uri = 'pkcs11:object=a'", at + "uri: another object than key_label"},
		"uri, other library":   {"uri = 'pkcs11:?module-path=/a'", at + "uri: another module-path than pkcs11_library"},
		"uri, slot":            {"uri = 'pkcs11:slot-id=-1'", at + "uri: slot-id that is no number"},
		"one key twice":        {"derivation_key_label = 'k'", at + "derivation_key_label: two keys"},
		"init_args":            {`init_args = "a\u0000"`, at + "init_args: a NUL"},
		"uri, pin in the path": {"uri = 'pkcs11:pin-value=1'", at + "uri: pin-value is on the wrong side"},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, onToken(c.tail+"\n"))
			_, err := loadNode(path)
			compare(t, path, err, []string{c.want})
		})
	}
}

// TestURIStandsForAll: with an uri nothing else is needed, and what it lacks
// is named.
func TestURIStandsForAll(t *testing.T) {
	text, _, _ := strings.Cut(awsKMS, `type = "aws-kms"`)
	text += "type = \"pkcs11\"\nuri = \"%s\"\n"
	if _, err := loadNode(write(t, fmt.Sprintf(text, "pkcs11:token=t;object=k?module-path=/lib.so"))); err != nil {
		t.Error(err)
	}
	path := write(t, fmt.Sprintf(text, "pkcs11:"))
	_, err := loadNode(path)
	compare(t, path, err, []string{"12: node.key_provider.pkcs11_library: missing",
		"12: node.key_provider.key_label: missing",
		"12: node.key_provider.token_label: missing"})
}

// TestPinNeedsAPrivateFile: a PIN in the file needs mode 0600; the name of a
// variable is no secret.
func TestPinNeedsAPrivateFile(t *testing.T) {
	t.Setenv("FROST_TEST_PIN", "1")
	for tail, want := range map[string][]string{
		`pin = "1"`:                           {"17: node.key_provider.pin: chmod 600"},
		`uri = "pkcs11:token=t?pin-value=1"`:  {"17: node.key_provider.uri: chmod 600"},
		`pin = "${FROST_TEST_PIN}"`:           nil,
		`uri = "pkcs11:token=t?pin-source=x"`: nil,
	} {
		path := write(t, onToken(tail+"\n"))
		if _, err := loadNode(path); err != nil {
			t.Errorf("%s: %v", tail, err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		n, err := loadNode(path)
		if want != nil {
			compare(t, path, err, want)
		} else if err != nil {
			t.Errorf("%s: %v", tail, err)
		} else if file := n.Node.KeyProvider.Section.(*pkcs11.Section).PINFile; file != "" &&
			file != filepath.Join(filepath.Dir(path), "x") {
			t.Errorf("pin file %s", file)
		}
	}
}

// TestKnowsNoDevice: back ends bring their configuration along, so a program
// that reads a file links neither the AWS SDK nor a PKCS#11 binding.
func TestKnowsNoDevice(t *testing.T) {
	list := exec.Command("go", "list", "-deps", ".")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		for _, device := range []string{"/internal/keyprovider/", "github.com/aws/", "github.com/miekg/"} {
			if strings.Contains(path, device) {
				t.Errorf("config depends on %s", path)
			}
		}
	}
}
