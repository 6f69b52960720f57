package awskms

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// call makes one call, explains its failure and reports it if it was sent.
// What call finds wrong with the answer belongs to the call.
func (p *Provider) call(ctx context.Context, a action, at *replica, call func() error) error {
	if ctx.Err() != nil {
		return explain(ctx, ctx.Err(), a, at)
	}
	start := time.Now()
	err := call()
	badState := errors.As(err, new(*types.KMSInvalidStateException))
	unsent := neverSent(err)
	if err != nil && !errors.As(err, new(*keyprovider.Error)) {
		err = explain(ctx, err, a, at)
	}
	if keyprovider.ReasonOf(err) == keyprovider.Timeout {
		p.hangUp() // the idle connections may be as dead as this one
	}
	if p.opt.Observe != nil && !unsent {
		p.opt.Observe(keyprovider.Call{Provider: Type, Operation: a.operation, Took: time.Since(start), Err: err})
	}
	if badState && a != describeKey && keyprovider.ReasonOf(err).Temporary() { // the message does not say which
		_, told := p.describeAt(ctx, at)
		if reason := keyprovider.ReasonOf(told); reason == keyprovider.Disabled || reason == keyprovider.PendingDeletion {
			return told
		}
	}
	return err
}

// describeAt asks what a key is, and refuses one that is not what its role
// wants or does not work now.
func (p *Provider) describeAt(ctx context.Context, at *replica) (meta *types.KeyMetadata, err error) {
	err = p.call(ctx, describeKey, at, func() error {
		out, err := at.region.client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &at.id})
		if err != nil {
			return err
		}
		if out.KeyMetadata == nil || out.KeyMetadata.KeyId == nil {
			return answerError("no key metadata in the answer")
		}
		meta = out.KeyMetadata
		return at.key.check(meta, at)
	})
	return meta, err
}

// publicAt asks for the public key: one on P-256, or an error.
func (p *Provider) publicAt(ctx context.Context, at *replica) (public *ecdsa.PublicKey, err error) {
	err = p.call(ctx, getPublicKey, at, func() error {
		out, err := at.region.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &at.id})
		if err != nil {
			return err
		}
		parsed, err := x509.ParsePKIXPublicKey(out.PublicKey)
		if err != nil {
			return answerError("the answer has no public key in PKIX form")
		}
		var ok bool
		if public, ok = parsed.(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
			return answerError(fmt.Sprintf("the answer has a public key of type %T that is not on P-256", parsed))
		}
		return nil
	})
	return public, err
}

// signAt signs a digest. With a public key, the signature is verified under
// it before it is returned.
func (p *Provider) signAt(
	ctx context.Context, at *replica, digest [32]byte, public *ecdsa.PublicKey,
) (sig []byte, err error) {
	err = p.call(ctx, sign, at, func() error {
		out, err := at.region.client.Sign(ctx, &kms.SignInput{
			KeyId: &at.id, Message: digest[:], MessageType: types.MessageTypeDigest,
			SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
		})
		if err != nil {
			return err
		}
		if len(out.Signature) == 0 {
			return answerError("no signature returned")
		}
		if _, _, err := parseSignature(out.Signature); err != nil {
			return answerError(err.Error())
		}
		if public != nil && !ecdsa.VerifyASN1(public, digest[:], out.Signature) {
			return answerError("the signature does not verify under the identity key")
		}
		sig = out.Signature
		return nil
	})
	return sig, err
}

// signFresh has the key sign for real.
func (p *Provider) signFresh(ctx context.Context, at *replica) error {
	_, err := p.signAt(ctx, at, freshDigest(), p.public)
	return err
}

// macAt computes a MAC; id is the key's, as KMS gives it.
func (p *Provider) macAt(ctx context.Context, at *replica, label []byte) (mac [32]byte, id string, err error) {
	err = p.call(ctx, generateMac, at, func() error {
		out, err := at.region.client.GenerateMac(ctx, &kms.GenerateMacInput{
			KeyId: &at.id, Message: label, MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
		})
		if err != nil {
			return err
		}
		defer clear(out.Mac)
		if len(out.Mac) != len(mac) {
			return answerError(fmt.Sprintf("the MAC has %d bytes, not %d", len(out.Mac), len(mac)))
		}
		mac, id = [32]byte(out.Mac), aws.ToString(out.KeyId)
		return nil
	})
	return mac, id, err
}

// proofTag keeps the digests that only prove a key apart from all others.
const proofTag = "frostfleet/keyprovider/awskms/proof/v1"

// freshDigest is one that nobody has a signature of.
func freshDigest() [32]byte {
	return sha256.Sum256([]byte(proofTag + rand.Text()))
}
