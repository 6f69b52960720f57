package frost

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost/bip340"
	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// MaxMessage is the length in bytes up to which ed25519 messages are signed.
// A secp256k1-tr message is a hash and has 32 bytes.
const MaxMessage = 4096

// TweakMode is how the output key is derived from the public key.
type TweakMode uint8

const (
	// TweakNone leaves the key as it is: ed25519 only. An untweaked key of the
	// key generation could hide a script path that a dealer put there.
	TweakNone TweakMode = 0
	// TweakBIP86 is the tweak of BIP 341 with no script tree, as BIP 86 has it.
	TweakBIP86 TweakMode = 1
	// TweakScriptRoot is the tweak of BIP 341 with a Merkle root of scripts.
	TweakScriptRoot TweakMode = 2
)

// Tweak is a tweak mode and what it needs. Root is zero in all modes but
// TweakScriptRoot.
type Tweak struct {
	Mode TweakMode
	Root [32]byte
}

func (t Tweak) validate(s Suite) error {
	if t.Mode != TweakScriptRoot && t.Root != [32]byte{} {
		return errors.New("tweak: a script root without the mode for it: set the mode to script root or leave the root empty")
	}
	switch {
	case s == Ed25519 && t.Mode == TweakNone:
	case s == Secp256k1TR && (t.Mode == TweakBIP86 || t.Mode == TweakScriptRoot):
	default:
		return fmt.Errorf("tweak: mode %d does not belong to suite %s: ed25519 takes none, "+
			"secp256k1-tr takes BIP 86 or a script root", t.Mode, s)
	}
	return nil
}

// Key is one key as a node holds it or, without the share, as everyone may see it.
type Key struct {
	Suite         Suite
	N, T, Index   int           // nodes, threshold, own index (unused without a share)
	PublicKey     []byte        // 33 or 32 bytes
	VSSCommitment []byte        // T wire points, summed over the dealers, constant term first
	Share         *secret.Bytes // 32 bytes; nil in a public view
}

func (k *Key) validate() error {
	switch {
	case k == nil:
		return errors.New("key: missing")
	case !k.Suite.Valid():
		return fmt.Errorf("key: unknown suite %d", k.Suite)
	case k.T < 1 || k.T > k.N || k.N > MaxNodes:
		return fmt.Errorf("key: threshold %d of %d nodes: want 1 ≤ threshold ≤ nodes ≤ %d", k.T, k.N, MaxNodes)
	case len(k.PublicKey) != k.Suite.PublicKeySize():
		return fmt.Errorf("key: public key has %d bytes, want %d", len(k.PublicKey), k.Suite.PublicKeySize())
	case len(k.VSSCommitment) != k.T*k.Suite.PointSize():
		return fmt.Errorf("key: commitments have %d bytes, want %d", len(k.VSSCommitment), k.T*k.Suite.PointSize())
	}
	return nil
}

// MaxOffsets bounds the steps from a key to the child that signs.
const MaxOffsets = 8

// ErrChild means that there is no key where an item's offsets lead, which nobody can
// bring about who does not know the secret key.
var ErrChild = errors.New("the child is no key: take another path")

// Item is one signature to make.
type Item struct {
	Key     *Key
	Message []byte // 32 bytes, or 1 to MaxMessage with ed25519
	Tweak   Tweak
	// Offsets make the key that signs a child of Key, one a step of the path: offset·G
	// is added to the key. They are public scalars of 32 bytes in the suite's encoding,
	// which BIP 445 calls plain tweaks, and come before Tweak. Package derive makes them.
	Offsets [][ScalarSize]byte
}

// Validate checks lengths and that suite and tweak agree. It does not decode
// points or scalars.
func (it Item) Validate() error {
	if err := it.Key.validate(); err != nil {
		return err
	}
	return it.ValidateRequest()
}

// ValidateRequest is Validate for who knows of the key no more than its suite and the public
// key, since others sign the item.
func (it Item) ValidateRequest() error {
	if it.Key.Suite == Secp256k1TR && len(it.Message) != 32 {
		return fmt.Errorf("message has %d bytes: secp256k1-tr signs hashes of 32", len(it.Message))
	}
	if len(it.Message) < 1 || len(it.Message) > MaxMessage {
		return fmt.Errorf("message has %d bytes: want 1 to %d", len(it.Message), MaxMessage)
	}
	if len(it.Offsets) > MaxOffsets {
		return fmt.Errorf("child %d steps below the key: want at most %d", len(it.Offsets), MaxOffsets)
	}
	return it.Tweak.validate(it.Key.Suite)
}

// validateItems checks each item and that one set of nodes can sign them all.
func validateItems(items []Item) error {
	if len(items) < 1 || len(items) > MaxBatch {
		return fmt.Errorf("batch of %d items: want 1 to %d", len(items), MaxBatch)
	}
	for i, it := range items {
		if err := it.Validate(); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		k, first := it.Key, items[0].Key
		if k.Suite != first.Suite || k.N != first.N || k.T != first.T {
			return fmt.Errorf("item %d: its key is %d of %d in %s, unlike the first item's: put it into another batch",
				i, k.T, k.N, k.Suite)
		}
	}
	return nil
}

// OutputKey returns the key that signatures of publicKey under tweak verify
// with: 32 bytes, x-only for secp256k1-tr, and for ed25519 publicKey itself.
func OutputKey(s Suite, publicKey []byte, tweak Tweak) ([]byte, error) {
	if !s.Valid() {
		return nil, fmt.Errorf("unknown suite %d", s)
	}
	if len(publicKey) != s.PublicKeySize() {
		return nil, fmt.Errorf("public key has %d bytes, want %d", len(publicKey), s.PublicKeySize())
	}
	if err := tweak.validate(s); err != nil {
		return nil, err
	}
	if s == Ed25519 {
		return bytes.Clone(publicKey), nil
	}
	internal, err := bip445.NewTweakContext(publicKey)
	if err != nil {
		return nil, err
	}
	out, err := internal.Apply(tapTweak(internal, tweak), true)
	if err != nil {
		return nil, err
	}
	x := out.XOnly()
	return x[:], nil
}

var tapTweakTag = bip340.NewTag("TapTweak")

// tapTweak hashes the tweak of the key path.
func tapTweak(internal *bip445.TweakContext, tweak Tweak) []byte {
	x := internal.XOnly()
	var root []byte
	if tweak.Mode == TweakScriptRoot {
		root = tweak.Root[:]
	}
	t := TapTweak(&x, root)
	return t[:]
}

// TapTweak hashes the tweak of an internal key, by its x-coordinate, and of a Merkle
// root of scripts, nil without scripts. BIP 341, taproot_tweak_pubkey.
func TapTweak(x *[32]byte, root []byte) [32]byte { return tapTweakTag.Hash(x[:], root) }
