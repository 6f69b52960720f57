package awskms

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Describe implements keyprovider.Describer. It asks every region, all at
// once. One that is out of reach is a warning while another one answers, as the
// node works without it.
func (p *Provider) Describe(ctx context.Context) ([]keyprovider.Fact, error) {
	end, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var identity, derivation []keyprovider.Fact
	var identityErr, derivationErr error
	var both sync.WaitGroup
	both.Go(func() { identity, identityErr = p.describeKey(ctx, "identity key", p.identity) })
	if p.derivation != nil {
		both.Go(func() { derivation, derivationErr = p.describeKey(ctx, "derivation key", p.derivation) })
	}
	both.Wait()
	facts := append(p.endpoints(), identity...)
	if identityErr != nil {
		return facts, identityErr
	}
	facts = append(facts, keyprovider.Fact{Name: "public key", Value: p.publicFrom})
	switch {
	case p.file != nil:
		facts = append(facts, keyprovider.Fact{Name: "derivation secret", Value: secretFile(p.opt.Node),
			Warning: "KMS does not protect this node's shares: back this file up, and keep it as safe as a key"})
	case p.derivation == nil:
		facts = append(facts, keyprovider.Fact{Name: "derivation key", Value: "none",
			Warning: "a node can't run without one: set derivation_key_id"})
	}
	return append(facts, derivation...), derivationErr
}

// endpoints tells where the calls go.
func (p *Provider) endpoints() (facts []keyprovider.Fact) {
	for _, at := range p.identity.replicas {
		fact := keyprovider.Fact{Name: "endpoint", Value: at.region.host + " for " + at.region.name}
		if at.region.foreign {
			fact.Warning = "not AWS's own but set by " + whereEndpoint + ": whoever runs it can read this node's shares"
		}
		facts = append(facts, fact)
	}
	return facts
}

// describeKey returns one fact for each region.
func (p *Provider) describeKey(ctx context.Context, name string, k *key) ([]keyprovider.Fact, error) {
	facts, errs := everywhere(ctx, p, k, func(ctx context.Context, at *replica) (keyprovider.Fact, error) {
		return p.describeFact(ctx, name, at)
	})
	reached := slices.Contains(errs, nil)
	for i, err := range errs {
		reason := keyprovider.ReasonOf(err)
		switch {
		case err == nil, reason == keyprovider.Denied && k == p.derivation:
		case reached && reason.Temporary():
			facts[i].Warning = "not reached now, and the node works without it: " + err.Error()
		default:
			return facts[:i], err
		}
	}
	return facts, nil
}

func (p *Provider) describeFact(ctx context.Context, name string, at *replica) (keyprovider.Fact, error) {
	meta, err := p.describeAt(ctx, at)
	if err != nil {
		return keyprovider.Fact{Name: name, Value: at.id + " in " + at.region.name,
			Warning: "not described, as kms:DescribeKey is not granted: its spec and state are not known"}, err
	}
	value := []string{nameOf(meta), string(meta.KeySpec), string(meta.KeyUsage), string(meta.KeyState)}
	if at.key.name.alias() {
		value = append(value, "by "+at.key.configured+" when this program started")
	}
	if meta.CreationDate != nil {
		value = append(value, "made "+meta.CreationDate.UTC().Format(time.DateOnly))
	}
	return keyprovider.Fact{Name: name, Value: strings.Join(value, ", "), Warning: warning(meta)}, nil
}

// warning is about keys that may vanish by themselves.
func warning(meta *types.KeyMetadata) string {
	switch {
	case meta.ExpirationModel == types.ExpirationModelTypeKeyMaterialExpires && meta.ValidTo != nil:
		return "its imported key material expires on " + meta.ValidTo.UTC().Format(time.DateOnly) + ": the node then stops"
	case meta.CustomKeyStoreId != nil:
		return "it is in a custom key store, and works only while that is connected"
	}
	return ""
}
