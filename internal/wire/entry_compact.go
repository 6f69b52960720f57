package wire

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Entries of version 4 have what can't be computed, and nothing else. Of a deal that took
// its proofs apart they have the proofs' hash: all nodes but the dealer checked the proofs before
// they certified, and nobody needs them again. Of a point they have one coordinate.

// compactDeal is what an entry has of a deal that took its proofs apart. Its keys tell it
// from a deal of the rounds.
type compactDeal struct {
	Header     BatchHeader `cbor:"1,keyasint"`
	Ephemeral  [32]byte    `cbor:"2,keyasint"`
	Shares     [][]byte    `cbor:"5,keyasint"`
	Points     []byte      `cbor:"7,keyasint"` // the commitments, as frost.CompactPoints has them
	ProofsHash [32]byte    `cbor:"8,keyasint"`
}

// EntryDeal is what an entry has of a deal: of one that stands in the rounds with its proofs
// apart, the compact form; of any other, and of what is none, the bytes as they are. Who
// certifies a deal of the rounds has checked its points, so it is the only one of its form.
func EntryDeal(body []byte) (kept []byte, compact bool) {
	b, err := decodeDealBody(body)
	if err != nil {
		return body, isCompact(body)
	}
	if !b.Apart {
		return body, false
	}
	points, err := frost.CompactPoints(frost.Suite(b.Header.Suite), b.Commitments)
	if err != nil {
		return body, false
	}
	return Encode(&compactDeal{
		Header: b.Header, Ephemeral: b.Ephemeral, Shares: b.Shares, Points: points, ProofsHash: frost.HashProofs(b.Proofs),
	}), true
}

// EntryDeals are all of a batch's deals as its entry has them, and whether one is compact.
func EntryDeals(raw [][]byte) (kept [][]byte, compact bool) {
	kept = make([][]byte, len(raw))
	for i, body := range raw {
		var one bool
		kept[i], one = EntryDeal(body)
		compact = compact || one
	}
	return kept, compact
}

// isCompact reports whether a body has the key of a proofs' hash. It may be junk otherwise.
func isCompact(body []byte) bool {
	var peek struct {
		ProofsHash []byte `cbor:"8,keyasint"`
	}
	return peekMode.Unmarshal(body, &peek) == nil && peek.ProofsHash != nil
}

// DecodeEntryDeal reads a deal of an entry, or of the rounds. One that is compact costs
// a root for each point of secp256k1, so it is for deals that somebody vouches for.
func DecodeEntryDeal(body []byte) (BatchHeader, *frost.Deal, error) {
	if !isCompact(body) {
		return DecodeDeal(body)
	}
	var b compactDeal
	if err := Decode(body, MaxMessageSize, &b); err != nil {
		return BatchHeader{}, nil, err
	}
	points, err := frost.ExpandPoints(frost.Suite(b.Header.Suite), b.Points)
	if err != nil {
		return BatchHeader{}, nil, fmt.Errorf("compact deal: %w", err)
	}
	return b.Header, &frost.Deal{
		Ephemeral: b.Ephemeral, Commitments: points, Shares: b.Shares, ProofsHash: &b.ProofsHash,
	}, nil
}

// compactHead is how a head of version 4 is encoded. Generation is 0, and the manifest is
// that of the origin; index, owner and chain code of a key follow from its place, the header
// and the deals.
type compactHead struct {
	Version      uint32      `cbor:"1,keyasint"`
	Origin       [32]byte    `cbor:"3,keyasint"`
	Header       BatchHeader `cbor:"5,keyasint"`
	Certificates [][]byte    `cbor:"7,keyasint"`
	Deals        [][32]byte  `cbor:"8,keyasint"`
	PublicKeys   []byte      `cbor:"15,keyasint"` // one behind the other
}

// plainHead is how the versions before are.
type plainHead EntryHead

// MarshalCBOR encodes a head in the form of its version.
func (e *EntryHead) MarshalCBOR() ([]byte, error) {
	if e.Version != CompactVersion {
		return encMode.Marshal((*plainHead)(e))
	}
	c := compactHead{
		Version: e.Version, Origin: e.Origin, Header: e.Header, Certificates: e.Certificates, Deals: e.Deals, PublicKeys: []byte{},
	}
	for i := range e.Keys {
		c.PublicKeys = append(c.PublicKeys, e.Keys[i].PublicKey...)
	}
	return encMode.Marshal(&c)
}

// UnmarshalCBOR reads a head in the form of its version.
func (e *EntryHead) UnmarshalCBOR(data []byte) error {
	var peek struct {
		Version uint32 `cbor:"1,keyasint"`
	}
	if err := peekMode.Unmarshal(data, &peek); err != nil {
		return err
	}
	if peek.Version != CompactVersion {
		return decMode.Unmarshal(data, (*plainHead)(e))
	}
	var c compactHead
	if err := decMode.Unmarshal(data, &c); err != nil {
		return err
	}
	h, suite := c.Header, frost.Suite(c.Header.Suite)
	if !suite.Valid() || h.K > frost.MaxBatch || len(c.PublicKeys) != int(h.K)*suite.PublicKeySize() {
		return errPublicKeys
	}
	keys, size := make([][]byte, h.K), suite.PublicKeySize()
	for i := range keys {
		keys[i] = c.PublicKeys[i*size : (i+1)*size : (i+1)*size]
	}
	*e = EntryHead{
		Version: c.Version, Origin: c.Origin, Manifest: c.Origin, Header: h, Certificates: c.Certificates, Deals: c.Deals,
		Keys: EntryKeys(keys, h.Client, Transcript(c.Deals)),
	}
	return nil
}

var errPublicKeys = errors.New("the public keys are not those of a batch of this header")

// DealHeader reads the header of a deal in either form, and takes no roots.
func DealHeader(body []byte) (BatchHeader, error) {
	var b compactDeal
	if !isCompact(body) {
		h, _, err := DecodeDeal(body)
		return h, err
	}
	err := Decode(body, MaxMessageSize, &b)
	return b.Header, err
}
