//go:build cgo

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/softhsm"
)

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
