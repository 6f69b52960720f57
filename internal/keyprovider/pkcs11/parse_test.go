//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestBadAnswers never leave the provider.
func TestBadAnswers(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	for name, spoil := range map[string]func([]byte) []byte{
		"none":    func([]byte) []byte { return nil },
		"short":   func(b []byte) []byte { return b[:len(b)-1] },
		"long":    func(b []byte) []byte { return append(b, 0) },
		"flipped": func(b []byte) []byte { b[5] ^= 1; return b },
		"zero":    func(b []byte) []byte { return make([]byte, len(b)) },
		"too big": func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) },
	} {
		spoiled := func() *Provider { // each bad answer costs the connection
			f.set(func() { f.spoil = nil })
			p := mustOpenWith(t, o, f.load)
			f.set(func() { f.spoil = spoil })
			return p
		}
		wants(t, trySign(t.Context(), spoiled()), keyprovider.BadAnswer, "firmware")
		if name == "flipped" || name == "zero" || name == "too big" {
			continue // Derive can't tell
		}
		_, err := spoiled().Derive(t.Context(), []byte("x"))
		wants(t, err, keyprovider.BadAnswer, "not 32")
	}
}

func TestParsePoint(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	wrapped := append([]byte{4, 65}, raw...)
	off := bytes.Clone(raw)
	off[64] ^= 1
	for name, c := range map[string]struct {
		in   []byte
		good bool
	}{
		"as the standard says": {wrapped, true}, "bare": {raw, true}, "none": {nil, false}, "cut": {wrapped[:66], false},
		"longer": {append(bytes.Clone(wrapped), 0), false}, "off the curve": {off, false}, "compressed": {append([]byte{2}, raw[1:33]...), false},
		"infinity": {make([]byte, 65), false}, "text": {[]byte(strings.Repeat("x", 67)), false},
	} {
		got := parsePoint(c.in)
		if (got != nil) != c.good || got != nil && !got.Equal(&key.PublicKey) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzParsePoint(f *testing.F) {
	f.Add(append([]byte{4, 65, 4}, make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		key := parsePoint(b)
		if key == nil {
			return
		}
		again, err := key.Bytes()
		if err != nil || !bytes.HasSuffix(b, again) || len(b) > len(again)+2 {
			t.Fatalf("%x gave %x: %v", b, again, err)
		}
	})
}

func FuzzParseCertificate(f *testing.F) {
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		if key := parseCertificate(der); key != nil && key.Curve != elliptic.P256() {
			t.Fatal("another curve")
		}
	})
}

// FuzzEncodeSignature: what is encoded decodes to the same numbers.
func FuzzEncodeSignature(f *testing.F) {
	f.Add(bytes.Repeat([]byte{1}, 64))
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, raw []byte) {
		der, err := encodeSignature(raw)
		if err != nil {
			return
		}
		r, s, ok := decode(der)
		if !ok || !bytes.Equal(raw, append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)) {
			t.Fatalf("%x gave %x", raw, der)
		}
	})
}
