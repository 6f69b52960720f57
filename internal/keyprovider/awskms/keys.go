package awskms

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"time"

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
	if len(p.identity.replicas) == 1 {
		return p.learnPublic(ctx, p.identity.replicas[0])
	}
	for _, at := range p.identity.replicas {
		if at.region.avoided(time.Now()) {
			continue // locate did not reach it
		}
		reach, cancel := context.WithTimeout(ctx, p.opt.reach)
		err = p.learnPublic(reach, at)
		cancel()
		if err != nil && (ctx.Err() != nil || !keyprovider.ReasonOf(err).Temporary()) {
			return err
		}
		if err != nil {
			at.region.fails(string(keyprovider.ReasonOf(err)))
		}
	}
	if p.public == nil {
		return err
	}
	return nil
}

func nameOf(meta *types.KeyMetadata) string {
	switch {
	case meta == nil:
		return ""
	case meta.Arn != nil:
		return *meta.Arn
	}
	return *meta.KeyId
}

const fromKMS = "from kms:GetPublicKey"

// learnPublic gets the public key of one region, and wants the one that is
// pinned, or that another region has.
func (p *Provider) learnPublic(ctx context.Context, at *replica) error {
	want := p.opt.Pinned
	if p.public != nil {
		want = p.public
	}
	public, err := p.publicAt(ctx, at)
	how := fromKMS
	if keyprovider.ReasonOf(err) == keyprovider.Denied {
		if want != nil {
			return p.proveBySignature(ctx, at, want)
		}
		public, err = p.recoverPublic(ctx, at)
		how = "computed from three signatures, as kms:GetPublicKey is not granted"
	}
	if err != nil {
		return err
	}
	if want != nil && !public.Equal(want) {
		return p.notPinned(at, getPublicKey)
	}
	if p.public == nil {
		p.public, p.publicFrom = public, how
	}
	if len(p.identity.replicas) > 1 && how == fromKMS {
		return p.signFresh(ctx, at) // each replica has a policy of its own
	}
	return nil
}

// proveBySignature lets the key sign a fresh digest: where kms:GetPublicKey is
// not granted, that shows that the key is the one expected.
func (p *Provider) proveBySignature(ctx context.Context, at *replica, want *ecdsa.PublicKey) error {
	digest, err := freshDigest()
	if err != nil {
		return err
	}
	sig, err := p.signAt(ctx, at, digest, nil)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(want, digest[:], sig) {
		return p.notPinned(at, sign)
	}
	if p.public == nil {
		p.public, p.publicFrom = want, "from the manifest, proven by a signature, as kms:GetPublicKey is not granted"
	}
	return nil
}

func (p *Provider) notPinned(at *replica, a action) error {
	if p.public != nil { // another region's
		return p.identity.otherKey(p.identity.replicas[0], at, a)
	}
	return p.identity.fault(keyprovider.WrongKey, a,
		"key_id names another key than the one that the manifest pins for this node: "+
			"correct key_id or node.index (an alias may have been moved); a node that is to have a new key is enrolled anew",
		&cause{text: fmt.Sprintf("%s: %s has another public key", at.region.name, at.id)})
}

// recoverPublic computes the public key from signatures of fresh digests: two
// leave one key, a third confirms it.
func (p *Provider) recoverPublic(ctx context.Context, at *replica) (*ecdsa.PublicKey, error) {
	var candidates [2][]*ecdsa.PublicKey
	for i := range candidates {
		digest, err := freshDigest()
		if err != nil {
			return nil, err
		}
		sig, err := p.signAt(ctx, at, digest, nil)
		if err != nil {
			return nil, err
		}
		if candidates[i], err = recoverVarTime(digest, sig); err != nil {
			return nil, p.badProof(at, err)
		}
	}
	public, err := commonKey(candidates[0], candidates[1])
	if err != nil {
		return nil, p.badProof(at, err)
	}
	digest, err := freshDigest()
	if err != nil {
		return nil, err
	}
	_, err = p.signAt(ctx, at, digest, public)
	return public, err
}

func (p *Provider) badProof(at *replica, err error) error {
	v := class{reason: keyprovider.BadAnswer}
	return p.identity.fault(v.reason, sign, remedy(v, sign, p.identity, at),
		&cause{text: at.region.name + ": " + err.Error()})
}

// findDerivation opens the file, or locates the derivation key. A role that
// may only call kms:GenerateMac will do: the MAC is then the proof. In several
// regions it always is, as each replica has a policy of its own.
func (p *Provider) findDerivation(ctx context.Context) (err error) {
	if path := p.opt.DerivationFile; path != "" {
		if p.file, err = openSecret(path, p.opt.NewSecret && !p.opt.Enrolled && p.opt.Pinned == nil); err == nil {
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
