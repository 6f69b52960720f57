package pkcs11

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// fakeTable is a table that sets the keys in set, and keeps what fails.
type fakeTable struct {
	set  []string
	errs []string
}

func (f *fakeTable) Has(key string) bool { return slices.Contains(f.set, key) }

func (f *fakeTable) Fail(key, format string, args ...any) {
	f.errs = append(f.errs, key+": "+fmt.Sprintf(format, args...))
}

func (f *fakeTable) Require(key, value string) {
	if value == "" {
		f.Fail(key, "is missing")
	}
}

func (f *fakeTable) OneOf(string, string, ...string) {}
func (f *fakeTable) Between(string, int, int, int)   {}
func (f *fakeTable) Absolute(*string)                {}

// withURI is a section with a URI taken in.
func withURI(t testing.TB, s Section, text string) Section {
	t.Helper()
	s.URI.Bytes = secret.New([]byte(text))
	if err := s.takeURI("none.toml"); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestURI(t *testing.T) {
	s := withURI(t, Section{}, "pkcs11:token=node%200;object=frost-identity;slot-id=7"+
		"?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-value=12%2034")
	if s.TokenLabel != "node 0" || s.KeyLabel != "frost-identity" || *s.Slot != 7 ||
		s.Library != "/usr/lib/softhsm/libsofthsm2.so" || s.URI.Bytes != nil {
		t.Fatalf("%+v", s)
	}
	o := s.options(keyprovider.Node{Storage: t.TempDir()}, keyprovider.Options{})
	for range 2 { // each login gets its own copy
		pin, err := o.PIN(t.Context())
		if err != nil || string(pin.Expose()) != "12 34" {
			t.Fatalf("%q %v", pin.Expose(), err)
		}
		pin.Wipe()
	}
	// As p11tool prints it, with the padding of a token's label.
	s = withURI(t, Section{}, "PKCS11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=0a1b;"+
		"token=node%200%20%20%00;id=%00%01;object=frost-identity;type=private")
	if s.TokenLabel != "node 0" || s.model != "SoftHSM v2" || s.manufacturer != "SoftHSM project" ||
		s.serial != "0a1b" || string(s.keyID) != "\x00\x01" {
		t.Fatalf("%+v", s)
	}
	// What the configuration says too is no conflict.
	same := Section{TokenLabel: "a", KeyLabel: "b", Slot: new(uint(1)), Library: "/l"}
	withURI(t, same, "pkcs11:token=a;object=b;slot-id=1?module-path=/l")
	for _, empty := range []string{"pkcs11:", "pkcs11:?"} { // by RFC 7512
		withURI(t, same, empty)
	}
}

// TestURIAttributes: every one of RFC 7512 is either read or refused by its
// name.
func TestURIAttributes(t *testing.T) {
	for name, query := range attributes {
		value, want := "1%202", "1 2"
		if name == "type" {
			value, want = "private", "private"
		}
		text := "pkcs11:" + name + "=" + value
		if query {
			text = "pkcs11:?" + name + "=" + value
		}
		if got, err := parseURI(text); err != nil || got[name] != want {
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
	if _, err := parseURI("pkcs11:?pin-value=12&34=5"); err == nil || strings.Contains(err.Error(), "34") {
		t.Errorf("a part of a PIN is quoted: %v", err)
	}
}

// TestURIErrors name the fault and quote no value, which may be a PIN.
func TestURIErrors(t *testing.T) {
	full := Section{TokenLabel: "a", KeyLabel: "b", Slot: new(uint(1)), Library: "/l"}
	withPIN := Section{Pin: keyprovider.Secret{Bytes: secret.New([]byte("1"))}}
	for _, c := range []struct {
		uri  string
		s    Section
		want string
	}{
		{"", Section{}, "not of the form pkcs11:"},
		{"pkcs11:" + strings.Repeat("x", maxURI), Section{}, "longer"},
		{"pkcs11:token", Section{}, "attribute 1 is not of the form"},
		{"pkcs11:token=a;", Section{}, "attribute 2 is not of the form"},
		{"pkcs11:token=a?SECRET", Section{}, "attribute 1 is not of the form"},
		{"pkcs11:library-version=1;token=a", Section{}, `"library-version" is not known here`},
		{"pkcs11:type=SECRET;token=a", Section{}, "type is not private"},
		{"pkcs11:token=a?module-name=softhsm2", Section{}, `"module-name" is not known here`},
		{"pkcs11:?pin-value=1&SECRET=2", Section{}, "attribute 2 is not known here"},
		{"pkcs11:pin-value=SECRET", Section{}, "wrong side"},
		{"pkcs11:?token=a", Section{}, "wrong side"},
		{"pkcs11:token=a;token=a", Section{}, "twice"},
		{"pkcs11:token=", Section{}, "empty"},
		{"pkcs11:object=a%00", Section{}, "NUL"},
		{"pkcs11:?pin-value=SECRET%zz", Section{}, "pin-value has a % in it"},
		{"pkcs11:?pin-value=%20SECRET", Section{}, "begins or ends with a blank"},
		{"pkcs11:slot-id=-1", Section{}, "no number"},
		{"pkcs11:slot-id=4294967296", Section{}, "no number"},
		{"pkcs11:slot-id=0x1", Section{}, "no number"},
		{"pkcs11:?pin-value=SECRET&pin-source=/f", Section{}, "both pin-value and pin-source"},
		{"pkcs11:?pin-source=%7Ccat%20SECRET", Section{}, "not one file"},
		{"pkcs11:?pin-source=https:%2F%2FSECRET", Section{}, "not one file"},
		{"pkcs11:token=SECRET", full, "another token than token_label"},
		{"pkcs11:object=SECRET", full, "another object than key_label"},
		{"pkcs11:slot-id=2", full, "another slot-id than slot"},
		{"pkcs11:?module-path=SECRET", full, "another module-path than pkcs11_library"},
		{"pkcs11:?pin-value=SECRET", withPIN, "so does pin"},
		{"pkcs11:?pin-source=SECRET", Section{PINFile: "/f"}, "so does pin_file"},
	} {
		s := c.s
		s.URI.Bytes = secret.New([]byte(c.uri))
		got := fmt.Sprint(s.takeURI("none.toml"))
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q, got %v", c.uri, c.want, got)
		}
		if strings.Contains(got, "SECRET") || s.URI.Bytes != nil {
			t.Errorf("%s: the error quotes the URI, or the section keeps it: %s", c.uri, got)
		}
	}
}

// TestBadURIAlone: of a wrong URI nobody knows what it lacks.
func TestBadURIAlone(t *testing.T) {
	for text, want := range map[string][]string{
		"pkcs11:?pin-value=%201": {"uri: is no PIN"},
		"pkcs11:token=a b":       {"uri: is no PKCS#11 URI"},
		"pkcs11:token=t":         {"pkcs11_library: is missing", "key_label: is missing"},
	} {
		f := &fakeTable{set: []string{"uri"}}
		s := &Section{}
		s.URI.Bytes = secret.New([]byte(text))
		s.Check(f, keyprovider.Node{})
		if len(f.errs) != len(want) {
			t.Errorf("%s: %q, want %q", text, f.errs, want)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(f.errs[i], want[i]) {
				t.Errorf("%s: %q, want %q", text, f.errs[i], want[i])
			}
		}
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
		got, err := parseURI(text)
		if err == nil || got != nil || strings.Contains(err.Error(), pin) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"pkcs11:token=spin=1", "pkcs11:object=pinned", "pkcs11:token=t?module-path=/opt/pin/x.so&pin-value=" + pin} {
		if _, err := parseURI(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestPINFile: the PIN of a pin-source is read at each login, and what
// surrounds it by accident is refused.
func TestPINFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	var source func() (*secret.Bytes, error)
	for _, text := range []string{path, "file:" + path, "file://" + path} {
		s := withURI(t, Section{}, "pkcs11:?pin-source="+text)
		o := s.options(keyprovider.Node{Storage: t.TempDir()}, keyprovider.Options{})
		source = func() (*secret.Bytes, error) { return o.PIN(t.Context()) }
		for content, want := range map[string]string{
			"1234": "1234", "1234\n": "1234", "1234\r\n": "1234", "12 34\n": "12 34", " 1234": "", "1234 \n": "",
			"\"1234\"": "", "1234 # x": "", "\ufeff1234": "", "": "", "\n": "", "1234\n5678\n": "",
			strings.Repeat("1", 256): "", "12\x0034": "",
		} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			pin, err := source()
			if (err == nil) != (want != "") || string(pin.Expose()) != want {
				t.Errorf("%q gave %q, %v", content, pin.Expose(), err)
			}
			if err != nil && (!strings.Contains(err.Error(), path) ||
				content != "" && content != "\n" && strings.Contains(err.Error(), content)) {
				t.Error(err)
			}
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := source(); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := source(); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}

// FuzzURI: what is taken says the same when it is written anew, with every byte
// encoded.
func FuzzURI(f *testing.F) {
	f.Add("pkcs11:token=a%20b;object=c;slot-id=7?module-path=/x&pin-value=1234")
	f.Add("pkcs11:token=a?pin-source=file:/etc/pin")
	f.Add("pkcs11:token=b;object=c?module-path=/e&pin-value=x")
	f.Add("pkcs11:?pin-source=file:///p&a")
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
