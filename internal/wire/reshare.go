package wire

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// The messages of resharing: a batch of keys moves from the nodes of one manifest to
// those of its successor (docs/protocol.md, section 15).

// ReshareVersion is the format of resharing tasks that this program writes and reads.
const ReshareVersion = 1

// Reshare says which batch moves, from where to where, and who deals. Its hash is the
// context of all that is said of it, so that nothing of one attempt counts in another.
type Reshare struct {
	Version  uint32      `cbor:"1,keyasint"`
	Origin   [32]byte    `cbor:"2,keyasint"` // manifest that the batch was made under
	Header   BatchHeader `cbor:"3,keyasint"`
	Made     [32]byte    `cbor:"4,keyasint"`  // transcript of generation 0, from which chain codes follow
	Source   [32]byte    `cbor:"5,keyasint"`  // manifest whose nodes deal
	From     uint32      `cbor:"6,keyasint"`  // generation of their shares
	Base     [32]byte    `cbor:"7,keyasint"`  // transcript of that generation
	Manifest [32]byte    `cbor:"8,keyasint"`  // whose nodes get new shares
	To       uint32      `cbor:"9,keyasint"`  // generation of these
	Dealers  []byte      `cbor:"10,keyasint"` // nodes of Source, ascending: as many as its threshold
	// PerSlice is how many keys a dealer deals in one message; 0: all of them.
	PerSlice uint32 `cbor:"11,keyasint,omitempty"`
}

// BatchContext is the context of the batch itself, and BatchID its id.
func (r *Reshare) BatchContext() [32]byte { return r.Header.ContextUnder(r.Origin) }
func (r *Reshare) BatchID() string        { return ShortID(r.BatchContext()) }

// Context names the attempt, and ID is under what its rounds are.
func (r *Reshare) Context() [32]byte {
	batch := r.BatchContext()
	parts := [][]byte{
		r.Origin[:], batch[:], r.Made[:], r.Source[:], Be32(r.From), r.Base[:], r.Manifest[:], Be32(r.To), r.Dealers,
	}
	if r.PerSlice != 0 {
		parts = append(parts, Be32(r.PerSlice))
	}
	return frost.Hash("frostfleet/reshare/v1", parts...)
}

// ID names the attempt on subjects: of all but deals of one slice among several.
func (r *Reshare) ID() string { return ShortID(r.Context()) }

var errReshare = errors.New("resharing task with fields that do not fit each other")

// Check holds an attempt against the manifests: To is a later generation than From, the
// dealers are as many nodes of source as its threshold, and next follows source.
func (r *Reshare) Check(source, next *Manifest) error {
	parent, ok := next.ParentHash()
	suite := frost.Suite(r.Header.Suite)
	switch {
	case r.Version != ReshareVersion:
		return fmt.Errorf("resharing task of format %d, and this program reads %d", r.Version, ReshareVersion)
	case r.Source != source.Hash() || r.Manifest != next.Hash() || !ok || parent != r.Source:
		return errReshare
	case r.To <= r.From || r.From == 0 && (r.Base != r.Made || r.Origin != r.Source):
		return errReshare
	case !suite.Valid() || r.Header.K < 1 || r.Header.K > frost.MaxBatch || !IsToken(r.Header.Client):
		return errReshare
	case len(r.Dealers) != source.T || !ascending(r.Dealers, source.N):
		return fmt.Errorf("resharing task with dealers %v; want %d of %d nodes, ascending", r.Dealers, source.T, source.N)
	}
	return r.checkSlices(next)
}

// Params are the parameters of one slice for internal/frost.
func (r *Reshare) Params(s Slice, source, next *Manifest) frost.ReshareParams {
	p := frost.ReshareParams{
		Suite: frost.Suite(r.Header.Suite), Context: s.Context, K: s.End - s.First, OldN: source.N, OldT: source.T,
		N: next.N, T: next.T, HostKeys: next.HostKeys(),
	}
	for _, dealer := range r.Dealers {
		p.Dealers = append(p.Dealers, int(dealer))
	}
	return p
}

const maxReshareTask = 4096 // bytes

// DecodeReshare reads a task's body.
func DecodeReshare(body []byte) (*Reshare, error) {
	var r Reshare
	if err := Decode(body, maxReshareTask, &r); err != nil {
		return nil, fmt.Errorf("resharing task: %w", err)
	}
	return &r, nil
}

// reshareDealBody is what stands in a dealer's slot.
type reshareDealBody struct {
	Reshare     Reshare  `cbor:"1,keyasint"`
	Ephemeral   [32]byte `cbor:"2,keyasint"`
	Commitments []byte   `cbor:"3,keyasint"`
	Shares      [][]byte `cbor:"4,keyasint"`
	Slice       uint32   `cbor:"5,keyasint,omitempty"` // its number
}

// EncodeReshareDeal and DecodeReshareDeal are a dealer's message, of the slice of that number,
// and back.
func EncodeReshareDeal(r *Reshare, slice int, d *frost.ReshareDeal) []byte {
	return Encode(&reshareDealBody{*r, d.Ephemeral, d.Commitments, d.Shares, uint32(slice)})
}

// DecodeReshareDeal reads a dealer's message. What is in it is not checked.
func DecodeReshareDeal(body []byte) (r *Reshare, slice int, d *frost.ReshareDeal, err error) {
	var b reshareDealBody
	if err := Decode(body, MaxReshareDeal, &b); err != nil {
		return nil, 0, nil, err
	}
	d = &frost.ReshareDeal{Ephemeral: b.Ephemeral, Commitments: b.Commitments, Shares: b.Shares}
	return &b.Reshare, int(b.Slice), d, nil
}

// Pace is the administrator's word on whether keys move: one message, the last of which
// counts. Nothing signs it; it can make nobody move what nodes did not approve.
type Pace struct {
	Version  int      `json:"version"`
	Manifest HexBytes `json:"manifest"` // hash of the one that keys move to
	Run      bool     `json:"run"`      // false: paused
}

// PaceVersion is the format of Pace.
const PaceVersion = 1

const maxPace = 1024 // bytes

// ParsePace reads the administrator's word.
func ParsePace(data []byte) (*Pace, error) {
	var p Pace
	if len(data) > maxPace {
		return nil, fmt.Errorf("pace: %d bytes is over the limit of %d", len(data), maxPace)
	}
	if err := strictJSON(data, &p); err != nil {
		return nil, fmt.Errorf("pace: %w", err)
	}
	if p.Version != PaceVersion || len(p.Manifest) != 32 {
		return nil, fmt.Errorf("pace: version %d, or no manifest's hash; this program reads version %d", p.Version, PaceVersion)
	}
	return &p, nil
}

// BatchRef is one generation of a batch.
type BatchRef struct {
	ID         string
	Generation uint32
}
