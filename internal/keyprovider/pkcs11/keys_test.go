//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestFindToken: errors list what is there.
func TestFindToken(t *testing.T) {
	h := softhsm.New(t)
	one, o := provisioned(t, h, "node-0", "")
	twin := h.Token(t, "node-0")
	h.Token(t, "spare")
	_, err := Open(t.Context(), o)
	wants(t, err, keyprovider.WrongKey, "several tokens have that label", "set slot", one.Serial, twin.Serial,
		fmt.Sprint("slot ", one.Slot), fmt.Sprint("slot ", twin.Slot))

	o.Slot = &one.Slot
	mustWork(t, mustOpen(t, o))
	o.TokenLabel = ""
	mustWork(t, mustOpen(t, o))

	for _, c := range []struct {
		label string
		slot  *uint
		want  []string
	}{
		{"gone", nil, []string{`token "gone"`, `token "node-0"`, `token "spare"`, twin.Serial, "softhsm2-util --show-slots"}},
		{"gone", &one.Slot, []string{fmt.Sprintf(`token "gone" in slot %d`, one.Slot), `token "node-0"`}},
		{"", new(uint(4242)), []string{"the token in slot 4242", `token "spare"`}},
		{"", new(uint(3)), []string{"not initialised", "softhsm2-util --init-token --slot 3"}}, // SoftHSM's free one
	} {
		o.TokenLabel, o.Slot = c.label, c.slot
		_, err := Open(t.Context(), o)
		wants(t, err, keyprovider.NotFound, c.want...)
	}
}

func TestNoTokenAtAll(t *testing.T) {
	h := softhsm.New(t)
	_, err := Open(t.Context(), Options{Library: h.Library(), TokenLabel: "node-0", KeyLabel: "k"})
	wants(t, err, keyprovider.NotFound, "no initialised token at all")
}

var p384 = []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}

// TestWrongKeys: keys that can't be used are told by what is wrong with them.
// Provision does not touch them.
func TestWrongKeys(t *testing.T) {
	const generic = p11.CKM_GENERIC_SECRET_KEY_GEN
	none := map[uint]any{}
	for _, c := range []struct {
		name       string
		make       func(*admin)
		derivation string
		key        string // the one at fault
		want       []string
	}{
		{"two identities", func(a *admin) { a.pair("id", p256, none); a.pair("id", p256, none) }, "", "id", []string{"2 keys have that label", "CKA_ID 07, 07"}},
		{"RSA", func(a *admin) { a.pair("id", nil, none) }, "", "id", []string{"RSA", "P-256"}},
		{"P-384", func(a *admin) { a.pair("id", p384, none) }, "", "id", []string{"another curve"}},
		{"not for signing", func(a *admin) { a.pair("id", p256, map[uint]any{p11.CKA_SIGN: false}) }, "", "id", []string{"CKA_SIGN is false"}},
		{"PIN for each use", func(a *admin) { a.pair("id", p256, map[uint]any{p11.CKA_ALWAYS_AUTHENTICATE: true}) }, "", "id", []string{"CKA_ALWAYS_AUTHENTICATE"}},
		{"AES", func(a *admin) { a.secret("der", p11.CKM_AES_KEY_GEN, none) }, "", "der", []string{"type 0x1f", "generic secret"}},
		{"short secret", func(a *admin) { a.secret("der", generic, map[uint]any{p11.CKA_VALUE_LEN: 16}) }, "", "der", []string{"16 bytes", "32"}},
		{"secret not for HMAC", func(a *admin) { a.secret("der", generic, map[uint]any{p11.CKA_SIGN: false}) }, "", "der", []string{"CKA_SIGN is false"}},
		{"two secrets", func(a *admin) { a.secret("der", generic, none); a.secret("der", generic, none) }, "", "der", []string{"2 keys have that label"}},
		{"pair not for ECDH", func(a *admin) { a.pair("der", p256, none) }, "", "der", []string{"CKA_DERIVE is false"}},
		{"both kinds", func(a *admin) {
			a.secret("der", generic, none)
			a.pair("der", p256, map[uint]any{p11.CKA_DERIVE: true})
		}, "", "der", []string{`derivation = "hmac" or "ecdh"`}},
		{"not HMAC", func(a *admin) { a.pair("der", p256, map[uint]any{p11.CKA_DERIVE: true}) }, HMAC, "der", []string{`derivation = "hmac", and it is a private key`}},
		{"not ECDH", func(a *admin) { a.secret("der", generic, none) }, ECDH, "der", []string{`derivation = "ecdh", and it is a secret key`}},
		{"RSA for ECDH", func(a *admin) { a.pair("der", nil, none) }, ECDH, "der", []string{"RSA"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", "")
			o.Derivation = c.derivation
			o.asAdmin(t, token, c.make)
			if c.key == "id" {
				o.KeyLabel = "id"
			} else {
				o.DerivationKeyLabel = "der"
			}
			_, err := Open(t.Context(), o)
			wants(t, err, keyprovider.WrongKey, append(c.want, fmt.Sprintf("key %q on token \"node-0\"", c.key))...)
			_, err = Provision(t.Context(), o)
			wants(t, err, keyprovider.WrongKey, c.want...)
		})
	}
}

// TestBothKinds: Derivation chooses where both are there.
func TestBothKinds(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	o.DerivationKeyLabel = "both"
	o.asAdmin(t, token, func(a *admin) {
		a.secret("both", p11.CKM_GENERIC_SECRET_KEY_GEN, nil)
		a.pair("both", p256, map[uint]any{p11.CKA_DERIVE: true})
	})
	seen := map[[32]byte]bool{}
	for _, derivation := range []string{HMAC, ECDH} {
		o.Derivation = derivation
		p := mustOpen(t, o)
		mustWork(t, p)
		out, err := p.Derive(t.Context(), []byte("x"))
		if err != nil || seen[out] {
			t.Fatalf("%v: the same value", err)
		}
		seen[out] = true
	}
}

func TestMissingKeys(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	wrong := o
	wrong.KeyLabel = "nobody"
	_, err := Open(t.Context(), wrong)
	wants(t, err, keyprovider.NotFound, `key "nobody"`, "there are: \""+identityLabel, "frost-worker provision")
	wrong = o
	wrong.DerivationKeyLabel = "nobody"
	_, err = Open(t.Context(), wrong)
	wants(t, err, keyprovider.NotFound, `key "nobody"`, "secret keys: \""+derivationLabel, "frost-worker provision")
	if !errors.Is(err, keyprovider.ErrCannotDerive) {
		t.Fatal("not ErrCannotDerive")
	}
	o.DerivationKeyLabel = ""
	_, err = mustOpen(t, o).Derive(t.Context(), []byte("x"))
	wants(t, err, keyprovider.CannotDerive, "derivation_key_label", "frost-worker provision")
}

// onToken is a private key as a crypto.Signer, to make a certificate with.
type onToken struct {
	a       *admin
	public  *ecdsa.PublicKey
	private handle
}

func (k onToken) Public() crypto.PublicKey { return k.public }

func (k onToken) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	k.a.must(k.a.api.SignInit(k.a.s, mechanism(p11.CKM_ECDSA), k.private))
	raw, err := k.a.api.Sign(k.a.s, digest)
	k.a.must(err)
	return encodeSignature(raw)
}

func (a *admin) point(h handle) *ecdsa.PublicKey {
	a.t.Helper()
	values, err := a.api.GetAttributeValue(a.s, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_EC_POINT, nil)})
	a.must(err)
	return parsePoint(values[0].Value)
}

func (a *admin) certify(label string, id []byte, key crypto.Signer) {
	a.t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: label}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	a.must(err)
	_, err = a.api.CreateObject(a.s, attributesOf(map[uint]any{p11.CKA_CLASS: p11.CKO_CERTIFICATE, p11.CKA_CERTIFICATE_TYPE: p11.CKC_X_509,
		p11.CKA_TOKEN: true, p11.CKA_LABEL: label, p11.CKA_ID: id, p11.CKA_SUBJECT: []byte{0x30, 0}, p11.CKA_VALUE: der}))
	a.must(err)
}

// TestPublicKey: wherever the public half is, it is found, and stray ones do
// no harm, as a signature tells which is right.
func TestPublicKey(t *testing.T) {
	cases := []struct {
		name   string
		make   func(*admin)
		reason keyprovider.Reason
		want   []string
	}{
		{"certificate", func(a *admin) {
			public, private := a.pair("id", p256, nil)
			a.certify("another label", []byte{7}, onToken{a, a.point(public), private})
			a.must(a.api.DestroyObject(a.s, public))
		}, keyprovider.OK, nil},
		{"stray ones", func(a *admin) {
			a.pair("id", p256, nil)
			for range 3 {
				_, private := a.pair("id", p256, map[uint]any{p11.CKA_ID: []byte{8}})
				a.must(a.api.DestroyObject(a.s, private))
			}
			_, private := a.pair("id", p384, map[uint]any{p11.CKA_ID: []byte{9}})
			a.must(a.api.DestroyObject(a.s, private))
		}, keyprovider.OK, nil},
		{"none", func(a *admin) {
			public, _ := a.pair("id", p256, nil)
			a.must(a.api.DestroyObject(a.s, public))
		}, keyprovider.NotFound, []string{"pkcs11-tool", "--write-object FILE --type pubkey --label \"id\" --id 07"}},
		{"only a wrong one", func(a *admin) {
			public, _ := a.pair("id", p256, nil)
			a.must(a.api.DestroyObject(a.s, public))
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			a.must(err)
			a.certify("id", nil, other)
		}, keyprovider.WrongKey, []string{"verify under no public key or certificate"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := softhsm.New(t)
			token, o := provisioned(t, h, "node-0", "")
			o.KeyLabel = "id"
			o.asAdmin(t, token, c.make)
			p, err := Open(t.Context(), o)
			wants(t, err, c.reason, c.want...)
			if err == nil {
				mustWork(t, p)
				mustClose(t, p)
			}
		})
	}
}

// TestBadAnswers never leave the provider.
func TestBadAnswers(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", "")
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	for name, spoil := range map[string]func([]byte) []byte{
		"none":    func([]byte) []byte { return nil },
		"short":   func(b []byte) []byte { return b[:len(b)-1] },
		"long":    func(b []byte) []byte { return append(b, 0) },
		"flipped": func(b []byte) []byte { b[5] ^= 1; return b },
		"zero":    func(b []byte) []byte { return make([]byte, len(b)) },
		"too big": func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) },
	} {
		f.set(func() { f.spoil = spoil })
		wants(t, trySign(t.Context(), p), keyprovider.BadAnswer, "firmware")
		if name == "flipped" || name == "zero" || name == "too big" {
			continue // Derive can't tell
		}
		_, err := p.Derive(t.Context(), []byte("x"))
		wants(t, err, keyprovider.BadAnswer, "not 32")
	}
	f.set(func() { f.spoil = nil })
	mustWork(t, p)
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
