package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// A file of one sign job has what it takes to show, approve and publish the job, one JSON
// object a line: a head, the job's payload, and then approvals, which are appended. Files of
// one job that were approved apart are published together.

// signHead is the first line: for whom the job is.
type signHead struct {
	Version  int           `json:"version"`
	Kind     wire.Kind     `json:"kind"` // sign
	Fleet    string        `json:"fleet"`
	Network  string        `json:"network"`
	Manifest wire.HexBytes `json:"manifest"` // hash
	Client   string        `json:"client"`
}

// approvalLine is any line after the second.
type approvalLine struct {
	Approver  string        `json:"approver"`
	Signature wire.HexBytes `json:"signature"`
	Time      int64         `json:"time"` // Unix seconds
}

// signFile is such a file, read.
type signFile struct {
	head      signHead
	payload   string
	approvals []client.Approval
}

// maxSignFile bounds the file, in bytes.
const maxSignFile = 4 * wire.MaxJobSize

func newSignHead(m *client.Manifest, name string) signHead {
	hash := m.Hash()
	return signHead{Version: jobsVersion, Kind: wire.KindSign, Fleet: m.Fleet, Network: m.Network, Manifest: hash[:],
		Client: name}
}

// fits refuses a job for another fleet than that of a manifest.
func (h *signHead) fits(m *client.Manifest) error {
	hash := m.Hash()
	if h.Fleet != m.Fleet || h.Network != m.Network || !bytes.Equal(h.Manifest, hash[:]) {
		return fmt.Errorf("the job is for fleet %.64q on %.64q with manifest %.64x, and the manifest here is of %s on %s with "+
			"hash %x", h.Fleet, h.Network, []byte(h.Manifest), m.Fleet, m.Network, hash)
	}
	return nil
}

// createSignFile saves a job before it is published.
func createSignFile(path string, m *client.Manifest, name string, job *client.SignJob) error {
	var text bytes.Buffer
	err := errors.Join(printJSON(&text, newSignHead(m, name)), printJSON(&text, savedLine{job.Payload}))
	if err == nil {
		err = secret.Create(path, text.Bytes())
	}
	if err != nil {
		return fmt.Errorf("--job: %w", err)
	}
	return nil
}

func readSignFile(path string) (*signFile, error) {
	data, err := readFile(path, maxSignFile)
	var f *signFile
	if err == nil {
		f, err = parseSignFile(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

var errNoSignFile = errors.New("not a file of a sign job: frostctl sign psbt FILE --job FILE writes one")

func parseSignFile(data []byte) (*signFile, error) {
	text, whole := bytes.CutSuffix(data, []byte("\n"))
	lines := bytes.Split(text, []byte("\n"))
	if !whole || len(lines) < 2 {
		return nil, errNoSignFile
	}
	var f signFile
	for i, line := range lines {
		if err := f.line(i, line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return &f, nil
}

func (f *signFile) line(i int, line []byte) error {
	switch i {
	case 0:
		if err := decodeStrict(line, &f.head); err != nil {
			return fmt.Errorf("%w: %w", errNoSignFile, err)
		}
		if f.head.Kind != wire.KindSign {
			return fmt.Errorf("%w: it is of kind %.64q", errNoSignFile, string(f.head.Kind))
		}
		if f.head.Version != jobsVersion {
			return fmt.Errorf("version %d: this frostctl reads version %d", f.head.Version, jobsVersion)
		}
		if !wire.IsToken(f.head.Client) {
			return fmt.Errorf("%.64q is not the name of a client", f.head.Client)
		}
		return nil
	case 1:
		var saved savedLine
		if err := decodeStrict(line, &saved); err != nil {
			return err
		}
		f.payload = saved.Job
		return nil
	}
	var a approvalLine
	if err := decodeStrict(line, &a); err != nil {
		return err
	}
	if len(f.approvals) == wire.MaxApprovals {
		return fmt.Errorf("more than %d approvals", wire.MaxApprovals)
	}
	f.approvals = append(f.approvals, client.Approval{Name: a.Approver, Signature: a.Signature, Time: a.Time})
	return nil
}

// job reads the job, with keys that it names.
func (f *signFile) job(m *client.Manifest, keys []client.Key) (*client.SignJob, error) {
	job, err := client.ParseSignJob(m, f.payload, keys)
	if err != nil {
		return nil, err
	}
	return job, job.AddApprovals(f.approvals...)
}

// merge takes the approvals of another file of the same job.
func (f *signFile) merge(other *signFile) error {
	if f.payload != other.payload || f.head.Client != other.head.Client ||
		!bytes.Equal(f.head.Manifest, other.head.Manifest) {
		return errors.New("it is of another job: approvals of one job only go together")
	}
	f.approvals = append(f.approvals, other.approvals...)
	return nil
}

// appendApproval writes an approval at a file's end. It is on the disk when this returns.
func appendApproval(path string, a client.Approval) error {
	var line bytes.Buffer
	if err := printJSON(&line, approvalLine{a.Name, a.Signature, a.Time}); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(line.Bytes())
	return errors.Join(err, file.Sync(), file.Close())
}
