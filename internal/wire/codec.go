package wire

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Size limits of everything that comes from outside, in bytes.
const (
	MaxJobSize     = 1 << 20        // a job's JSON payload
	MaxSmallJob    = 56 << 10       // one that JOBS takes; its headers may have 8 KiB
	MaxMessageSize = 1 << 20        // a sealed round message
	MaxReshareDeal = 2<<20 - 16<<10 // what an old node deals of a batch; sealed it fits ROUNDS, KEYS and a question's answer
	maxSealedDeal  = 2 << 20
	maxDelegation  = 2048
	MaxAttestation = 1024
	maxReason      = 400
)

var (
	encMode  = must(cbor.CoreDetEncOptions().EncMode())
	decMode  = decoder(cbor.ExtraDecErrorUnknownField)
	peekMode = decoder(cbor.ExtraDecErrorNone) // for the version of a format that may have fields unknown here
)

func decoder(unknown cbor.ExtraDecErrorCond) cbor.DecMode {
	return must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   6,
		MaxArrayElements:  4096,
		MaxMapPairs:       16,
		ExtraReturnErrors: unknown,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // only at start, on options fixed in this file
	}
	return v
}

// errNotCanonical marks bytes that decode but are not what Encode makes.
var errNotCanonical = errors.New("not core deterministic CBOR")

// Encode gives the core deterministic CBOR (RFC 8949, 4.2.1) of a message.
func Encode(v any) []byte { return must(encMode.Marshal(v)) }

// Decode reads exactly one message of at most limit bytes into v, and accepts
// only the bytes that Encode would give: a message has one encoding, so its
// hash is its identity.
func Decode(data []byte, limit int, v any) error {
	if len(data) > limit {
		return fmt.Errorf("message of %d bytes is over the limit of %d", len(data), limit)
	}
	if err := decMode.Unmarshal(data, v); err != nil {
		return err
	}
	if !bytes.Equal(Encode(v), data) {
		return errNotCanonical
	}
	return nil
}
