package launch

import (
	"context"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/awskms"
)

// derivationFile is where derivation = "file" keeps the derivation secret, in
// storage_path.
const derivationFile = "derivation.key"

func openAWSKMS(ctx context.Context, n *config.Node, o ProviderOptions) (keyprovider.Provider, error) {
	p := &n.Node.KeyProvider
	options := awskms.Options{
		KeyID: p.KeyID, DerivationKeyID: p.DerivationKeyID,
		Regions: p.Regions, Endpoint: p.Endpoint, Profile: p.Profile, HedgeAfter: p.HedgeAfter.Duration,
		Pinned: o.Pinned, Observe: o.Observe, Log: o.Log,
	}
	if p.Derivation == config.DerivationFile {
		options.DerivationFile = filepath.Join(n.Node.StoragePath, derivationFile)
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	provider, err := awskms.Open(ctx, options)
	if err != nil {
		return nil, err // not provider: a nil pointer is no nil interface
	}
	return provider, nil
}
