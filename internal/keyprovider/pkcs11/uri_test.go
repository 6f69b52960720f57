package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider/pkcs11/uri"
	"github.com/frostfleet/frostfleet/internal/secret"
)

func TestMergeURI(t *testing.T) {
	var o Options
	err := o.MergeURI("pkcs11:token=node%200;object=frost-identity;slot-id=7?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-value=12%2034")
	if err != nil {
		t.Fatal(err)
	}
	if o.TokenLabel != "node 0" || o.KeyLabel != "frost-identity" || *o.Slot != 7 || o.Library != "/usr/lib/softhsm/libsofthsm2.so" {
		t.Fatalf("%+v", o)
	}
	for range 2 { // each login gets its own copy
		pin, err := o.PIN(t.Context())
		if err != nil || string(pin.Expose()) != "12 34" {
			t.Fatalf("%q %v", pin.Expose(), err)
		}
		pin.Wipe()
	}
	// As p11tool prints it, with the padding of a token's label.
	o = Options{}
	err = o.MergeURI("PKCS11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=0a1b;token=node%200%20%20%00;id=%00%01;object=frost-identity;type=private")
	if err != nil || o.TokenLabel != "node 0" || o.Model != "SoftHSM v2" || o.Manufacturer != "SoftHSM project" || o.Serial != "0a1b" || string(o.KeyID) != "\x00\x01" {
		t.Fatalf("%v, %+v", err, o)
	}
	// What the configuration says too is no conflict.
	same := Options{TokenLabel: "a", KeyLabel: "b", Slot: new(uint(1)), Library: "/l"}
	if err := same.MergeURI("pkcs11:token=a;object=b;slot-id=1?module-path=/l"); err != nil {
		t.Fatal(err)
	}
	if err := same.MergeURI("pkcs11:"); err != nil {
		t.Fatal(err)
	}
}

func TestMergeURIErrors(t *testing.T) {
	full := Options{TokenLabel: "a", KeyLabel: "b", Slot: new(uint(1)), Library: "/l", PIN: fixedPIN(secret.New([]byte("1234")))}
	for _, c := range []struct {
		uri  string
		o    Options
		want string
	}{
		{"", Options{}, "not of the form pkcs11:"},
		{"pkcs11:" + strings.Repeat("x", uri.Max), Options{}, "longer"},
		{"pkcs11:token", Options{}, "attribute 1 is not of the form"},
		{"pkcs11:token=a;", Options{}, "attribute 2 is not of the form"},
		{"pkcs11:token=a?SECRET", Options{}, "attribute 1 is not of the form"},
		{"pkcs11:library-version=1;token=a", Options{}, `"library-version" is not known here`},
		{"pkcs11:type=SECRET;token=a", Options{}, "type is not private"},
		{"pkcs11:token=a?module-name=softhsm2", Options{}, `"module-name" is not known here`},
		{"pkcs11:?pin-value=1&SECRET=2", Options{}, "attribute 2 is not known here"},
		{"pkcs11:pin-value=SECRET", Options{}, "wrong side"},
		{"pkcs11:?token=a", Options{}, "wrong side"},
		{"pkcs11:token=a;token=a", Options{}, "twice"},
		{"pkcs11:token=", Options{}, "empty"},
		{"pkcs11:object=a%00", Options{}, "NUL"},
		{"pkcs11:?pin-value=SECRET%zz", Options{}, "pin-value has a % in it"},
		{"pkcs11:slot-id=-1", Options{}, "no number"},
		{"pkcs11:slot-id=4294967296", Options{}, "no number"},
		{"pkcs11:slot-id=0x1", Options{}, "no number"},
		{"pkcs11:?pin-value=SECRET&pin-source=/f", Options{}, "exclude each other"},
		{"pkcs11:?pin-source=relative", Options{}, "absolute path"},
		{"pkcs11:?pin-source=%7Ccat%20SECRET", Options{}, "absolute path"},
		{"pkcs11:?pin-source=https:%2F%2FSECRET", Options{}, "absolute path"},
		{"pkcs11:token=SECRET", full, "token is another than"},
		{"pkcs11:object=SECRET", full, "object is another than"},
		{"pkcs11:slot-id=2", full, "slot-id is another than"},
		{"pkcs11:?module-path=SECRET", full, "module-path is another than"},
		{"pkcs11:?pin-value=SECRET", full, "the configuration has one too"},
	} {
		o := c.o
		err := o.MergeURI(c.uri)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: want %q, got %v", c.uri, c.want, err)
			continue
		}
		if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("the error quotes the URI: %v", err)
		}
		if o.TokenLabel != c.o.TokenLabel || o.KeyLabel != c.o.KeyLabel || o.Library != c.o.Library || o.Slot != c.o.Slot || (o.PIN == nil) != (c.o.PIN == nil) {
			t.Errorf("%s changed the options", c.uri)
		}
	}
}

func TestPINFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pin")
	for _, source := range []string{path, "file:" + path, "file://" + path} {
		var o Options
		if err := o.MergeURI("pkcs11:?pin-source=" + source); err != nil {
			t.Fatal(err)
		}
		for content, want := range map[string]string{"1234": "1234", "1234\n": "1234", "1234\r\n": "1234", "12 34\n": "12 34", " 1234": "", "1234 \n": "", "\"1234\"": "", "1234 # x": "", "\ufeff1234": "",
			"": "", "\n": "", "1234\n5678\n": "", strings.Repeat("1", maxPIN+1): "", "12\x0034": ""} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			pin, err := o.PIN(t.Context())
			if (err == nil) != (want != "") || string(pin.Expose()) != want {
				t.Errorf("%q gave %q, %v", content, pin.Expose(), err)
			}
			if err != nil && (!strings.Contains(err.Error(), path) || content != "" && content != "\n" && strings.Contains(err.Error(), content)) {
				t.Error(err)
			}
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := pinFile(path)(context.Background()); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Error(err)
	}
	if _, err := pinFile(path + "x")(context.Background()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzMergeURI: what is taken says the same when it is written anew, with
// every byte encoded.
func FuzzMergeURI(f *testing.F) {
	f.Add("pkcs11:token=a%20b;object=c;slot-id=7?module-path=/x&pin-value=1234")
	f.Add("pkcs11:token=a?pin-source=file:/etc/pin")
	f.Add("pkcs11:;?&=%")
	f.Fuzz(func(t *testing.T, text string) {
		var o, again Options
		if err := o.MergeURI(text); err != nil {
			return
		}
		read, err := uri.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		parts := map[bool][]string{}
		for name, value := range read {
			inQuery, _ := uri.InQuery(name)
			var encoded strings.Builder
			for _, b := range []byte(value) {
				fmt.Fprintf(&encoded, "%%%02x", b)
			}
			parts[inQuery] = append(parts[inQuery], name+"="+encoded.String())
		}
		anew := "pkcs11:" + strings.Join(parts[false], ";")
		if len(parts[true]) > 0 {
			anew += "?" + strings.Join(parts[true], "&")
		}
		if len(anew) > uri.Max {
			return
		}
		if err := again.MergeURI(anew); err != nil {
			t.Fatalf("%q: %q: %v", text, anew, err)
		}
		if again.TokenLabel != o.TokenLabel || again.KeyLabel != o.KeyLabel || again.Library != o.Library ||
			(again.Slot == nil) != (o.Slot == nil) || o.Slot != nil && *again.Slot != *o.Slot || (again.PIN == nil) != (o.PIN == nil) {
			t.Fatalf("%q: %+v, written anew %+v", text, o, again)
		}
	})
}
