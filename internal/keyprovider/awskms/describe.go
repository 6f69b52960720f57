package awskms

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Describe implements keyprovider.Describer. It asks every region.
func (p *Provider) Describe(ctx context.Context) ([]keyprovider.Fact, error) {
	end, err := p.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	var facts []keyprovider.Fact
	for _, at := range p.identity.places {
		fact, err := p.describeFact(ctx, "identity key", at)
		if err != nil {
			return facts, err
		}
		facts = append(facts, fact)
	}
	facts = append(facts, keyprovider.Fact{Name: "public key", Value: "from " + p.publicFrom})
	if p.file != nil {
		return append(facts, keyprovider.Fact{Name: "derivation secret", Value: p.opt.DerivationFile,
			Warning: "KMS does not protect this node's shares: back this file up, and keep it as safe as a key"}), nil
	}
	if p.derivation == nil {
		return append(facts, keyprovider.Fact{Name: "derivation key", Value: "none",
			Warning: "a node can't run without one: set derivation_key_id"}), nil
	}
	for _, at := range p.derivation.places {
		fact, err := p.describeFact(ctx, "derivation key", at)
		if err != nil && keyprovider.ReasonOf(err) != keyprovider.Denied {
			return facts, err
		}
		facts = append(facts, fact)
	}
	return facts, nil
}

func (p *Provider) describeFact(ctx context.Context, name string, at *place) (keyprovider.Fact, error) {
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
