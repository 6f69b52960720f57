package wire

import (
	"crypto/ecdsa"
	"errors"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Attestation is a signature by a node's HSM key over one leaf, or over the
// root of an RFC 6962 tree of leaves that waited for the same HSM call. One
// leaf is a tree of one. The signature covers the size, so that a leaf's place in the
// tree is one place.
type Attestation struct {
	Index     uint32   `cbor:"1,keyasint"`
	Size      uint32   `cbor:"2,keyasint"`
	Path      [][]byte `cbor:"3,keyasint"`
	Signature []byte   `cbor:"4,keyasint"` // ECDSA P-256, ASN.1 DER
}

// MaxAttested is how many leaves one signature attests at most. Leaves may be
// delegations that begin at any time in the future: one signature speaks for its
// node for 1,024 times DelegationLife at most, which is a week in all. Only a
// revocation ends that.
const (
	maxAttestPath = 10
	MaxAttested   = 1 << maxAttestPath
)

// AttestDigest is what the HSM signs for a set of leaves.
func AttestDigest(m *Manifest, leaves [][32]byte) [32]byte {
	return attestDigest(m, len(leaves), merkleRoot(hashLeaves(leaves)))
}

func hashLeaves(leaves [][32]byte) [][32]byte {
	hashed := make([][32]byte, len(leaves))
	for i, leaf := range leaves {
		hashed[i] = leafHash(leaf[:])
	}
	return hashed
}

func attestDigest(m *Manifest, size int, root [32]byte) [32]byte {
	mh := m.Hash()
	return frost.Hash("frostfleet/attest/v2", mh[:], Be32(size), root[:])
}

// NewAttestations are the attestations of all leaves, in their order, once the
// HSM signed their digest.
func NewAttestations(leaves [][32]byte, signature []byte) []*Attestation {
	all := make([]*Attestation, len(leaves))
	for i, path := range merklePaths(hashLeaves(leaves)) {
		all[i] = &Attestation{Index: uint32(i), Size: uint32(len(leaves)), Path: path, Signature: signature}
	}
	return all
}

var errAttestation = errors.New("attestation does not verify under the node's identity key")

// verify checks that pub attested the leaf.
func (a *Attestation) verify(m *Manifest, pub *ecdsa.PublicKey, leaf [32]byte) error {
	digest, err := a.digest(m, leaf)
	if err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(pub, digest[:], a.Signature) {
		return errAttestation
	}
	return nil
}

// digest is what the signature must be of.
func (a *Attestation) digest(m *Manifest, leaf [32]byte) ([32]byte, error) {
	if a == nil || len(a.Path) > maxAttestPath || a.Size > MaxAttested || len(a.Signature) > 80 {
		return [32]byte{}, errAttestation
	}
	root, err := rootFromPath(leafHash(leaf[:]), int(a.Index), int(a.Size), a.Path)
	if err != nil {
		return [32]byte{}, err
	}
	return attestDigest(m, int(a.Size), root), nil
}

// maxKnownAttested bounds the signatures of devices that an Opener remembers.
const maxKnownAttested = 4096

// attested checks that node attested the leaf. It remembers the signatures that
// verified: under load one serves hundreds of messages, and verifying it costs as
// much as opening one.
func (o *Opener) attested(a *Attestation, node int, leaf [32]byte) error {
	digest, err := a.digest(o.manifest, leaf)
	if err != nil {
		return err
	}
	key := frost.Hash("frostfleet/attested-cache/v1", Be32(node), digest[:], a.Signature)
	if _, ok := o.signatures[key]; ok {
		return nil
	}
	if !ecdsa.VerifyASN1(o.manifest.Identity(node), digest[:], a.Signature) {
		return errAttestation
	}
	if len(o.signatures) >= maxKnownAttested {
		clear(o.signatures)
	}
	o.signatures[key] = struct{}{}
	return nil
}
