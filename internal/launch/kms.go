package launch

import (
	"context"
	"errors"
	"fmt"
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
	p := &n.Node.KeyProvider
	options := awskms.Options{
		KeyID: p.KeyID, DerivationKeyID: p.DerivationKeyID,
		Regions: p.Regions, Endpoint: p.Endpoint, Profile: p.Profile, HedgeAfter: p.HedgeAfter.Duration,
		Pinned: o.Pinned, Enrolled: hasManifest(n), NewSecret: o.Enrolling, Observe: o.Observe, Log: o.Log,
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

// mustDerive ends a node that can't work, as its file names no derivation key,
// before anything else is waited for. KMS is only asked for what the commands
// that mend it are to name.
func mustDerive(ctx context.Context, n *config.Node) error {
	p := &n.Node.KeyProvider
	if p.Type != config.AWSKMS || p.DerivationKeyID != "" || p.Derivation == config.DerivationFile {
		return nil
	}
	provider, err := openAWSKMS(ctx, n, ProviderOptions{})
	if err != nil {
		return fmt.Errorf("[node.key_provider] has neither derivation_key_id nor derivation = \"file\", and the node needs one of them; "+
			"how to make a derivation key is told when key_id works: %w", err)
	}
	defer provider.Close()
	_, err = provider.Derive(ctx, []byte("start"))
	return err
}

// hasManifest tells of a node that has enrolled, whether or not its manifest is
// a good one.
func hasManifest(n *config.Node) bool {
	_, err := os.Stat(n.Node.Manifest)
	return !errors.Is(err, fs.ErrNotExist)
}
