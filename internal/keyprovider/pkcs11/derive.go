//go:build cgo

package pkcs11

import (
	"context"
	"crypto/sha256"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// valueTag begins what ECDH's x coordinate is hashed with.
const valueTag = "frostfleet/keyprovider/pkcs11/ecdh/value/v1"

const actDerive = "derive"

// takeTurn waits for the turn to derive: by ECDH it is one at a time, as some
// libraries (ykcs11) have one place for the shared secrets of all sessions. It
// does not wait for a derivation that hangs.
func (c *conn) takeTurn(ctx context.Context, operation string) (end func(), err error) {
	if operation != keyprovider.OpDerive || c.keys.kind != ECDH {
		return func() {}, nil
	}
	turn := c.p.mod.ecdh
	err = c.p.enter(ctx, turn, len(c.p.hung(actDerive)) > 0, actDerive, c.p.keyName(c.p.o.DerivationKeyLabel))
	return func() { <-turn }, err
}

// derive returns 32 bytes, which the caller wipes.
func (c *conn) derive(s session, label []byte) ([]byte, error) {
	if c.keys.kind == ECDH {
		return c.deriveECDH(s, label)
	}
	return c.deriveHMAC(s, label)
}

func (c *conn) deriveHMAC(s session, label []byte) ([]byte, error) {
	out, err := c.signWith(s, p11.CKM_SHA256_HMAC, c.keys.derivation, label)
	if err != nil {
		return nil, err
	}
	if len(out) != 32 {
		clear(out)
		return nil, c.badAnswer(actDerive, c.p.o.DerivationKeyLabel, fmt.Sprintf("the HMAC has %d bytes, not 32", len(out)))
	}
	return out, nil
}

// deriveECDH makes a session object of the shared x coordinate, reads it and
// destroys it. Its caller has the turn.
func (c *conn) deriveECDH(s session, label []byte) ([]byte, error) {
	m := c.p.mod.api
	params := p11.NewECDH1DeriveParams(p11.CKD_NULL, nil, hashToPoint(label))
	template := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET),
		p11.NewAttribute(p11.CKA_VALUE_LEN, 32),
		p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_SENSITIVE, false),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, true),
	}
	h, err := m.DeriveKey(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_ECDH1_DERIVE, params)}, c.keys.derivation, template)
	if err != nil {
		return nil, err
	}
	values, err := m.GetAttributeValue(s, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)})
	var x []byte
	if len(values) == 1 {
		x = values[0].Value
	}
	defer clear(x)
	if destroyed := m.DestroyObject(s, h); err == nil {
		err = destroyed
	}
	if err != nil {
		return nil, err
	}
	if len(x) != 32 {
		return nil, c.badAnswer(actDerive, c.p.o.DerivationKeyLabel,
			fmt.Sprintf("the shared x coordinate has %d bytes, not 32", len(x)))
	}
	hash := sha256.New()
	hash.Write([]byte(valueTag))
	hash.Write(x)
	hash.Write(label)
	return hash.Sum(nil), nil
}
