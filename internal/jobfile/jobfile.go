// Package jobfile is the file in which one sign job waits: to be looked at, approved and
// published, by different people on different machines. It has one JSON object a line: a
// head, the job's payload, and then approvals, which are appended. Files of one job that
// were approved apart are published together.
package jobfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/frostfleet/frostfleet/internal/wire"
)

const (
	// MaxSize bounds such a file, in bytes.
	MaxSize = 4 * wire.MaxJobSize
	version = 1
)

// Head is the first line: for whom the job is.
type Head struct {
	Version  int           `json:"version"`
	Kind     wire.Kind     `json:"kind"` // sign
	Fleet    string        `json:"fleet"`
	Network  string        `json:"network"`
	Manifest wire.HexBytes `json:"manifest"` // hash
	Client   string        `json:"client"`
}

// NewHead is the head of a client's job for a fleet.
func NewHead(fleet, network string, manifest [32]byte, client string) Head {
	return Head{version, wire.KindSign, fleet, network, manifest[:], client}
}

// Fits refuses a job for another fleet.
func (h *Head) Fits(fleet, network string, manifest [32]byte) error {
	if h.Fleet != fleet || h.Network != network || !bytes.Equal(h.Manifest, manifest[:]) {
		return fmt.Errorf("the job is for fleet %.64q on %.64q with manifest %.64x, and the manifest here is of %s on %s with "+
			"hash %x", h.Fleet, h.Network, []byte(h.Manifest), fleet, network, manifest)
	}
	return nil
}

// Is reports whether a file that begins with this line is one of a sign job.
func Is(line []byte) bool {
	var head Head
	return json.Unmarshal(line, &head) == nil && head.Kind == wire.KindSign
}

// File is such a file, read. Nothing of it is verified.
type File struct {
	Head      Head
	Payload   string // of the job
	Approvals []wire.Approval
}

// payloadLine is the second line.
type payloadLine struct {
	Job string `json:"job"`
}

// approvalLine is any line after it.
type approvalLine struct {
	Approver  string        `json:"approver"`
	Signature wire.HexBytes `json:"signature"`
}

var errOther = errors.New("not a file of a sign job: frostctl sign psbt FILE --job FILE writes one")

// Parse reads the content of a file.
func Parse(data []byte) (*File, error) {
	text, whole := bytes.CutSuffix(data, []byte("\n"))
	lines := bytes.SplitN(text, []byte("\n"), 2+wire.MaxApprovals+1)
	if !whole || len(lines) < 2 {
		return nil, errOther
	}
	var f File
	for i, line := range lines {
		if err := f.line(i, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return &f, nil
}

func (f *File) line(i int, line []byte) error {
	switch i {
	case 0:
		if err := decode(line, &f.Head); err != nil || f.Head.Kind != wire.KindSign {
			return errOther
		}
		if f.Head.Version != version {
			return fmt.Errorf("version %d: this program reads version %d", f.Head.Version, version)
		}
		if !wire.IsToken(f.Head.Client) {
			return fmt.Errorf("%.64q is not the name of a client", f.Head.Client)
		}
		return nil
	case 1:
		var p payloadLine
		err := decode(line, &p)
		f.Payload = p.Job
		return err
	case 2 + wire.MaxApprovals:
		return fmt.Errorf("more than %d approvals", wire.MaxApprovals)
	}
	var a approvalLine
	if err := decode(line, &a); err != nil {
		return err
	}
	f.Approvals = append(f.Approvals, wire.Approval{Name: a.Approver, Signature: a.Signature})
	return nil
}

// decode reads one JSON object that has no fields but those of v.
func decode(line []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// Merge takes the approvals of another file of the same job.
func (f *File) Merge(other *File) error {
	if f.Payload != other.Payload || f.Head.Client != other.Head.Client ||
		!bytes.Equal(f.Head.Manifest, other.Head.Manifest) {
		return errors.New("it is of another job: approvals of one job only go together")
	}
	f.Approvals = append(f.Approvals, other.Approvals...)
	return nil
}

// Encode gives the content of the file.
func (f *File) Encode() []byte {
	text := append(encode(f.Head), encode(payloadLine{f.Payload})...)
	for _, a := range f.Approvals {
		text = append(text, Line(a)...)
	}
	return text
}

// Line is what to append to a file for an approval.
func Line(a wire.Approval) []byte { return encode(approvalLine{a.Name, a.Signature}) }

// encode writes texts and bytes as JSON, which never fails.
func encode(v any) []byte {
	line, err := json.Marshal(v)
	if err != nil {
		panic("jobfile: " + err.Error())
	}
	return append(line, '\n')
}
