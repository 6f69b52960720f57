package awskms

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// findIdentity locates the identity key and learns its public half.
func (p *Provider) findIdentity(ctx context.Context) error {
	err := p.locate(ctx, p.identity, func(ctx context.Context, at *replica) (found, error) {
		meta, err := p.describeAt(ctx, at)
		return found{id: nameOf(meta)}, err
	})
	if err != nil {
		return err
	}
	for _, at := range p.identity.replicas {
		if at.region.avoided(time.Now()) {
			continue // locate did not reach it
		}
		reach, cancel := p.reach(ctx, p.identity)
		err = p.learnPublic(reach, at)
		cancel()
		if err != nil && (ctx.Err() != nil || !keyprovider.ReasonOf(err).Temporary()) {
			return err
		}
		if err != nil && len(p.identity.replicas) > 1 {
			at.region.fails(string(keyprovider.ReasonOf(err)))
		}
	}
	if p.public == nil {
		return err
	}
	return nil
}

// nameOf is the ARN of a key, where KMS told it.
func nameOf(meta *types.KeyMetadata) string {
	if meta == nil {
		return ""
	}
	return cmp.Or(aws.ToString(meta.Arn), aws.ToString(meta.KeyId))
}

// learnPublic gets the public key of one region, and wants the one that is
// pinned, or that another region has. Where kms:GetPublicKey is not granted,
// signatures of fresh digests show which key it is.
func (p *Provider) learnPublic(ctx context.Context, at *replica) error {
	want := cmp.Or(p.public, p.opt.Pinned)
	public, err := p.publicAt(ctx, at)
	a, how, granted := getPublicKey, "from kms:GetPublicKey", keyprovider.ReasonOf(err) != keyprovider.Denied
	switch {
	case granted:
	case want != nil:
		a, how = sign, "from the manifest, proven by a signature, as kms:GetPublicKey is not granted"
		public, err = p.signer(ctx, at, []*ecdsa.PublicKey{want})
	default:
		how = "computed from two signatures, as kms:GetPublicKey is not granted"
		public, err = p.recoverPublic(ctx, at)
	}
	if err != nil {
		return err
	}
	if want != nil && (public == nil || !public.Equal(want)) {
		return p.notPinned(at, a)
	}
	if p.public == nil {
		p.public, p.publicFrom = public, how
	}
	if len(p.identity.replicas) > 1 && granted {
		return p.signFresh(ctx, at) // each replica has a policy of its own
	}
	return nil
}

// signer has the key sign a fresh digest, and returns the one of the candidates
// that made the signature; nil if none did.
func (p *Provider) signer(ctx context.Context, at *replica, candidates []*ecdsa.PublicKey) (*ecdsa.PublicKey, error) {
	digest := freshDigest()
	sig, err := p.signAt(ctx, at, digest, nil)
	if err != nil {
		return nil, err
	}
	for _, public := range candidates {
		if ecdsa.VerifyASN1(public, digest[:], sig) {
			return public, nil
		}
	}
	return nil, nil
}

// recoverPublic computes the public key from a signature, which leaves up to
// four; a second signature is of the right one.
func (p *Provider) recoverPublic(ctx context.Context, at *replica) (*ecdsa.PublicKey, error) {
	digest := freshDigest()
	sig, err := p.signAt(ctx, at, digest, nil)
	if err != nil {
		return nil, err
	}
	candidates, err := recoverVarTime(digest, sig)
	if err != nil {
		return nil, explain(ctx, answerError(err.Error()), sign, at)
	}
	public, err := p.signer(ctx, at, candidates)
	if public == nil && err == nil {
		err = explain(ctx, answerError("two signatures have no public key in common"), sign, at)
	}
	return public, err
}

func (p *Provider) notPinned(at *replica, a action) error {
	if p.public != nil { // another region's
		return p.identity.otherKey(p.identity.replicas[0], at, a)
	}
	return p.identity.fault(keyprovider.WrongKey, a,
		"key_id names another key than the one that the manifest pins for this node: "+
			"correct key_id or node.index (an alias may have been moved); a node that is to have a new key is enrolled anew",
		fmt.Errorf("%s: %s has another public key", at.region.name, at.id))
}

// findDerivation opens the file, or locates the derivation key. A role that
// may only call kms:GenerateMac will do: the MAC is then the proof. In several
// regions it always is, as each replica has a policy of its own.
func (p *Provider) findDerivation(ctx context.Context) (err error) {
	if p.opt.Derivation == derivationFile {
		path := secretFile(p.opt.Node)
		if p.file, err = openSecret(path, p.opt.Enrolling && !p.opt.Enrolled && p.opt.Pinned == nil); err == nil {
			p.opt.Log.Warn("derivation = \"file\": KMS does not protect this node's shares. Who reads the file has them, "+
				"and without it they are lost: back it up, and keep it as safe as a key", "file", path)
		}
		return err
	}
	if p.derivation == nil {
		return nil
	}
	return p.locate(ctx, p.derivation, func(ctx context.Context, at *replica) (found, error) {
		meta, err := p.describeAt(ctx, at)
		described := err == nil
		if !described && keyprovider.ReasonOf(err) != keyprovider.Denied || described && len(p.derivation.replicas) == 1 {
			return found{id: nameOf(meta)}, err
		}
		mac, id, err := p.macAt(ctx, at, []byte(proofTag))
		if described {
			id = nameOf(meta)
		} else if name, err := parseKeyName(id); err != nil || name.alias() {
			id = at.id // KMS did not say it
		}
		return found{id, &mac}, err
	})
}
