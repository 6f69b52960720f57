//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

func told(facts []keyprovider.Fact) string {
	var b strings.Builder
	for _, f := range facts {
		fmt.Fprintf(&b, "%s: %s [%s]\n", f.Name, f.Value, f.Warning)
	}
	return b.String()
}

// TestProvision makes keys on an empty token, and nothing the second time.
func TestProvision(t *testing.T) {
	for derivation, want := range map[string]string{"": "CKM_SHA256_HMAC", HMAC: "CKM_SHA256_HMAC", ECDH: "CKM_ECDH1_DERIVE"} {
		t.Run(derivation, func(t *testing.T) {
			h := softhsm.New(t)
			o := optionsFor(h, h.Token(t, "node-0"))
			o.Derivation = derivation
			facts, err := Provision(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range []string{`identity key: made "frost-identity"`, `derivation key: made "frost-derivation"`, want} {
				if !strings.Contains(told(facts), w) {
					t.Errorf("%q is not in\n%s", w, told(facts))
				}
			}
			// The keys are as they should be: no warning but SoftHSM's own.
			for _, f := range facts {
				if f.Warning != "" && f.Name != "token" {
					t.Errorf("%s: %s", f.Name, f.Warning)
				}
			}
			p := mustOpen(t, o)
			mustWork(t, p)
			key, err := p.Identity(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			mustClose(t, p)
			o.Derivation = ""
			again, err := Provision(t.Context(), o)
			if err != nil || !strings.Contains(told(again), `kept "frost-identity"`) || !strings.Contains(told(again), `kept "frost-derivation"`) {
				t.Fatalf("%s: %v", told(again), err)
			}
			p = mustOpen(t, o)
			if now, err := p.Identity(t.Context()); err != nil || !now.Equal(key) {
				t.Fatalf("the identity was replaced: %v", err)
			}
		})
	}
}

// TestProvisionGoesOn where an earlier one was interrupted.
func TestProvisionGoesOn(t *testing.T) {
	h := softhsm.New(t)
	o := optionsFor(h, h.Token(t, "node-0"))
	f := newFaulty(t, h)
	o.Library = f.name
	f.fail("C_GenerateKey", p11.CKR_DEVICE_MEMORY)
	_, err := provision(t.Context(), o, f.load)
	wants(t, err, keyprovider.Unavailable, "out of memory", derivationLabel)
	f.release()
	facts, err := provision(t.Context(), o, f.load)
	if err != nil || !strings.Contains(told(facts), `kept "frost-identity"`) || !strings.Contains(told(facts), `made "frost-derivation"`) {
		t.Fatalf("%s: %v", told(facts), err)
	}
	if n := f.openSessions(); n != 0 {
		t.Fatalf("%d sessions were left open", n)
	}
}

// TestTokenWithoutHMAC is a token like a YubiKey's PIV: ECDH is chosen, and
// the keys go on working if the token learns HMAC later.
func TestTokenWithoutHMAC(t *testing.T) {
	h := softhsm.New(t)
	o := optionsFor(h, h.Token(t, "node-0"))
	f := newFaulty(t, h)
	o.Library = f.name
	f.hidden[p11.CKM_SHA256_HMAC], f.hidden[p11.CKM_GENERIC_SECRET_KEY_GEN] = true, true
	wantsHMAC := o
	wantsHMAC.Derivation = HMAC
	_, err := provision(t.Context(), wantsHMAC, f.load)
	wants(t, err, keyprovider.CannotDerive, "CKM_SHA256_HMAC")
	if !errors.Is(err, keyprovider.ErrCannotDerive) {
		t.Fatal("not ErrCannotDerive")
	}
	facts, err := provision(t.Context(), o, f.load)
	if err != nil || !strings.Contains(told(facts), "CKM_ECDH1_DERIVE") {
		t.Fatalf("%s: %v", told(facts), err)
	}
	p := mustOpenWith(t, o, f.load)
	mustWork(t, p)
	before, err := p.Derive(t.Context(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, p)
	f.set(func() { clear(f.hidden) })
	if after, err := mustOpenWith(t, o, f.load).Derive(t.Context(), []byte("x")); err != nil || after != before {
		t.Fatalf("the derived value changed with the firmware: %v", err)
	}
}

// TestTokensThatMakeNoKeys say so, with what to do.
func TestTokensThatMakeNoKeys(t *testing.T) {
	for name, spoil := range map[string]func(*faulty){
		"no mechanism":   func(f *faulty) { f.hidden[p11.CKM_EC_KEY_PAIR_GEN] = true },
		"management key": func(f *faulty) { f.fail("C_GenerateKeyPair", p11.CKR_USER_NOT_LOGGED_IN) },
		"read only":      func(f *faulty) { f.fail("C_GenerateKeyPair", p11.CKR_TOKEN_WRITE_PROTECTED) },
	} {
		t.Run(name, func(t *testing.T) {
			h := softhsm.New(t)
			o := optionsFor(h, h.Token(t, "node-0"))
			f := newFaulty(t, h)
			o.Library = f.name
			spoil(f)
			_, err := provision(t.Context(), o, f.load)
			wants(t, err, keyprovider.Denied, "own tool", identityLabel)
		})
	}
}

func TestProvisionIdentityOnly(t *testing.T) {
	h := softhsm.New(t)
	o := optionsFor(h, h.Token(t, "node-0"))
	o.DerivationKeyLabel = ""
	facts, err := Provision(t.Context(), o)
	if err != nil || !strings.Contains(told(facts), "derivation: none [a node needs a derivation key") {
		t.Fatalf("%s: %v", told(facts), err)
	}
}

// TestDescribeWarns of keys that may have left the token.
func TestDescribeWarns(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	o.KeyLabel, o.DerivationKeyLabel = "loose", "copied"
	o.asAdmin(t, token, func(a *admin) {
		a.pair("loose", p256, map[uint]any{p11.CKA_EXTRACTABLE: true, p11.CKA_SENSITIVE: false})
		_, err := a.api.CreateObject(a.s, attributesOf(map[uint]any{p11.CKA_CLASS: p11.CKO_SECRET_KEY, p11.CKA_KEY_TYPE: p11.CKK_GENERIC_SECRET,
			p11.CKA_TOKEN: true, p11.CKA_PRIVATE: false, p11.CKA_LABEL: "copied", p11.CKA_VALUE: make([]byte, 32), p11.CKA_SIGN: true}))
		a.must(err)
	})
	facts, err := mustOpen(t, o).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := told(facts)
	for _, w := range []string{"SoftHSM v2", token.Serial, fmt.Sprint("slot ", token.Slot), h.Library(), "PKCS#11 2.40",
		`identity: "loose": P-256, CKM_ECDSA, SHA-256 of the public key`, "it can be exported", "read in the clear",
		`derivation: "copied": secret key`, "not made on the token", "seen without login"} {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
}

// TestKeysAreNarrow: they serve for one thing, where the token can be told so.
func TestKeysAreNarrow(t *testing.T) {
	for _, picky := range []bool{false, true} {
		t.Run(fmt.Sprint("picky ", picky), func(t *testing.T) {
			h := softhsm.New(t)
			o := optionsFor(h, h.Token(t, "node-0"))
			f := newFaulty(t, h)
			o.Library = f.name
			if picky {
				f.failOnce("C_GenerateKey", p11.CKR_TEMPLATE_INCONSISTENT)
				f.failOnce("C_GenerateKeyPair", p11.CKR_ATTRIBUTE_TYPE_INVALID)
			}
			if _, err := provision(t.Context(), o, f.load); err != nil {
				t.Fatal(err)
			}
			p := mustOpenWith(t, o, f.load)
			mustWork(t, p)
			_, err := p.use(t.Context(), keyprovider.OpDescribe, "test", "", func(c *conn, s session) ([]byte, error) {
				for h, attributes := range map[handle][]uint{
					c.keys.identity:   {p11.CKA_DERIVE, p11.CKA_UNWRAP}, // there is nothing to decrypt with an EC key
					c.keys.derivation: {p11.CKA_DERIVE, p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_WRAP, p11.CKA_UNWRAP},
				} {
					for _, attribute := range attributes {
						r := reader{c: c, s: s}
						if may, _ := r.truth(h, attribute); r.err != nil || may && !picky {
							t.Errorf("attribute %#x: %t, %v", attribute, may, r.err)
						}
					}
				}
				return nil, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestProvisionByTwo at once: the one that sees both keys takes its own away,
// and nothing else. One is left, and the next run keeps it.
func TestProvisionByTwo(t *testing.T) {
	h := softhsm.New(t)
	for function, made := range map[string]string{"C_GenerateKeyPair": identityLabel, "C_GenerateKey": derivationLabel} {
		t.Run(function, func(t *testing.T) {
			token := h.Token(t, function)
			o := optionsFor(h, token)
			f := newFaulty(t, h)
			o.Library = f.name
			f.failWith(function, func(n int) error {
				if n > 1 {
					return nil
				}
				a := &admin{t: t, api: f.api.(*p11.Ctx)} // is logged in, as all of the process
				var err error
				a.s, err = a.api.OpenSession(token.Slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
				a.must(err)
				if made == identityLabel {
					a.pair(made, p256, nil)
				} else {
					a.secret(made, p11.CKM_GENERIC_SECRET_KEY_GEN, nil)
				}
				return a.api.CloseSession(a.s)
			})
			_, err := provision(t.Context(), o, f.load)
			wants(t, err, keyprovider.Other, "make key", made, "another process", "once more")
			facts, err := provision(t.Context(), o, f.load)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(told(facts), "kept \""+made) {
				t.Errorf("the other's was not kept: %s", told(facts))
			}
		})
	}
}
