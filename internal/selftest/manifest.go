package selftest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

const otherManifest = "correct the node's file, or get the manifest of its fleet"

// loadManifest reads it before the provider is opened: where a device does not
// give its public key away, the manifest's is proven.
func (t *test) loadManifest(s *Step) error {
	m, err := t.node.LoadManifest()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.Remedy = "put the fleet's manifest.json there; before the fleet has one, test with --enrolling"
	case err != nil:
		s.Remedy = otherManifest
	default:
		t.manifest = m
	}
	t.noGood = err
	return err
}

func (t *test) checkManifest(ctx context.Context, s *Step) error {
	if t.noGood != nil && !t.o.Enrolling {
		s.Status, s.Detail = NotRun, "needs manifest file"
		return nil
	}
	if errors.Is(t.noGood, fs.ErrNotExist) {
		s.Status, s.Detail = Skipped, "no manifest yet at "+t.node.Node.Manifest
		return nil
	}
	if t.noGood != nil {
		s.Remedy = otherManifest
		return t.noGood
	}
	m, i := t.manifest, t.node.Node.Index
	found, compare := fmt.Sprintf("node %d is this one", i), worker.CheckCard
	if !t.derives {
		found = fmt.Sprintf("the identity key is node %d's; what it derives is not known", i)
		compare = checkIdentity
	}
	err := t.within(ctx, 2, "card", func(ctx context.Context) error { return compare(ctx, t.provider, m, i) })
	if err == nil {
		s.Detail = fmt.Sprintf("fleet %s, %d of %d, epoch %d: %s", m.Fleet, m.T, m.N, m.Epoch, found)
	}
	return err
}

// checkIdentity is what can be checked of a device that does not derive.
func checkIdentity(ctx context.Context, p keyprovider.Provider, m *wire.Manifest, i int) error {
	key, err := p.Identity(ctx)
	if err == nil && !key.Equal(m.Identity(i)) {
		err = fmt.Errorf("the key provider's identity key is not the one that the manifest has for node %d: "+
			"wrong key_provider settings, wrong [node] index, or a manifest of another fleet", i)
	}
	return err
}

// subject is one that no stream has.
const subject = "selftest"

// session does what a worker does first: it has the device vouch for a fresh
// session key, seals a message with that key, and opens it as the other nodes
// would.
func (t *test) session(ctx context.Context, s *Step) error {
	m, i := t.manifest, t.node.Node.Index
	key, err := wire.NewSessionKey(rand.Reader, i, time.Now())
	if err != nil {
		return err
	}
	leaves := [][32]byte{key.Leaf(m)}
	var signature []byte
	if err := t.within(ctx, 1, "sign", func(ctx context.Context) (err error) {
		signature, err = t.provider.Sign(ctx, wire.AttestDigest(m, leaves))
		return err
	}); err != nil {
		return err
	}
	key.Delegate(wire.NewAttestations(leaves, signature)[0])
	message := []byte("selftest")
	body, err := wire.OpenNode(m, i, subject, time.Now(), key.Seal(m, subject, message))
	if err != nil {
		return fmt.Errorf("a message of this node would not be accepted: %w", err)
	}
	if !bytes.Equal(body, message) {
		return errors.New("a sealed message opened as another one")
	}
	s.Detail = fmt.Sprintf("a message of node %d is accepted under the manifest", i)
	return nil
}
