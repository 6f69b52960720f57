package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/jobfile"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// savedJob is a sign job that frostctl saved: lines of a head, the payload, and approvals.
type savedJob struct {
	signed    wire.SignedJob
	job       *wire.Job
	approvals []wire.Approval
}

const (
	maxKeysLine = 16 << 20 // of a keys file: the proof of the largest keygen job
)

func readSavedJob(path string, m *wire.Manifest) (*savedJob, error) {
	data, err := secret.File{What: "job", Path: path, Max: jobfile.MaxSize, Public: true}.Text()
	if err != nil {
		return nil, err
	}
	job, err := parseSavedJob(data.Expose(), m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return job, nil
}

var errSavedJob = errors.New("its job can't be read")

func parseSavedJob(data []byte, m *wire.Manifest) (*savedJob, error) {
	f, err := jobfile.Parse(data)
	if err == nil {
		err = f.Head.Fits(m.Fleet, m.Network, m.FleetID())
	}
	if err != nil {
		return nil, err
	}
	s := &savedJob{
		signed:    wire.SignedJob{Client: f.Head.Client, Kind: wire.KindSign, Payload: []byte(f.Payload)},
		approvals: f.Approvals,
	}
	var of struct {
		Expires      time.Time `json:"expires"`
		ApproveUntil time.Time `json:"approve_until"`
	}
	if json.Unmarshal(s.signed.Payload, &of) != nil {
		return nil, errSavedJob
	}
	if of.Expires.IsZero() {
		of.Expires = of.ApproveUntil
	}
	// One that expired is explained as well.
	job, refusal := s.signed.Parse(of.Expires.Add(-time.Second))
	if refusal != nil {
		return nil, refusal
	}
	s.job = job
	return s, nil
}

// ownedKey is a key, and the client that may sign with it.
type ownedKey struct {
	derive.Key
	owner string
}

// provenKeys are those keys of a keys file that are wanted.
func provenKeys(path, manifest string, wanted []string) (map[string]ownedKey, error) {
	m, err := client.LoadManifest(manifest)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--keys: %w", err)
	}
	defer f.Close()
	found := map[string]ownedKey{}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), maxKeysLine)
	for n := 1; lines.Scan(); n++ {
		if err := takeKeys(lines.Bytes(), m, wanted, found); err != nil {
			return nil, fmt.Errorf("--keys %s: line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--keys %s: %w", path, err)
	}
	return found, nil
}

// takeKeys verifies a line if it has one of the keys: a file may have a million.
func takeKeys(line []byte, m *client.Manifest, wanted []string, found map[string]ownedKey) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	var p client.Proof
	var claimed struct {
		Keys []wire.Key `json:"keys"`
	}
	if json.Unmarshal(line, &p) != nil || json.Unmarshal(p.Result, &claimed) != nil {
		return errors.New("no line of frostctl keygen")
	}
	if !slices.ContainsFunc(claimed.Keys, func(k wire.Key) bool { return slices.Contains(wanted, k.ID) }) {
		return nil
	}
	keys, err := p.Verify(m)
	for _, k := range keys {
		suite, _ := wire.ChainSuite(k.Chain)
		found[k.ID] = ownedKey{
			derive.Key{Suite: suite, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}, p.Client,
		}
	}
	return err
}

// ask reads the job as nodes do.
func (s *savedJob) ask(m *wire.Manifest, keys map[string]ownedKey) (*policy.Ask, error) {
	ask := &policy.Ask{
		Client: s.signed.Client, Job: s.job.ID, Digest: s.signed.Digest(m), Replaces: s.job.Replaces,
	}
	for _, id := range s.job.KeyNames() {
		switch k, ok := keys[id]; {
		case !ok:
			return nil, fmt.Errorf("key %s is not in the keys file: name the one that has it (--keys)", id)
		case k.owner != s.signed.Client:
			return nil, fmt.Errorf("key %s belongs to another client than %s", id, s.signed.Client)
		}
	}
	kind, content := s.job.Request()
	if kind == intent.Raw {
		ask.Intent, ask.Roots = s.job.RawIntent()
		return ask, nil
	}
	for _, k := range s.job.Keys {
		root := intent.Root{ID: k.Key, Key: keys[k.Key].Key}
		if k.Path != nil {
			path, err := derive.ParsePath(*k.Path)
			if err != nil {
				return nil, err
			}
			root.Path = path
		}
		ask.Roots = append(ask.Roots, root)
	}
	request := tx.Request{Kind: kind, Bytes: content, Roots: ask.Roots, Partial: s.job.Partial}
	reading, refusal := tx.Read(request, m.Network, derive.NewCache(len(ask.Roots)))
	if refusal != nil {
		return nil, refusal
	}
	ask.Intent = reading.Intent()
	return ask, nil
}

// approvers are those whose approvals count now, as nodes count them. A client's key approves
// nothing.
func (s *savedJob) approvers(m *wire.Manifest, access *wire.Access, p *policy.Policy, ask *policy.Ask) []string {
	keys := p.ApproversOf(ask.Client, ask.Roots)
	maps.DeleteFunc(keys, func(_ string, key ed25519.PublicKey) bool { return access.IsClient(ask.Client, key) })
	names, _ := s.job.Approved(s.approvals, keys, m, ask.Digest, ask.Now)
	return names
}
