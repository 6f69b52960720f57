//go:build cgo

package pkcs11

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"

	p11 "github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Domain separation of what a connection tries its keys with.
const (
	tryDigestTag = "frostfleet/keyprovider/pkcs11/try/sign/v1"
	tryLabel     = "frostfleet/keyprovider/pkcs11/try/derive/v1"
)

// sign returns a signature that verifies.
func (c *conn) sign(s session, digest [32]byte) ([]byte, error) {
	sig, err := c.signRaw(s, digest)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(c.keys.public, digest[:], sig) {
		return nil, c.badAnswer("C_Sign", c.p.o.KeyLabel, "the signature does not verify under the identity key")
	}
	return sig, nil
}

func (c *conn) signRaw(s session, digest [32]byte) ([]byte, error) {
	raw, err := c.signWith(s, p11.CKM_ECDSA, c.keys.identity, digest[:])
	if err != nil {
		return nil, err
	}
	sig, err := encodeSignature(raw)
	if err != nil {
		return nil, c.badAnswer("C_Sign", c.p.o.KeyLabel, err.Error())
	}
	return sig, nil
}

func (c *conn) signWith(s session, m uint, key handle, message []byte) ([]byte, error) {
	if err := c.p.mod.api.SignInit(s, mechanism(m), key); err != nil {
		return nil, err
	}
	return c.p.mod.api.Sign(s, message)
}

func (c *conn) badAnswer(action, label, what string) error {
	return c.p.fail(keyprovider.BadAnswer, action, c.p.keyName(label),
		what+": look for news of the token's firmware", nil)
}

// encodeSignature makes r||s an ASN.1 SEQUENCE.
func encodeSignature(raw []byte) ([]byte, error) {
	if len(raw) != 64 {
		return nil, fmt.Errorf("the signature has %d bytes, not 64", len(raw))
	}
	var b cryptobyte.Builder
	r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
	for _, n := range []*big.Int{r, s} {
		if n.Sign() == 0 || n.Cmp(elliptic.P256().Params().N) >= 0 {
			return nil, errors.New("the signature has a number outside 1 to the order of P-256")
		}
	}
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(r)
		b.AddASN1BigInt(s)
	})
	return b.Bytes()
}

// matching returns the public key under which a fresh signature verifies.
func (c *conn) matching(f *call, s session, candidates []*ecdsa.PublicKey) (key *ecdsa.PublicKey, err error) {
	label := c.p.o.KeyLabel
	var fresh [32]byte
	rand.Read(fresh[:]) // does not fail
	digest := sha256.Sum256(append([]byte(tryDigestTag), fresh[:]...))
	err = c.p.observed(f, keyprovider.OpSign, "C_Sign", c.p.keyName(label), func() error {
		sig, err := c.signRaw(s, digest)
		if err != nil {
			return err
		}
		for _, candidate := range candidates {
			if ecdsa.VerifyASN1(candidate, digest[:], sig) {
				key = candidate
				return nil
			}
		}
		return c.wrong(label, "its signatures verify under no public key or certificate that has its label or CKA_ID: "+
			"delete the stray ones, and import the right one as a public key")
	})
	return key, err
}

// tryKeys derives twice, and holds both keys against what they were at first.
func (c *conn) tryKeys(ctx context.Context, f *call, s session) error {
	p := c.p
	if c.keys.kind != "" {
		var err error
		if c.keys.check, err = c.tryDerive(ctx, f, s); err != nil {
			return err
		}
	}
	now := c.keys
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.first == nil:
		p.first = &now
	case !p.first.public.Equal(now.public):
		return c.wrong(p.o.KeyLabel, "it is another key than before: put the node's own token back, or restore it from its "+
			"backup")
	case p.first.check != now.check:
		return c.wrong(p.o.DerivationKeyLabel,
			"it derives other values than before: put the node's own token back, or restore it from its backup")
	}
	return nil
}

// tryDerive returns the hash of a derived value.
func (c *conn) tryDerive(ctx context.Context, f *call, s session) (check [32]byte, err error) {
	label := c.p.o.DerivationKeyLabel
	endTurn, err := c.takeTurn(ctx, keyprovider.OpDerive)
	if err != nil {
		return check, err
	}
	defer endTurn()
	var out [2][]byte
	for i := range out {
		err := c.p.observed(f, keyprovider.OpDerive, actDerive, c.p.keyName(label), func() (err error) {
			out[i], err = c.derive(s, []byte(tryLabel))
			return err
		})
		defer clear(out[i])
		if err != nil {
			return check, err
		}
	}
	if subtle.ConstantTimeCompare(out[0], out[1]) != 1 {
		return check, c.wrong(label, "one label gave two values: it can't be the root of anything")
	}
	return sha256.Sum256(out[0]), nil
}
