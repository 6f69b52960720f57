// Package exit is the way out of the fleet: the file by which a node gives its shares of
// chosen keys to a machine without a network, and what that machine makes of t of them. It
// is the one place in which a fleet's key is ever whole (docs/operations.md, "Leave
// Frostfleet").
//
// A file is encrypted with age (age-encryption.org/v1, X25519) to the ceremony's key, and
// written by nobody but frost-worker export-share. Inside are lines of JSON, and bytes:
//
//	{"format":"frostfleet-exit","version":1, fleet, network, manifest, node, n, t, "keys":K}
//	K lines, one a key: id, owner, suite, generation, public key, chain code, commitments
//	K*32 bytes: the node's share of each key, in the order of the lines
//
// So whoever has the ceremony's key can read it with age alone, should this program be gone.
// The package is pure: no files, no clock; randomness is age's own.
package exit

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Version is the format that this program writes and reads.
const Version = 1

// Bounds of a file.
const (
	MaxKeys = 10_000   // of one file
	MaxSize = 64 << 20 // bytes, before and after encryption

	maxHead = 1 << 10  // bytes of the first line
	maxLine = 20 << 10 // bytes of a key's: 128 commitments of 64 bytes in hexadecimal, and 4 KiB
)

// Head is the first line of a file: whose it is.
type Head struct {
	Fleet    string
	Network  string
	Manifest [32]byte // hash of the manifest whose node this is
	Node     int      // index, from 0
	N, T     int      // of the manifest
}

// Key is what a file says of one key. All of it is public, and the same in the file of every
// node.
type Key struct {
	ID          string // wire.KeyID
	Owner       string // the client whose key it is
	Suite       frost.Suite
	Generation  int // of the shares, from 0
	PublicKey   []byte
	ChainCode   [32]byte
	Commitments []byte // T wire points, summed over the dealers, constant term first
}

// File is a node's shares of keys.
type File struct {
	Head
	Keys   []Key
	Shares *secret.Bytes // len(Keys)*32 bytes, in the order of Keys
}

// Wipe forgets the shares.
func (f *File) Wipe() { f.Shares.Wipe() }

// Errors that callers distinguish.
var (
	// ErrFormat means that a file is not one of export-share.
	ErrFormat = errors.New("not a file of frost-worker export-share")
	// ErrVersion means that a file has another format.
	ErrVersion = errors.New("a file of another format")
	// ErrRecipient means that a file is encrypted to another key.
	ErrRecipient = errors.New("encrypted to another key than this ceremony's")
	// ErrDamaged means that a file is not as it was written.
	ErrDamaged = errors.New("damaged, or changed since it was written")
	// ErrSize means that a file would have, or has, too much in it.
	ErrSize = fmt.Errorf("more than %d keys, or than %d MiB: export fewer keys at a time", MaxKeys, MaxSize>>20)
)

// validate checks every length against every other.
func (f *File) validate() error {
	h := &f.Head
	switch {
	case h.N < 1 || h.N > frost.MaxNodes || h.T < 1 || h.T > h.N || h.Node < 0 || h.Node >= h.N:
		return fmt.Errorf("%w: node %d of a fleet of %d of %d", ErrFormat, h.Node, h.T, h.N)
	case !wire.IsToken(h.Fleet) || !wire.IsNetwork(h.Network):
		return fmt.Errorf("%w: fleet %.40q on network %.40q", ErrFormat, h.Fleet, h.Network)
	case len(f.Keys) < 1:
		return fmt.Errorf("%w: it has no keys", ErrFormat)
	case len(f.Keys) > MaxKeys:
		return ErrSize
	case len(f.Shares.Expose()) != len(f.Keys)*frost.ScalarSize:
		return fmt.Errorf("%w: the shares have another length than %d keys have", ErrFormat, len(f.Keys))
	}
	seen := map[string]bool{}
	for i := range f.Keys {
		if err := f.Keys[i].validate(h.T); err != nil {
			return fmt.Errorf("%w: key %d: %w", ErrFormat, i+1, err)
		}
		if seen[f.Keys[i].ID] {
			return fmt.Errorf("%w: key %s is there twice", ErrFormat, f.Keys[i].ID)
		}
		seen[f.Keys[i].ID] = true
	}
	return nil
}

func (k *Key) validate(t int) error {
	if _, err := wire.ParseKeyID(k.ID); err != nil {
		return err
	}
	switch {
	case !wire.IsToken(k.Owner):
		return fmt.Errorf("client %.40q", k.Owner)
	case !k.Suite.Valid():
		return fmt.Errorf("suite %s", k.Suite)
	case k.Generation < 0 || k.Generation > 1<<30:
		return fmt.Errorf("generation %d", k.Generation)
	case len(k.PublicKey) != k.Suite.PublicKeySize():
		return fmt.Errorf("a public key of %d bytes", len(k.PublicKey))
	case len(k.Commitments) != t*k.Suite.PointSize():
		return fmt.Errorf("commitments of %d bytes", len(k.Commitments))
	}
	return nil
}

// share is the i-th key's, not a copy.
func (f *File) share(i int) []byte { return f.Shares.Expose()[i*frost.ScalarSize:][:frost.ScalarSize] }
