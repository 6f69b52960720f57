package wire

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// An entry of the register is what proves a finished batch: a head and the batch's
// deals. The head verifies by itself against a manifest, and each deal then stands
// alone against its digest. Nothing else counts for an entry: no seal, no time, no
// sequence, and not the subject that it was found under.

// EntryVersion is the format of entries that this program writes and reads.
const EntryVersion = 1

// MaxEntryHead bounds a head, in bytes.
const MaxEntryHead = 1 << 20

// EntryHead is the first message of an entry. A later generation of a batch repeats
// the header and the keys of the first one, under new certificates and deals.
type EntryHead struct {
	Version      uint32      `cbor:"1,keyasint"`
	Generation   uint32      `cbor:"2,keyasint"`
	Origin       [32]byte    `cbor:"3,keyasint"` // the manifest that the batch was made under: part of its id
	Manifest     [32]byte    `cbor:"4,keyasint"` // the manifest whose nodes certify this generation
	Header       BatchHeader `cbor:"5,keyasint"`
	Keys         []EntryKey  `cbor:"6,keyasint"`
	Certificates [][]byte    `cbor:"7,keyasint"` // by node
	Deals        [][32]byte  `cbor:"8,keyasint"` // digests, by dealer
}

// EntryKey is what is certified of one key. It is the same in every generation.
type EntryKey struct {
	_         struct{} `cbor:",toarray"`
	Index     uint32
	Owner     string
	PublicKey []byte
	ChainCode [32]byte
}

// DealDigest names a deal by its bytes.
func DealDigest(body []byte) [32]byte { return frost.Hash("frostfleet/deal-digest/v1", body) }

// Transcript is the hash of a batch's deals, given their digests in index order.
func Transcript(deals [][32]byte) [32]byte {
	parts := make([][]byte, len(deals))
	for i := range deals {
		parts[i] = deals[i][:]
	}
	return frost.Hash("frostfleet/transcript/v2", parts...)
}

// DealDigests are those of raw deals, in their order.
func DealDigests(raw [][]byte) [][32]byte {
	digests := make([][32]byte, len(raw))
	for i, body := range raw {
		digests[i] = DealDigest(body)
	}
	return digests
}

// ChainCode is the chain code of a key: of the transcript of the generation that
// made it.
func ChainCode(transcript [32]byte, index int) [32]byte {
	return frost.Hash("frostfleet/chaincode/v2", transcript[:], Be32(index))
}

// EntryKeys are the keys of a first generation as they are certified.
func EntryKeys(publicKeys [][]byte, owner string, transcript [32]byte) []EntryKey {
	keys := make([]EntryKey, len(publicKeys))
	for i, key := range publicKeys {
		keys[i] = EntryKey{Index: uint32(i), Owner: owner, PublicKey: key, ChainCode: ChainCode(transcript, i)}
	}
	return keys
}

// NewEntryHead is the head of a batch's first generation.
func NewEntryHead(m *Manifest, h BatchHeader, publicKeys, certificates [][]byte, deals [][32]byte) *EntryHead {
	return &EntryHead{
		Version: EntryVersion, Origin: m.Hash(), Manifest: m.Hash(), Header: h,
		Keys:         EntryKeys(publicKeys, h.Client, Transcript(deals)),
		Certificates: certificates, Deals: deals,
	}
}

// Entry is a head that was verified.
type Entry struct {
	EntryHead
	ID         string // of the batch, from its header
	Context    [32]byte
	Transcript [32]byte
	Root       [32]byte // KeyRoot
}

// Errors of entries.
var (
	ErrEntryVersion = errors.New("entry of another format")
	ErrOtherFleet   = errors.New("entry of another manifest")
)

// DecodeEntry reads a head and says what it claims: all of it but the certificates
// fits together. It proves nothing.
func DecodeEntry(data []byte, m *Manifest) (*Entry, error) {
	var peek struct {
		Version uint32 `cbor:"1,keyasint"`
	}
	if len(data) > MaxEntryHead {
		return nil, fmt.Errorf("entry head of %d bytes is over the limit of %d", len(data), MaxEntryHead)
	}
	if err := peekMode.Unmarshal(data, &peek); err != nil {
		return nil, fmt.Errorf("entry head: %w", err)
	}
	if peek.Version != EntryVersion {
		return nil, fmt.Errorf("%w: its format is %d, and this program reads %d", ErrEntryVersion, peek.Version, EntryVersion)
	}
	e := &Entry{}
	if err := Decode(data, MaxEntryHead, &e.EntryHead); err != nil {
		return nil, fmt.Errorf("entry head: %w", err)
	}
	if e.Generation != 0 {
		return nil, fmt.Errorf("%w: its generation is %d, and this program reads 0", ErrEntryVersion, e.Generation)
	}
	if hash := m.Hash(); e.Origin != hash || e.Manifest != hash {
		return nil, fmt.Errorf("%w: %x", ErrOtherFleet, e.Manifest[:8])
	}
	e.Context = e.Header.Context(m)
	e.ID, e.Transcript = ShortID(e.Context), Transcript(e.Deals)
	if err := e.checkKeys(m); err != nil {
		return nil, fmt.Errorf("entry of batch %s: %w", e.ID, err)
	}
	e.Root = KeyRoot(e.Keys)
	return e, nil
}

// checkKeys holds what a head lists against its header and transcript.
func (e *Entry) checkKeys(m *Manifest) error {
	h, suite := e.Header, frost.Suite(e.Header.Suite)
	switch {
	case !suite.Valid() || h.K < 1 || h.K > frost.MaxBatch || !IsToken(h.Client):
		return fmt.Errorf("header of %d keys, suite %d, client %.64q", h.K, h.Suite, h.Client)
	case len(e.Keys) != int(h.K) || len(e.Certificates) != m.N || len(e.Deals) != m.N:
		return fmt.Errorf("%d keys, %d certificates and %d deals; want %d, %d and %d",
			len(e.Keys), len(e.Certificates), len(e.Deals), h.K, m.N, m.N)
	}
	seen := map[[32]byte]bool{}
	for i, digest := range e.Deals {
		if seen[digest] {
			return fmt.Errorf("deal %d is another node's", i)
		}
		seen[digest] = true
	}
	for i, k := range e.Keys {
		if int(k.Index) != i || k.Owner != h.Client || len(k.PublicKey) != suite.PublicKeySize() ||
			k.ChainCode != ChainCode(e.Transcript, i) {
			return fmt.Errorf("key %d is not one of this batch", i)
		}
	}
	return nil
}

// Verify checks that every node of the manifest certified the entry. It takes n
// verifications of P-256, and ends at the first that fails.
func (e *Entry) Verify(m *Manifest) error {
	for i, raw := range e.Certificates {
		cert, err := DecodeCertificate(raw, m, i)
		if err != nil {
			return fmt.Errorf("entry of batch %s: certificate of node %d: %w", e.ID, i, err)
		}
		if cert.Context != e.Context || cert.Transcript != e.Transcript || cert.Root != e.Root {
			return fmt.Errorf("entry of batch %s: node %d certified something else", e.ID, i)
		}
	}
	return nil
}

// VerifyEntry reads a head and verifies it against a manifest.
func VerifyEntry(data []byte, m *Manifest) (*Entry, error) {
	e, err := DecodeEntry(data, m)
	if err == nil {
		err = e.Verify(m)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// VerifyDeal checks that a body is the deal of a dealer.
func (e *Entry) VerifyDeal(dealer int, body []byte) error {
	if dealer < 0 || dealer >= len(e.Deals) || DealDigest(body) != e.Deals[dealer] {
		return fmt.Errorf("entry of batch %s: not the deal of node %d", e.ID, dealer)
	}
	return nil
}

// PublicKeys are the keys of the entry, in their order.
func (e *EntryHead) PublicKeys() [][]byte {
	keys := make([][]byte, len(e.Keys))
	for i := range e.Keys {
		keys[i] = e.Keys[i].PublicKey
	}
	return keys
}

// Same reports whether two entries prove the same. Their certificates may differ:
// devices randomise signatures.
func (e *Entry) Same(o *Entry) bool {
	return e.Context == o.Context && e.Transcript == o.Transcript && e.Root == o.Root
}
