package directory

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// answer is what the directory wants of a result or notice.
type answer struct {
	Job      string        `json:"job"`
	Client   string        `json:"client"`
	Kind     wire.Kind     `json:"kind"`
	Digest   wire.HexBytes `json:"digest"`
	Rejected wire.HexBytes `json:"rejected"`
	Status   wire.Status   `json:"status"`
	Code     wire.Code     `json:"code"`
	Error    string        `json:"error"`
	Chain    string        `json:"chain"`

	gateway     string
	count, done int // of signatures
}

// states are what a job is in by its result's status.
var states = map[wire.Status]State{
	wire.StatusDone: Done, wire.StatusPartial: Partial, wire.StatusDenied: Denied, wire.StatusFailed: Failed,
	wire.StatusPending: Pending,
}

func (a answer) state() State { return states[a.Status] }

// rank is how much an answer counts that stands among the notices.
func (a answer) rank() rank {
	switch {
	case a.Status == wire.StatusPending:
		return rankPending
	case len(a.Rejected) > 0:
		return rankTurned
	}
	return rankAnswered
}

// readAnswer reads a message of RESULTS or NOTICES that one of the fleet's gateways signed.
func readAnswer(m *wire.Manifest, access *wire.Access, ref wire.JobRef, msg bus.Message) (answer, error) {
	by, signed := msg.Header[wire.HeaderGateway], msg.Header[wire.HeaderSignature]
	if len(by) != 1 || len(signed) != 1 {
		return answer{}, errors.New("no gateway signed it")
	}
	signature, err := hex.DecodeString(signed[0])
	if err == nil {
		err = access.VerifyResult(m, by[0], ref.Client, ref.Job, msg.Data, signature)
	}
	if err != nil {
		return answer{}, err
	}
	a, err := parseAnswer(msg.Data)
	switch {
	case err != nil:
		return a, err
	case a.Job != ref.Job && a.Status != wire.StatusFailed || a.Client != ref.Client:
		return a, errors.New("it is of another job")
	}
	a.gateway = by[0]
	return a, nil
}

// parseAnswer reads the payload. The keys of a large result are left unread: they stand at its
// end, and KEYS has them.
func parseAnswer(data []byte) (answer, error) {
	var a answer
	head := data
	if i := bytes.Index(data, []byte(`,"keys":[`)); i > 0 {
		head = append(data[:i:i], '}')
	}
	var sigs struct {
		Sigs []struct {
			Code wire.Code `json:"code"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(head, &a); err != nil {
		return a, err
	}
	if a.Kind == wire.KindSign {
		if err := json.Unmarshal(data, &sigs); err != nil {
			return a, err
		}
	}
	for _, s := range sigs.Sigs {
		if a.count++; s.Code == "" {
			a.done++
		}
	}
	switch {
	case !a.Kind.Valid() && a.Status != wire.StatusFailed:
		return a, fmt.Errorf("kind %.32q", a.Kind)
	case a.state() == "":
		return a, fmt.Errorf("status %.32q", a.Status)
	case len(a.Code) > 64, len(a.Chain) > 64, len(a.Kind) > 64:
		return a, errors.New("a name that is too long")
	case len(a.Digest) != 0 && len(a.Digest) != 32:
		return a, errors.New("a digest that is none")
	}
	return a, nil
}
