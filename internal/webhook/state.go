package webhook

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// stateVersion is the format of a webhook's progress in WEBHOOKS.
const stateVersion = 1

// Bounds of it.
const (
	maxTold  = 4096      // jobs that wait and were told of
	maxState = 128 << 10 // bytes, as the stream has it
)

// state is how far a webhook came, as it stands in WEBHOOKS under its name. Whoever wrote it
// last and keeps writing delivers.
type state struct {
	Version  uint32   `cbor:"1,keyasint"`
	Gateway  string   `cbor:"2,keyasint"` // that delivers; empty: none
	Turn     uint64   `cbor:"3,keyasint"` // random, of this gateway's turn
	Stream   string   `cbor:"4,keyasint"` // identity of RESULTS
	Position uint64   `cbor:"5,keyasint"` // of RESULTS: up to here events are delivered, or among Open
	Open     []string `cbor:"6,keyasint"` // subjects of the messages whose events are not delivered
	Told     []uint64 `cbor:"7,keyasint"` // jobs that wait and were told of, as mark has them
}

// parseState reads what some gateway wrote.
func parseState(data []byte) (*state, error) {
	s := &state{}
	if err := wire.Decode(data, maxState, s); err != nil {
		return nil, err
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("it is of format %d, and this program reads %d", s.Version, stateVersion)
	}
	if len(s.Open) > maxOpen || len(s.Told) > maxTold {
		return nil, fmt.Errorf("%d undelivered events, and %d jobs that wait: at most %d and %d", len(s.Open), len(s.Told),
			maxOpen, maxTold)
	}
	for _, subject := range s.Open {
		_, err := wire.ParseResult(subject)
		if isPending(subject) {
			_, err = wire.ParsePending(subject)
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func isPending(subject string) bool { return strings.HasPrefix(subject, "pending.") }

// mark is a job that waits, in 8 bytes.
func mark(subject string) uint64 {
	sum := sha256.Sum256([]byte(subject))
	return binary.BigEndian.Uint64(sum[:8])
}
