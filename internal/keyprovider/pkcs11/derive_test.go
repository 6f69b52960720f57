//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

// TestDeriveIsECDH holds the token's answers against Go's own ECDH with a key
// that both have, among them x coordinates that begin with zeros.
func TestDeriveIsECDH(t *testing.T) {
	h := softhsm.New(t)
	token, o := provisioned(t, h, "node-0", "")
	o.DerivationKeyLabel = "imported"
	scalar := bytes.Repeat([]byte{0x42}, 32)
	o.asAdmin(t, token, func(a *admin) {
		_, err := a.api.CreateObject(a.s, attributesOf(map[uint]any{p11.CKA_CLASS: p11.CKO_PRIVATE_KEY, p11.CKA_KEY_TYPE: p11.CKK_EC,
			p11.CKA_TOKEN: true, p11.CKA_LABEL: "imported", p11.CKA_EC_PARAMS: p256, p11.CKA_VALUE: scalar, p11.CKA_DERIVE: true}))
		a.must(err)
	})
	p := mustOpen(t, o)
	private, err := ecdh.P256().NewPrivateKey(scalar)
	if err != nil {
		t.Fatal(err)
	}
	zeros := 0
	for i := range 1000 {
		label := fmt.Appendf(nil, "label %d", i)
		public, err := ecdh.P256().NewPublicKey(hashToPoint(label))
		if err != nil {
			t.Fatal(err)
		}
		x, err := private.ECDH(public)
		if err != nil {
			t.Fatal(err)
		}
		if x[0] == 0 {
			zeros++
		}
		want := sha256.Sum256(append(append([]byte(valueTag), x...), label...))
		if got, err := p.Derive(t.Context(), label); err != nil || got != want {
			t.Fatalf("label %d: %x, not %x: %v", i, got, want, err)
		}
	}
	if zeros == 0 {
		t.Fatal("no x coordinate began with a zero: take more labels")
	}
	got, err := p.Derive(t.Context(), []byte("frostfleet/vector"))
	const want = "60275271d43c79ed6acddf4bf87c182c59ca4d67d9a83b519ee559a841076343"
	if err != nil || hex.EncodeToString(got[:]) != want {
		t.Fatalf("the derived value changed, and with it nodes' shares: %x %v", got, err)
	}
}

// TestECDHLeavesNothing: the object with the shared secret is destroyed, and
// a token that can't do that is no good.
func TestECDHLeavesNothing(t *testing.T) {
	h := softhsm.New(t)
	_, o := provisioned(t, h, "node-0", ECDH)
	f := newFaulty(t, h)
	o.Library = f.name
	p := mustOpenWith(t, o, f.load)
	for range 3 {
		if _, err := p.Derive(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := p.use(t.Context(), keyprovider.OpDescribe, "test", "", func(c *conn, s session) ([]byte, error) {
		left, err := c.find(s, p11.CKO_SECRET_KEY)
		if len(left) > 0 {
			t.Errorf("%d secrets are left on the token", len(left))
		}
		return nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.failOnce("C_GetAttributeValue 0x11", p11.CKR_ATTRIBUTE_SENSITIVE)
	destroyed := f.count("C_DestroyObject")
	_, err = p.Derive(t.Context(), []byte("x"))
	wants(t, err, keyprovider.WrongKey, "does not give this out", derivationLabel)
	if f.count("C_DestroyObject") != destroyed+1 {
		t.Fatal("not destroyed after a failure")
	}
	f.failOnce("C_DestroyObject", p11.CKR_DEVICE_ERROR)
	_, err = p.Derive(t.Context(), []byte("x"))
	wants(t, err, keyprovider.Unavailable)
	mustWork(t, p)
}
