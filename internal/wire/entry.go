package wire

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// An entry of the register is what proves a finished batch: a head and the batch's
// deals. The head verifies by itself against a manifest, and each deal then stands
// alone against its digest. Nothing else counts for an entry: no seal, no time, no
// sequence, and not the subject that it was found under. (A gateway has parts that stand under
// other subjects written under their own: see board.Register.Placed.)

// Versions of entries: of a batch's generation 0, of later ones, of those that were dealt in
// several slices, and of a generation 0 whose deals are kept without their proofs.
const (
	EntryVersion   = 1
	LaterVersion   = 2
	SlicedVersion  = 3
	CompactVersion = 4
)

// MaxEntryHead bounds a head, in bytes.
const MaxEntryHead = 1 << 20

// EntryHead is the first message of an entry, and says all of it in memory, whatever the
// version leaves to the reader. A later generation of a batch repeats
// the header and the keys of the first one, under new certificates and deals: those of
// the resharing, of each dealer one for each slice.
type EntryHead struct {
	Version      uint32      `cbor:"1,keyasint"`
	Generation   uint32      `cbor:"2,keyasint"`
	Origin       [32]byte    `cbor:"3,keyasint"` // the manifest that the batch was made under: part of its id
	Manifest     [32]byte    `cbor:"4,keyasint"` // the manifest whose nodes certify this generation
	Header       BatchHeader `cbor:"5,keyasint"`
	Keys         []EntryKey  `cbor:"6,keyasint"`
	Certificates [][]byte    `cbor:"7,keyasint"` // by node
	Deals        [][32]byte  `cbor:"8,keyasint"` // digests, by dealer, and of each by slice
	// Of a later generation, as in Reshare:
	Made    [32]byte `cbor:"9,keyasint,omitzero"`
	Source  [32]byte `cbor:"10,keyasint,omitzero"`
	From    uint32   `cbor:"11,keyasint,omitempty"`
	Base    [32]byte `cbor:"12,keyasint,omitzero"`
	Dealers []byte   `cbor:"13,keyasint,omitempty"`
	// As in Reshare, of a later generation in several slices:
	PerSlice uint32 `cbor:"14,keyasint,omitempty"`
}

// EntryKey is what is certified of one key. It is the same in every generation.
type EntryKey struct {
	_         struct{} `cbor:",toarray"`
	Index     uint32
	Owner     string
	PublicKey []byte
	ChainCode [32]byte
}

// DealDigest names a deal by its bytes in an entry, which are those of EntryDeal.
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

// NewEntryHead is the head of a batch's first generation; compact says that a deal is (EntryDeals).
func NewEntryHead(
	m *Manifest, h BatchHeader, publicKeys, certificates [][]byte, deals [][32]byte, compact bool,
) *EntryHead {
	version := uint32(EntryVersion)
	if compact {
		version = CompactVersion
	}
	return &EntryHead{
		Version: version, Origin: m.Hash(), Manifest: m.Hash(), Header: h,
		Keys:         EntryKeys(publicKeys, h.Client, Transcript(deals)),
		Certificates: certificates, Deals: deals,
	}
}

// NewLaterHead is the head of a batch's later generation. The keys are those of its
// generation 0.
func NewLaterHead(r *Reshare, keys []EntryKey, certificates [][]byte, deals [][32]byte) *EntryHead {
	version := uint32(LaterVersion)
	if r.PerSlice != 0 {
		version = SlicedVersion
	}
	return &EntryHead{
		Version: version, Generation: r.To, Origin: r.Origin, Manifest: r.Manifest, Header: r.Header, Keys: keys,
		Certificates: certificates, Deals: deals,
		Made: r.Made, Source: r.Source, From: r.From, Base: r.Base, Dealers: r.Dealers, PerSlice: r.PerSlice,
	}
}

// Reshare is the attempt that a later generation came of.
func (e *EntryHead) Reshare() *Reshare {
	return &Reshare{
		Version: ReshareVersion, Origin: e.Origin, Header: e.Header, Made: e.Made, Source: e.Source, From: e.From,
		Base: e.Base, Manifest: e.Manifest, To: e.Generation, Dealers: e.Dealers, PerSlice: e.PerSlice,
	}
}

// Entry is a head that was verified.
type Entry struct {
	EntryHead
	ID         string   // of the batch, from its header
	Context    [32]byte // that certificates have: of the batch, or of the resharing
	Transcript [32]byte // of this generation's deals
	MadeBy     [32]byte // transcript of generation 0, from which chain codes follow
	Root       [32]byte // KeyRoot
}

// Errors of entries.
var (
	ErrEntryVersion = errors.New("entry of another format")
	ErrOtherFleet   = errors.New("entry of another manifest")
)

// DecodeEntry reads a head and says what it claims: all of it but the certificates
// fits together. It proves nothing.
func DecodeEntry(data []byte, known ManifestSet) (*Entry, error) {
	var peek struct {
		Version uint32 `cbor:"1,keyasint"`
	}
	if len(data) > MaxEntryHead {
		return nil, fmt.Errorf("entry head of %d bytes is over the limit of %d", len(data), MaxEntryHead)
	}
	if err := peekMode.Unmarshal(data, &peek); err != nil {
		return nil, fmt.Errorf("entry head: %w", err)
	}
	if peek.Version < EntryVersion || peek.Version > CompactVersion {
		return nil, fmt.Errorf("%w: its format is %d, and this program reads %d to %d", ErrEntryVersion, peek.Version,
			EntryVersion, CompactVersion)
	}
	e := &Entry{}
	if err := Decode(data, MaxEntryHead, &e.EntryHead); err != nil {
		return nil, fmt.Errorf("entry head: %w", err)
	}
	first := e.Version == EntryVersion || e.Version == CompactVersion
	if (e.Generation == 0) != first || (e.PerSlice > 0) != (e.Version == SlicedVersion) {
		return nil, fmt.Errorf("%w: format %d and generation %d, with %d keys a slice", ErrEntryVersion, e.Version, e.Generation, e.PerSlice)
	}
	m := known.Manifest(e.Manifest)
	if m == nil || e.Generation == 0 && e.Origin != e.Manifest {
		return nil, fmt.Errorf("%w: %x", ErrOtherFleet, e.Manifest[:8])
	}
	e.Context = e.Header.ContextUnder(e.Origin)
	e.ID, e.Transcript = ShortID(e.Context), Transcript(e.Deals)
	err := e.checkLater(known, m)
	if err == nil {
		err = e.checkKeys(m)
	}
	if err != nil {
		return nil, fmt.Errorf("entry of batch %s: %w", e.ID, err)
	}
	e.Root = KeyRoot(e.Keys)
	return e, nil
}

// checkLater holds what a head says of its resharing against what the program goes by, and
// sets the context of that.
func (e *Entry) checkLater(known ManifestSet, m *Manifest) error {
	if e.Generation == 0 {
		if e.From != 0 || len(e.Dealers) > 0 || e.Made != [32]byte{} || e.Source != [32]byte{} || e.Base != [32]byte{} {
			return errors.New("generation 0 with a resharing")
		}
		e.MadeBy = e.Transcript
		return nil
	}
	r := e.Reshare()
	source := known.Manifest(e.Source)
	if source == nil {
		return fmt.Errorf("%w: dealt by the nodes of %x", ErrOtherFleet, e.Source[:8])
	}
	if err := r.Check(source, m); err != nil {
		return err
	}
	e.Context, e.MadeBy = r.Context(), e.Made
	return nil
}

// deals is how many deals the entry has.
func (e *EntryHead) deals(m *Manifest) int {
	if e.Generation == 0 {
		return m.N
	}
	return len(e.Dealers) * e.Reshare().SliceCount()
}

// checkKeys holds what a head lists against its header and transcript.
func (e *Entry) checkKeys(m *Manifest) error {
	h, suite, deals := e.Header, frost.Suite(e.Header.Suite), e.deals(m)
	switch {
	case !suite.Valid() || h.K < 1 || h.K > frost.MaxBatch || !IsToken(h.Client):
		return fmt.Errorf("header of %d keys, suite %d, client %.64q", h.K, h.Suite, h.Client)
	case len(e.Keys) != int(h.K) || len(e.Certificates) != m.N || len(e.Deals) != deals:
		return fmt.Errorf("%d keys, %d certificates and %d deals; want %d, %d and %d",
			len(e.Keys), len(e.Certificates), len(e.Deals), h.K, m.N, deals)
	}
	seen := map[[32]byte]bool{}
	for i, digest := range e.Deals {
		if seen[digest] {
			return fmt.Errorf("deal %d is there twice", i)
		}
		seen[digest] = true
	}
	for i, k := range e.Keys {
		if int(k.Index) != i || k.Owner != h.Client || len(k.PublicKey) != suite.PublicKeySize() ||
			k.ChainCode != ChainCode(e.MadeBy, i) {
			return fmt.Errorf("key %d is not one of this batch", i)
		}
	}
	return nil
}

// Verify checks that every node of the entry's manifest certified it. It takes n
// verifications of P-256, and ends at the first that fails.
func (e *Entry) Verify(known ManifestSet) error {
	m := known.Manifest(e.Manifest)
	if m == nil {
		return fmt.Errorf("%w: %x", ErrOtherFleet, e.Manifest[:8])
	}
	for i, raw := range e.Certificates {
		cert, err := DecodeCertificate(raw, m, i, e.Generation)
		if err != nil {
			return fmt.Errorf("entry of batch %s: certificate of node %d: %w", e.ID, i, err)
		}
		if cert.Context != e.Context || cert.Transcript != e.Transcript || cert.Root != e.Root {
			return fmt.Errorf("entry of batch %s: node %d certified something else", e.ID, i)
		}
	}
	return nil
}

// VerifyEntry reads a head and verifies it against the manifests that a program goes by.
func VerifyEntry(data []byte, known ManifestSet) (*Entry, error) {
	e, err := DecodeEntry(data, known)
	if err == nil {
		err = e.Verify(known)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// VerifyDeal checks that a body is the entry's deal of that index.
func (e *Entry) VerifyDeal(deal int, body []byte) error {
	if deal < 0 || deal >= len(e.Deals) || DealDigest(body) != e.Deals[deal] {
		return fmt.Errorf("entry of batch %s: not deal %d", e.ID, deal)
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
	return e.Context == o.Context && e.Transcript == o.Transcript && e.Root == o.Root && e.Generation == o.Generation
}

// Continues reports whether two generations of one batch are of the same keys, made by the
// same key generation. Where they are not, all nodes of a manifest lied.
func (e *Entry) Continues(o *Entry) bool {
	return e.ID == o.ID && e.MadeBy == o.MadeBy && e.Root == o.Root
}
