package policy

import (
	"errors"

	"github.com/fxamacker/cbor/v2"
)

// stateVersion is the version of stored ledgers.
const stateVersion = 1

// MaxState bounds a state in bytes: full bounds are half of it.
const MaxState = 32 << 20

// ErrState means that a stored ledger can't be read: see LostLedger.
var ErrState = errors.New("the ledger's state can't be read")

// A state is SHA-256 of its body, and the body: deterministic CBOR.
type state struct {
	_        struct{} `cbor:",toarray"`
	Version  uint
	Seq      uint64
	Clean    bool  // the process ended in order
	Wall     int64 // the node's clock, in seconds of Unix time
	Time     int64 // the ledger's
	Limits   []limitState
	Events   []eventState
	Counters []counterState
	Seen     []seenState
}

// limitState is a limit and its block: of the policy in force, or 0 of one that only has
// counters left.
type limitState struct {
	_     struct{} `cbor:",toarray"`
	ID    string
	Per   string
	Block uint64
}

type eventState struct {
	_      struct{} `cbor:",toarray"`
	At     int64
	Why    string
	Known  bool // what was used at most is in Blocks
	Blocks []blockState
}

type blockState struct {
	_     struct{} `cbor:",toarray"`
	ID    string
	Units uint64
}

type counterState struct {
	_       struct{} `cbor:",toarray"`
	Limit   uint     // in Limits
	Subject string
	Head    int64
	Steps   []stepState
}

type stepState struct {
	_     struct{} `cbor:",toarray"`
	Back  uint     // steps before the head
	Units uint64
}

type seenState struct {
	_     struct{} `cbor:",toarray"`
	Key   string
	Index uint32
}

var (
	encoder = must(cbor.CoreDetEncOptions().EncMode())
	decoder = must(cbor.DecOptions{
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  6,
		MaxArrayElements: maxCounters + maxRules*maxLimits,
		MaxMapPairs:      16,
		UTF8:             cbor.UTF8DecodeInvalid, // a name that is none must not cost the ledger
	}.DecMode())
)

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err) // options are constants: only a wrong program gets here
	}
	return mode
}
