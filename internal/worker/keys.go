package worker

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a node derives from its key provider. The host key must be the same
// for ever: with it and the log the node's shares can be rebuilt.
const (
	purposeHost = "host"  // X25519 private key, to which deals are encrypted
	purposeSeal = "seal"  // seals the keystore
	purposeSeed = "hedge" // mixed into every deal's seed
)

func label(purpose, fleet string, epoch int) []byte {
	return fmt.Appendf(nil, "frostfleet/%s/v1/%s/%d", purpose, fleet, epoch)
}

func derive(ctx context.Context, p keyprovider.Provider, purpose, fleet string, epoch int) (*secret.Bytes, error) {
	key, err := p.Derive(ctx, label(purpose, fleet, epoch))
	if err != nil {
		return nil, fmt.Errorf("derive the %s key of fleet %s, epoch %d: %w", purpose, fleet, epoch, err)
	}
	return secret.New(key[:]), nil
}

// sealKey is what seals a node's keystore. It is one manifest's: keys that were made
// under another one, even of the same fleet and epoch, stay with that, and this node
// signs with none of them.
func sealKey(derived *secret.Bytes, m *wire.Manifest) [32]byte {
	mh := m.Hash()
	return frost.Hash("frostfleet/seal-key/v1", derived.Expose(), mh[:])
}

// Card asks a provider for what the manifest says of a node.
func Card(ctx context.Context, p keyprovider.Provider, fleet string, epoch, index int) (wire.NodeCard, error) {
	identity, err := p.Identity(ctx)
	if err != nil {
		return wire.NodeCard{}, fmt.Errorf("identity key: %w", err)
	}
	point, err := identity.Bytes()
	if err != nil {
		return wire.NodeCard{}, fmt.Errorf("identity key: %w", err)
	}
	host, err := derive(ctx, p, purposeHost, fleet, epoch)
	if err != nil {
		return wire.NodeCard{}, err
	}
	defer host.Wipe()
	private, err := ecdh.X25519().NewPrivateKey(host.Expose())
	if err != nil {
		return wire.NodeCard{}, fmt.Errorf("host key: %w", err)
	}
	return wire.NodeCard{Index: index, Identity: point, Encryption: private.PublicKey().Bytes()}, nil
}

// CheckCard holds a provider against the manifest: a node with another key
// must not start, as its deals and certificates would count for nothing.
func CheckCard(ctx context.Context, p keyprovider.Provider, m *wire.Manifest, index int) error {
	card, err := Card(ctx, p, m.Fleet, m.Epoch, index)
	if err != nil {
		return err
	}
	want := m.Nodes[index]
	if !bytes.Equal(card.Identity, want.Identity) {
		return fmt.Errorf("the key provider's identity key is %x, and the manifest has %x for node %d: "+
			"wrong key_provider settings, wrong [node] index, or a manifest of another fleet",
			[]byte(card.Identity), []byte(want.Identity), index)
	}
	if !bytes.Equal(card.Encryption, want.Encryption) {
		return fmt.Errorf("the key provider derives the encryption key %x, and the manifest has %x for node %d: "+
			"wrong derivation key, or the manifest's fleet or epoch was changed",
			[]byte(card.Encryption), []byte(want.Encryption), index)
	}
	return nil
}
