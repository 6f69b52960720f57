//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/test/softhsm"
)

// likeYubiHSM is a token that treats secrets as yubihsm_pkcs11 does, by its
// source: it makes none but those of a type for HMAC, of a size that it chooses
// itself, and does not tell their type.
type likeYubiHSM struct{ *faulty }

func (y likeYubiHSM) load(string) (api, error) { return y, nil }

func (y likeYubiHSM) GenerateKey(s p11.SessionHandle, _ []*p11.Mechanism, template []*p11.Attribute) (p11.ObjectHandle, error) {
	if err := y.enter("C_GenerateKey"); err != nil {
		return 0, err
	}
	hmac := p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_SHA256_HMAC)
	for _, a := range template {
		if a.Type == p11.CKA_KEY_TYPE && !bytes.Equal(a.Value, hmac.Value) {
			return 0, p11.Error(p11.CKR_ATTRIBUTE_VALUE_INVALID)
		}
		if a.Type == p11.CKA_VALUE_LEN {
			return 0, p11.Error(p11.CKR_ATTRIBUTE_TYPE_INVALID)
		}
	}
	value := make([]byte, 32)
	if _, err := rand.Read(value); err != nil {
		return 0, err
	}
	return y.api.(*p11.Ctx).CreateObject(s, append(slices.Clone(template), p11.NewAttribute(p11.CKA_VALUE, value)))
}

// TestLikeYubiHSM: provision finds the type that the token makes, and the key
// derives though its type is not told.
func TestLikeYubiHSM(t *testing.T) {
	h := softhsm.New(t)
	token := h.Token(t, "node-0")
	o := optionsFor(h, token)
	y := likeYubiHSM{newFaulty(t, h)}
	o.Library = y.name
	if _, err := provision(t.Context(), o, y.load); err != nil {
		t.Fatal(err)
	}
	if n := y.count("C_GenerateKey"); n > 6 {
		t.Errorf("asked %d times", n)
	}
	p := mustOpenWith(t, o, y.load)
	mustWork(t, p)
	mustClose(t, p)
	p = mustOpen(t, optionsFor(h, token)) // tells the type
	mustWork(t, p)
	mustClose(t, p)
	optionsFor(h, token).asAdmin(t, token, func(a *admin) {
		found := 0
		for _, kind := range []uint{p11.CKK_SHA256_HMAC, p11.CKK_GENERIC_SECRET} {
			a.must(a.api.FindObjectsInit(a.s, attributesOf(map[uint]any{p11.CKA_LABEL: derivationLabel, p11.CKA_KEY_TYPE: kind})))
			objects, _, err := a.api.FindObjects(a.s, 9)
			a.must(err)
			a.must(a.api.FindObjectsFinal(a.s))
			if kind == p11.CKK_SHA256_HMAC {
				found = len(objects)
			} else if len(objects) > 0 {
				t.Error("it is a generic secret")
			}
		}
		if found != 1 {
			t.Errorf("%d keys of the type", found)
		}
	})
}

func (y likeYubiHSM) GetAttributeValue(s p11.SessionHandle, h p11.ObjectHandle, a []*p11.Attribute) ([]*p11.Attribute, error) {
	if a[0].Type == p11.CKA_KEY_TYPE {
		class, err := y.api.GetAttributeValue(s, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, nil)})
		if err != nil || bytes.Equal(class[0].Value, p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY).Value) {
			return nil, p11.Error(p11.CKR_FUNCTION_FAILED)
		}
	}
	return y.faulty.GetAttributeValue(s, h, a)
}
