//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// keys are a token's keys. Those found at first are kept: another token is
// refused, as is one that comes back with other keys.
type keys struct {
	token      identity
	visible    bool // the public key can be read without login
	identity   handle
	public     *ecdsa.PublicKey
	derivation handle   // if kind is not empty
	kind       string   // HMAC, ECDH, or empty: none
	check      [32]byte // hash of a derived value; zero without a derivation key
}

// firstKeys is nil until there was a connection.
func (p *Provider) firstKeys() *keys {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.first
}

// p256 is the OBJECT IDENTIFIER 1.2.840.10045.3.1.7 in DER: CKA_EC_PARAMS.
var p256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

const (
	actFindKey       = "find key"
	minSecret        = 32 // bytes of a derivation key
	provisionCommand = "make it with: frost-worker provision --config FILE"
)

// findKeys finds both keys by label and checks their kind. The identity's
// public key is found out with a signature.
func (c *conn) findKeys(f *call, s session) error {
	p := c.p
	label := p.o.KeyLabel
	found, err := c.findOrMake("identity key", label,
		func() (bool, error) { return c.findIdentity(s) }, func() error { return c.makePair(s, label, p11.CKA_SIGN) })
	if err != nil {
		return err
	}
	if !found {
		return p.fail(keyprovider.NotFound, actFindKey, p.keyName(label),
			"no private key has that label; there are: "+c.labels(s, p11.CKO_PRIVATE_KEY)+
				". Correct key_label, or "+provisionCommand, nil)
	}
	candidates, err := c.publicKeys(f, s, label)
	if err != nil {
		return err
	}
	if c.keys.public, err = c.matching(f, s, candidates); err != nil {
		return err
	}
	if label = p.o.DerivationKeyLabel; label == "" {
		return nil
	}
	found, err = c.findOrMake("derivation key", label,
		func() (bool, error) { return c.findDerivation(s) }, func() error { return c.makeDerivation(s, label) })
	if err != nil || found {
		return err
	}
	missing := p.fail(keyprovider.NotFound, actFindKey, p.keyName(label),
		fmt.Sprintf("no secret key and no private key has that label; there are secret keys: %s; private keys: %s. "+
			"Correct derivation_key_label, or %s",
			c.labels(s, p11.CKO_SECRET_KEY), c.labels(s, p11.CKO_PRIVATE_KEY), provisionCommand), nil)
	if p.firstKeys() == nil { // otherwise it could derive, and its key was taken away
		missing.Err = keyprovider.ErrCannotDerive
	}
	return missing
}

// findOrMake reports whether there is a key, in the end.
func (c *conn) findOrMake(what, label string, find func() (bool, error), generate func() error) (bool, error) {
	found, err := find()
	if err != nil || !c.p.making {
		return found, err
	}
	fact := keyprovider.Fact{Name: what, Value: fmt.Sprintf("kept %q, which was there", label)}
	if !found {
		fact.Value = fmt.Sprintf("made %q", label)
		if err = generate(); err == nil {
			found, err = find()
		}
	}
	c.p.made = append(c.p.made, fact)
	return found, err
}

// findIdentity reports whether there is a key with the label.
func (c *conn) findIdentity(s session) (bool, error) {
	var id []*p11.Attribute
	if len(c.p.o.keyID) > 0 {
		id = append(id, p11.NewAttribute(p11.CKA_ID, c.p.o.keyID))
	}
	h, err := c.findOne(s, p11.CKO_PRIVATE_KEY, c.p.o.KeyLabel, id...)
	if h == nil || err != nil {
		return false, err
	}
	c.keys.identity = *h
	return true, c.checkEC(s, *h, c.p.o.KeyLabel, p11.CKA_SIGN, "CKA_SIGN")
}

// findOne returns nil if there is no object with the label.
func (c *conn) findOne(s session, class uint, label string, more ...*p11.Attribute) (*handle, error) {
	found, err := c.find(s, class, append(more, withLabel(label))...)
	switch {
	case err != nil || len(found) == 0:
		return nil, err
	case len(found) > 1:
		return nil, c.wrong(label, fmt.Sprintf("%d keys have that label, with the CKA_ID %s: rename or delete all but one",
			len(found), c.list(s, found, p11.CKA_ID, "%x")))
	}
	return &found[0], nil
}

// checkEC wants a P-256 private key that may do what it is for, without a PIN
// for each use.
func (c *conn) checkEC(s session, h handle, label string, use uint, useName string) error {
	r := reader{c: c, s: s}
	kind, known := r.number(h, p11.CKA_KEY_TYPE)
	curve := r.bytes(h, p11.CKA_EC_PARAMS) // nil: its public key will tell
	may, says := r.truth(h, use)
	always, _ := r.truth(h, p11.CKA_ALWAYS_AUTHENTICATE)
	switch {
	case known && kind == p11.CKK_RSA:
		return c.wrong(label, "it is an RSA key, and must be an EC key on P-256: "+provisionCommand)
	case known && kind != p11.CKK_EC:
		return c.wrong(label, fmt.Sprintf("it is a key of type %#x, and must be an EC key on P-256: %s", kind,
			provisionCommand))
	case curve != nil && !bytes.Equal(curve, p256):
		return c.wrong(label, fmt.Sprintf("it is an EC key on another curve than P-256 (CKA_EC_PARAMS %x): %s", curve,
			provisionCommand))
	case says && !may:
		return c.wrong(label, "its attribute "+useName+" is false: "+provisionCommand)
	case always:
		return c.wrong(label, "it wants the PIN for each use (CKA_ALWAYS_AUTHENTICATE): use a key that does not, on a "+
			"YubiKey in slot 9a")
	}
	return r.err
}

// findDerivation reports whether there is a key with the label.
func (c *conn) findDerivation(s session) (bool, error) {
	label := c.p.o.DerivationKeyLabel
	secret, err := c.findOne(s, p11.CKO_SECRET_KEY, label)
	if err != nil {
		return false, err
	}
	private, err := c.findOne(s, p11.CKO_PRIVATE_KEY, label)
	if err != nil {
		return false, err
	}
	insists := c.p.o.Derivation
	switch {
	case secret == nil && private == nil:
		return false, nil
	case secret != nil && private != nil && insists == "":
		return false, c.wrong(label, `a secret key and a private key have that label: set derivation = "hmac" or "ecdh"`)
	case insists == HMAC && secret == nil:
		return false, c.wrong(label,
			`derivation = "hmac", and it is a private key: correct derivation or derivation_key_label`)
	case insists == ECDH && private == nil:
		return false, c.wrong(label,
			`derivation = "ecdh", and it is a secret key: correct derivation or derivation_key_label`)
	case private == nil || insists == HMAC:
		c.keys.derivation, c.keys.kind = *secret, HMAC
		return true, c.checkSecret(s, *secret, label)
	}
	c.keys.derivation, c.keys.kind = *private, ECDH
	return true, c.checkEC(s, *private, label, p11.CKA_DERIVE, "CKA_DERIVE")
}

func (c *conn) checkSecret(s session, h handle, label string) error {
	r := reader{c: c, s: s}
	kind, known := r.number(h, p11.CKA_KEY_TYPE)
	if errors.Is(r.err, p11.Error(p11.CKR_FUNCTION_FAILED)) { // a YubiHSM 2's for every HMAC key
		r.err = nil
	}
	size, sized := r.number(h, p11.CKA_VALUE_LEN)
	may, says := r.truth(h, p11.CKA_SIGN)
	switch {
	case known && kind != p11.CKK_GENERIC_SECRET && kind != p11.CKK_SHA256_HMAC:
		return c.wrong(label, fmt.Sprintf("it is a secret key of type %#x, and must be a generic secret or one for SHA-256 "+
			"HMAC: %s", kind, provisionCommand))
	case sized && size < minSecret:
		return c.wrong(label, fmt.Sprintf("it has %d bytes, and must have %d: %s", size, minSecret, provisionCommand))
	case says && !may:
		return c.wrong(label, "its attribute CKA_SIGN is false: "+provisionCommand)
	}
	return r.err
}

func (c *conn) wrong(label, remedy string) error {
	return c.p.fail(keyprovider.WrongKey, actFindKey, c.p.keyName(label), remedy, nil)
}

// publicKeys collects what may be the identity's public half: public keys with
// its CKA_ID or label, then certificates with its CKA_ID or label.
func (c *conn) publicKeys(f *call, s session, label string) (out []*ecdsa.PublicKey, err error) {
	err = c.p.observed(f, keyprovider.OpPublicKey, "C_GetAttributeValue", c.p.keyName(label), func() error {
		r, by := reader{c: c, s: s}, []*p11.Attribute{withLabel(label)}
		id := r.bytes(c.keys.identity, p11.CKA_ID)
		if len(id) > 0 {
			by = append(by, p11.NewAttribute(p11.CKA_ID, id))
		}
		for _, where := range []struct {
			class, attribute uint
			parse            func([]byte) *ecdsa.PublicKey
		}{{p11.CKO_PUBLIC_KEY, p11.CKA_EC_POINT, parsePoint}, {p11.CKO_CERTIFICATE, p11.CKA_VALUE, parseCertificate}} {
			for _, attribute := range by {
				found, err := c.find(s, where.class, attribute)
				if err != nil {
					return err
				}
				for _, h := range found {
					if key := where.parse(r.bytes(h, where.attribute)); key != nil {
						out = append(out, key)
					}
				}
			}
		}
		if r.err != nil || len(out) > 0 {
			return r.err
		}
		return c.p.fail(keyprovider.NotFound, actFindKey, c.p.keyName(label), fmt.Sprintf(
			"the private key is there, and neither a P-256 public key nor a certificate has its label or its CKA_ID %x: "+
				"import the public key with %s --write-object FILE --type pubkey --label %q --id %x",
			id, c.p.tool(), label, id), nil)
	})
	return out, err
}

// parsePoint reads CKA_EC_POINT: an uncompressed point on P-256, in an OCTET
// STRING as the standard says, or bare as some tokens give it.
func parsePoint(b []byte) *ecdsa.PublicKey {
	const size = 65
	if len(b) == size+2 && b[0] == 0x04 && b[1] == size {
		b = b[2:]
	}
	if len(b) != size || b[0] != 0x04 {
		return nil
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b)
	if err != nil {
		return nil
	}
	return key
}

func parseCertificate(der []byte) *ecdsa.PublicKey {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil
	}
	return key
}
