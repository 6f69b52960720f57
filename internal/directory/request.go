package directory

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// requestVersion is the format of requests in REQUESTS.
const requestVersion = 1

// requestMessage is a request in REQUESTS. Whose, and which job, its subject says.
type requestMessage struct {
	Version int           `json:"v"`
	Kind    wire.Kind     `json:"kind"`
	Digest  wire.HexBytes `json:"digest"`
	Count   int           `json:"count,omitempty"`
	Expires time.Time     `json:"expires"`
	By      string        `json:"by"`
	Time    time.Time     `json:"time"`
}

// maxRequest bounds a request, in bytes.
const maxRequest = 2 << 10

func (r Request) subject() string { return wire.RequestSubject(r.Client, r.Job) }

func (r Request) check() error {
	switch {
	case !wire.IsToken(r.Client):
		return fmt.Errorf("%w: client %.64q", ErrRequest, r.Client)
	case !wire.IsJobID(r.Job):
		return fmt.Errorf("%w: job %.64q", ErrRequest, r.Job)
	case !r.Kind.Valid():
		return fmt.Errorf("%w: kind %.32q", ErrRequest, r.Kind)
	case r.Count < 0 || r.Count > max(wire.MaxJobKeys, wire.MaxJobItems):
		return fmt.Errorf("%w: %d keys or signatures", ErrRequest, r.Count)
	case len(r.By) > MaxBy || !isText(r.By):
		return fmt.Errorf("%w: who made it", ErrRequest)
	}
	return nil
}

func (r Request) encode() ([]byte, error) {
	return json.Marshal(requestMessage{requestVersion, r.Kind, r.Digest[:], r.Count, r.Expires.UTC(), r.By, r.Time.UTC()})
}

// decodeRequest reads a message of REQUESTS.
func decodeRequest(subject string, data []byte) (Request, error) {
	ref, err := wire.ParseRequest(subject)
	if err != nil {
		return Request{}, err
	}
	var msg requestMessage
	if err := strict(data, maxRequest, &msg); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	switch {
	case msg.Version != requestVersion:
		return Request{}, fmt.Errorf("%w: its format is %d, and this program reads %d", ErrRequest, msg.Version,
			requestVersion)
	case len(msg.Digest) != 32:
		return Request{}, fmt.Errorf("%w: a digest of %d bytes", ErrRequest, len(msg.Digest))
	}
	r := Request{
		Client: ref.Client, Job: ref.Job, Kind: msg.Kind, Digest: [32]byte(msg.Digest), Count: msg.Count,
		Expires: msg.Expires, By: msg.By, Time: msg.Time,
	}
	return r, r.check()
}
