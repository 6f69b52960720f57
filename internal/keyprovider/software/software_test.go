package software

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/conformance"
)

func generate(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.json")
	if err := Generate(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConformance(t *testing.T) {
	open := func(path string) func() (keyprovider.Provider, error) {
		return func() (keyprovider.Provider, error) { return Open(Options{Path: path, Network: "regtest"}) }
	}
	conformance.Run(t, conformance.Subject{Open: open(generate(t)), OpenOther: open(generate(t))})
}

// TestDeriveIsHMAC pins the function with case 2 of RFC 4231.
func TestDeriveIsHMAC(t *testing.T) {
	p := &Provider{keys: newKeys(nil, []byte("Jefe"))}
	got, err := p.Derive(t.Context(), []byte("what do ya want for nothing?"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if hex.EncodeToString(got[:]) != want {
		t.Fatalf("Derive gave %x, want %s", got, want)
	}
}

func TestMainnetIsRefused(t *testing.T) {
	path := generate(t)
	tests := []struct {
		network  string
		insecure bool
		want     error
	}{
		{"mainnet", false, ErrMainnet}, {"", false, ErrMainnet}, {"Testnet", false, ErrMainnet},
		{"mainnet", true, nil}, {"testnet", false, nil}, {"signet", false, nil}, {"regtest", false, nil},
	}
	for _, c := range tests {
		p, err := Open(Options{Path: path, Network: c.network, AllowInsecure: c.insecure})
		if !errors.Is(err, c.want) || (c.want == nil) != (p != nil) {
			t.Errorf("network %q, allow_insecure %t: %v, want %v", c.network, c.insecure, err, c.want)
		}
	}
}

func TestGenerate(t *testing.T) {
	path := generate(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	before, _ := os.ReadFile(path)
	if err := Generate(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("second Generate gave %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Fatal("second Generate changed the file")
	}
	if err := Generate(filepath.Join(path, "x")); err == nil {
		t.Fatal("Generate below a file succeeded")
	}
}

func TestModes(t *testing.T) {
	path := generate(t)
	for mode, ok := range map[fs.FileMode]bool{
		0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o610: false, 0o666: false,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Path: path, Network: "regtest"})
		if ok && err != nil || !ok && (err == nil || !strings.Contains(err.Error(), "chmod 600 "+path)) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for _, bad := range []string{filepath.Dir(path), path + ".missing"} {
		if _, err := Open(Options{Path: bad, Network: "regtest"}); err == nil {
			t.Errorf("opened %s", bad)
		}
	}
}

// TestBadFiles: each fault is named, and no error repeats what is secret.
func TestBadFiles(t *testing.T) {
	good, err := newFile()
	if err != nil {
		t.Fatal(err)
	}
	var f file
	if err := json.Unmarshal(good, &f); err != nil {
		t.Fatal(err)
	}
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	wrongCurve, _ := x509.MarshalPKCS8PrivateKey(p384)
	change := func(edit func(*file)) []byte {
		g := f
		edit(&g)
		out, _ := json.Marshal(g)
		return out
	}
	tests := map[string]struct {
		data []byte
		want string
	}{
		"empty":            {nil, "not a key file"},
		"not JSON":         {[]byte("-----BEGIN"), "not a key file"},
		"unknown key":      {bytes.Replace(good, []byte(`"version"`), []byte(`"x": 1, "version"`), 1), "not a key file"},
		"wrong type":       {bytes.Replace(good, []byte(`"version": 1`), []byte(`"version": "1"`), 1), "not a key file"},
		"trailing":         {append(bytes.Clone(good), "{}"...), "follows"},
		"version":          {change(func(g *file) { g.Version = 2 }), "version 2"},
		"short derivation": {change(func(g *file) { g.Derivation = g.Derivation[1:] }), "31 bytes"},
		"no identity":      {change(func(g *file) { g.Identity = nil }), "PKCS#8"},
		"cut identity":     {change(func(g *file) { g.Identity = g.Identity[:60] }), "PKCS#8"},
		"other curve":      {change(func(g *file) { g.Identity = wrongCurve }), "P-256"},
	}
	for name, c := range tests {
		_, err := parse(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), base64.StdEncoding.EncodeToString(f.Derivation)[:12]) {
			t.Errorf("%s: the error quotes the secret: %v", name, err)
		}
	}
}

func TestNothingPrintsTheKeys(t *testing.T) {
	p, err := Open(Options{Path: generate(t), Network: "regtest"})
	if err != nil {
		t.Fatal(err)
	}
	derivation := p.keys.derivation.Expose()
	d, err := p.keys.identity().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&out, verb, p)
		fmt.Fprintf(&out, verb, struct{ p *Provider }{p})
		fmt.Fprintf(&out, verb, *p.keys)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "p", p)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "p", p)
	for _, key := range [][]byte{derivation, d} {
		for _, leak := range []string{fmt.Sprintf("%x", key[:8]), strings.Trim(fmt.Sprint(key[:4]), "[]"), string(key[:8])} {
			if strings.Contains(out.String(), leak) {
				t.Fatalf("printed %q", leak)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	good, err := newFile()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := parse(data)
		if (err == nil) != (k != nil) {
			t.Fatalf("parse gave %v and %v", k, err)
		}
		if err != nil {
			return
		}
		der, err := x509.MarshalPKCS8PrivateKey(k.identity())
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(file{fileVersion, "", der, k.derivation.Expose()})
		if err != nil {
			t.Fatal(err)
		}
		k2, err := parse(again)
		if err != nil || !k2.identity().Equal(k.identity()) || !bytes.Equal(k2.derivation.Expose(), k.derivation.Expose()) {
			t.Fatalf("does not survive a round trip: %v", err)
		}
	})
}
