package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// TakenVersion is the format of notes about suspicious jobs.
const TakenVersion = 1

// maxTaken bounds a note's body, in bytes.
const maxTaken = 256

// Taken is what a gateway notes before it begins a suspicious job. JetStream counts the
// deliveries of a job, whoever pulled it; notes count those that ended a gateway.
type Taken struct {
	Version uint32   `cbor:"1,keyasint"`
	Stored  int64    `cbor:"2,keyasint"` // stream time of the job, Unix nanoseconds: its stream may begin anew
	Boot    [16]byte `cbor:"3,keyasint"` // of the process that begins, as in its heartbeats
	Ended   uint32   `cbor:"4,keyasint"` // processes that began the job before, and are gone
}

// JobPlace is where a job is stored: a stream, and the sequence in it.
type JobPlace struct {
	Bulk     bool // BULK, and not JOBS
	Approval bool // APPROVALS: the delivery of an approval stands for that of its job
	Seq      uint64
}

// TakenSubject is where notes of a stored job are: the newest one counts.
func TakenSubject(p JobPlace) string {
	seq := strconv.FormatUint(p.Seq, 10)
	switch {
	case p.Bulk:
		return "taken." + bulkJob + "-" + seq
	case p.Approval:
		return "taken." + approveSubject + "-" + seq
	}
	return "taken." + seq
}

// IsTaken reports whether a message of WORK is a note, and no task.
func IsTaken(subject string) bool { return strings.HasPrefix(subject, "taken.") }

// OpenTaken opens a note, and returns the gateway that sealed it.
func OpenTaken(m *Manifest, a *Access, subject string, data []byte) (gateway string, t *Taken, err error) {
	if len(data) > MaxHeartbeat {
		return "", nil, fmt.Errorf("note of %d bytes is over the limit of %d", len(data), MaxHeartbeat)
	}
	body, err := a.FromGateway(m, subject, data)
	if err != nil {
		return "", nil, err
	}
	t = &Taken{}
	if err := Decode(body, maxTaken, t); err != nil {
		return "", nil, err
	}
	if t.Version != TakenVersion {
		return "", nil, fmt.Errorf("note of format %d, and this program reads %d", t.Version, TakenVersion)
	}
	return SealedBy(data), t, nil
}
