package launch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/awskms"
)

// derivationFile is where derivation = "file" keeps the derivation secret, in
// storage_path.
const derivationFile = "derivation.key"

func openAWSKMS(ctx context.Context, n *config.Node, o ProviderOptions) (keyprovider.Provider, error) {
	options := kmsOptions(n)
	options.Pinned, options.NewSecret, options.Observe, options.Log = o.Pinned, o.Enrolling, o.Observe, o.Log
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	provider, err := awskms.Open(ctx, options)
	if err != nil {
		return nil, err // not provider: a nil pointer is no nil interface
	}
	return provider, nil
}

// kmsOptions are those of a node's file.
func kmsOptions(n *config.Node) awskms.Options {
	p := &n.Node.KeyProvider
	options := awskms.Options{
		KeyID: p.KeyID, DerivationKeyID: p.DerivationKeyID,
		Regions: p.Regions, Endpoint: p.Endpoint, Profile: p.Profile, HedgeAfter: p.HedgeAfter.Duration,
		Enrolled: hasManifest(n),
	}
	if p.Derivation == config.DerivationFile {
		options.DerivationFile = filepath.Join(n.Node.StoragePath, derivationFile)
	}
	return options
}

// hasManifest tells of a node that has enrolled, whether or not its manifest is
// a good one.
func hasManifest(n *config.Node) bool {
	_, err := os.Stat(n.Node.Manifest)
	return !errors.Is(err, fs.ErrNotExist)
}
