//go:build cgo

package pkcs11

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

const actMakeKey = "make key"

// Provision makes the keys that an initialised token lacks, and tries them as
// Open does. It never touches a key that is there: one of the right kind is
// kept, one of another kind is an error. The facts say which were made, then
// what Describe says.
//
// The derivation key is a secret for HMAC, or where the token can't make or
// use one a key for ECDH, unless Options.Derivation says which. Without
// DerivationKeyLabel only the identity key is made.
func Provision(ctx context.Context, o Options) ([]keyprovider.Fact, error) {
	if err := o.resolve(); err != nil {
		return nil, err
	}
	return provision(ctx, o, loadLibrary)
}

func provision(ctx context.Context, o Options, load loader) ([]keyprovider.Fact, error) {
	p, err := open(ctx, o, load, true)
	if err != nil {
		return nil, err
	}
	facts, err := p.Describe(ctx)
	return append(p.made, facts...), errors.Join(err, p.Close())
}

func (c *conn) makeDerivation(s session, label string) error {
	can := c.can
	hmac := can[p11.CKM_SHA256_HMAC] && can[p11.CKM_GENERIC_SECRET_KEY_GEN]
	ecdh := can[p11.CKM_ECDH1_DERIVE] && can[p11.CKM_EC_KEY_PAIR_GEN]
	switch c.p.o.Derivation {
	case HMAC:
		ecdh = false
	case ECDH:
		hmac = false
	}
	switch {
	case hmac:
		return c.makeSecret(s, label)
	case ecdh:
		return c.makePair(s, label, p11.CKA_DERIVE)
	}
	if can[p11.CKM_SHA256_HMAC] && c.p.o.Derivation != ECDH {
		return c.p.fail(keyprovider.Denied, actMakeKey, c.p.keyName(label),
			"the token uses secrets for HMAC, and makes none through this "+
				"library: make one with its own tool (a TPM: tpm2_ptool addkey --algorithm hmac:sha256), then frost-worker "+
				"selftest --config FILE", nil)
	}
	return c.p.fail(keyprovider.CannotDerive, actMakeKey, c.p.keyName(label),
		"the token can neither make a secret and use it (CKM_GENERIC_SECRET_KEY_GEN, CKM_SHA256_HMAC) nor, unless "+
			"derivation rules one out, "+
			"a key for ECDH (CKM_EC_KEY_PAIR_GEN, CKM_ECDH1_DERIVE): use another token", keyprovider.ErrCannotDerive)
}

// makePair makes a P-256 pair for signing or for ECDH. CKA_DECRYPT and
// CKA_ENCRYPT, which are no use with such keys, are left out: tpm2-pkcs11 fails
// where they are false, and leaks an object of the TPM.
func (c *conn) makePair(s session, label string, use uint) error {
	if !c.can[p11.CKM_EC_KEY_PAIR_GEN] {
		return c.p.fail(keyprovider.Denied, actMakeKey, c.p.keyName(label),
			"the token makes no EC keys through this library (CKM_EC_KEY_PAIR_GEN): make the key with the token's own tool", nil)
	}
	id := newID()
	if given := c.p.o.keyID; use == p11.CKA_SIGN && len(given) > 0 {
		id = p11.NewAttribute(p11.CKA_ID, given)
	}
	public := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_PRIVATE, false), // read without login by other tools
		withLabel(label), id,
		p11.NewAttribute(p11.CKA_EC_PARAMS, p256),
		p11.NewAttribute(p11.CKA_VERIFY, use == p11.CKA_SIGN),
	}
	private := append(guarded(label, id),
		p11.NewAttribute(p11.CKA_SIGN, use == p11.CKA_SIGN),
		p11.NewAttribute(p11.CKA_DERIVE, use == p11.CKA_DERIVE))
	var publicKey, privateKey handle
	var err error
	for _, narrow := range narrowly(p11.CKA_UNWRAP) {
		publicKey, privateKey, err = c.p.mod.api.GenerateKeyPair(s, mechanism(p11.CKM_EC_KEY_PAIR_GEN),
			public, slices.Concat(private, narrow))
		if !refusesTemplate(err) {
			break
		}
	}
	if err != nil {
		return c.notMade(label, err)
	}
	return c.makeSureIsAlone(s, p11.CKO_PRIVATE_KEY, label, privateKey, publicKey)
}

// makeSecret makes 32 bytes for HMAC: a generic secret, or where the token
// refuses that a secret of the type for SHA-256 HMAC, whose size some tokens
// don't let us choose (a YubiHSM 2).
func (c *conn) makeSecret(s session, label string) error {
	template := append(guarded(label, newID()),
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_SIGN, true))
	size := p11.NewAttribute(p11.CKA_VALUE_LEN, minSecret)
	var err error
	for _, kind := range [][]*p11.Attribute{
		{p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET), size},
		{p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_SHA256_HMAC), size},
		{p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_SHA256_HMAC)},
	} {
		for _, narrow := range narrowly(p11.CKA_DERIVE, p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_WRAP, p11.CKA_UNWRAP) {
			var made handle
			made, err = c.p.mod.api.GenerateKey(s, mechanism(p11.CKM_GENERIC_SECRET_KEY_GEN),
				slices.Concat(kind, template, narrow))
			switch {
			case err == nil:
				return c.makeSureIsAlone(s, p11.CKO_SECRET_KEY, label, made)
			case !refusesTemplate(err):
				return c.notMade(label, err)
			}
		}
	}
	return c.notMade(label, err)
}

// guarded are the attributes of a key that stays in the token.
func guarded(label string, id *p11.Attribute) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		withLabel(label), id,
	}
}

// narrowly has a key serve for nothing else: attributes that many tokens set by
// themselves are false. Some take no such attributes for such keys, and get the
// template without.
func narrowly(not ...uint) [][]*p11.Attribute {
	var attributes []*p11.Attribute
	for _, attribute := range not {
		attributes = append(attributes, p11.NewAttribute(attribute, false))
	}
	return [][]*p11.Attribute{attributes, nil}
}

// makeSureIsAlone takes a key away that was made a moment ago, if another
// process has made one under the same label meanwhile. Whoever made the last
// one sees both, so two never stay; nothing that was there before is touched.
func (c *conn) makeSureIsAlone(s session, class uint, label string, made ...handle) error {
	found, err := c.find(s, class, withLabel(label))
	if err != nil || len(found) < 2 {
		return err
	}
	key := c.p.keyName(label)
	for _, h := range made {
		if err := c.p.mod.api.DestroyObject(s, h); err != nil {
			return c.p.fail(keyprovider.Other, actMakeKey, key,
				fmt.Sprintf("another process made such a key at the same time, and the one made here can't be deleted again: "+
					"delete all but one of those with the CKA_ID %s, before a node is enrolled", c.list(s, found, p11.CKA_ID, "%x")), err)
		}
	}
	return c.p.fail(keyprovider.Other, actMakeKey, key,
		"another process made such a key at the same time, and the one made here was deleted again: run frost-worker "+
			"provision --config FILE once more, alone", nil)
}

// refusesTemplate distinguishes a token that does not make such keys from one
// that could not make this one. Some (tpm2-pkcs11) have a general error for that.
func refusesTemplate(err error) bool {
	return isOneOf(err, p11.CKR_TEMPLATE_INCONSISTENT, p11.CKR_TEMPLATE_INCOMPLETE, p11.CKR_ATTRIBUTE_TYPE_INVALID,
		p11.CKR_ATTRIBUTE_VALUE_INVALID, p11.CKR_ATTRIBUTE_READ_ONLY, p11.CKR_KEY_TYPE_INCONSISTENT,
		p11.CKR_GENERAL_ERROR, p11.CKR_FUNCTION_FAILED)
}

// notMade explains the answers of tokens that let nobody but their own tool
// make keys, or these ones, which PKCS#11 has no code for. None of them is an
// outage: the token has just logged in and listed its keys.
func (c *conn) notMade(label string, err error) error {
	const byHand = ": make the key with the token's own tool, then frost-worker selftest --config FILE"
	switch {
	case isOneOf(err, p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_FUNCTION_NOT_SUPPORTED):
		return c.p.fail(keyprovider.Denied, actMakeKey, c.p.keyName(label),
			"the token's user may not make keys through this library (a YubiKey wants its management key)"+byHand, err)
	case isOneOf(err, p11.CKR_GENERAL_ERROR, p11.CKR_FUNCTION_FAILED):
		return c.p.fail(keyprovider.Other, actMakeKey, c.p.keyName(label),
			"the token works, but its library failed to make such a key, "+
				"with these attributes and with fewer (a TPM: tpm2_ptool addkey --algorithm ecc256, or hmac:sha256 for "+
				"derivation)"+byHand, err)
	}
	return c.p.failed(actMakeKey, c.p.keyName(label), err)
}

// newID is the CKA_ID that ties a pair together.
func newID() *p11.Attribute {
	id := make([]byte, 8)
	rand.Read(id) // does not fail
	return p11.NewAttribute(p11.CKA_ID, id)
}
