package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost"
)

// Result is what a client gets for a job: plain JSON, signed by the gateway
// in two headers (nats/schemas/result.json).
type Result struct {
	Job      string   `json:"job"`
	Client   string   `json:"client"`
	Kind     Kind     `json:"kind"`
	Digest   HexBytes `json:"digest"`               // of the job that this answers
	Rejected HexBytes `json:"rejected,omitempty"`   // the signature of a job that was turned away; 00: it had none
	Status   Status   `json:"status"`               // done, partial or failed
	Code     Code     `json:"code,omitempty"`       // not done: why, for programs
	Error    string   `json:"error,omitempty"`      // not done: why, for people
	Fleet    string   `json:"fleet"`                //
	Network  string   `json:"network"`              //
	Manifest HexBytes `json:"manifest"`             // hash of the core manifest
	Attempts int      `json:"attempts,omitempty"`   // of the part that took most
	Chain    string   `json:"chain,omitempty"`      // keygen
	Suite    string   `json:"suite,omitempty"`      //
	Keys     []Key    `json:"keys,omitempty"`       // keygen
	Batches  []Batch  `json:"batches,omitempty"`    // keygen: what proves the keys
	Sigs     []Signed `json:"signatures,omitempty"` // sign, in the job's order
}

// Status is how a job ended.
type Status string

// The ways for a job to end.
const (
	StatusDone    Status = "done"
	StatusPartial Status = "partial" // sign: some items are signed, and the others refused
	StatusFailed  Status = "failed"
)

// Key is one generated key.
type Key struct {
	ID        string   `json:"id"`
	PublicKey HexBytes `json:"public_key"`
	Address   string   `json:"address"`
}

// Batch proves keys: all n nodes certified the root over them.
type Batch struct {
	ID           string     `json:"batch"`
	Part         uint32     `json:"part"`
	Attempt      uint32     `json:"attempt"`
	Count        uint32     `json:"count"`
	Certificates []HexBytes `json:"certificates"` // CBOR, by node
}

// Signed is one signature, or why an item has none.
type Signed struct {
	Key       string   `json:"key"`
	PublicKey HexBytes `json:"public_key,omitempty"` // that verifies: x-only output key (BIP 341), or Ed25519
	Signature HexBytes `json:"signature,omitempty"`
	Code      Code     `json:"code,omitempty"`  // refused: why, for programs
	Error     string   `json:"error,omitempty"` // refused: why, for people
}

// Amount is how many keys or signatures a result has.
func (r *Result) Amount() int {
	n := len(r.Keys)
	for _, s := range r.Sigs {
		if s.Code == "" {
			n++
		}
	}
	return n
}

// ResultSigningInput is what a gateway signs: tag, result subject, network, manifest
// and payload, as JobSigningInput has them.
func ResultSigningInput(m *Manifest, client, job string, payload []byte) []byte {
	return signingInput("frostfleet/result/v2", m, ResultSubject(client, job), payload)
}

// MaxLetterPayload is how much of a payload a dead letter has, unless the job may
// have ended a gateway.
const MaxLetterPayload = 4 << 10

// DeadLetter says why a job was given up, with what it was: of a large payload the
// beginning, its size and its SHA-256.
type DeadLetter struct {
	Job     string `json:"job,omitempty"`
	Client  string `json:"client"`
	Kind    Kind   `json:"kind"`
	Code    Code   `json:"code"`
	Error   string `json:"error"`
	Payload []byte `json:"payload"`                  // base64
	Size    int    `json:"payload_size,omitempty"`   // only where Payload is cut
	SHA256  string `json:"payload_sha256,omitempty"` // hexadecimal
}

// Cut shortens a payload that is too large for a letter.
func (d *DeadLetter) Cut() {
	if len(d.Payload) <= MaxLetterPayload {
		return
	}
	sum := sha256.Sum256(d.Payload)
	d.Size, d.SHA256 = len(d.Payload), hex.EncodeToString(sum[:])
	d.Payload = d.Payload[:MaxLetterPayload]
}

// Encode gives the letter's JSON.
func (d *DeadLetter) Encode() []byte { return must(json.Marshal(d)) }

// Encode gives the result's JSON.
func (r *Result) Encode() []byte { return must(json.Marshal(r)) }

// VerifyResult checks that one of the fleet's gateways signed a result.
func (a *Access) VerifyResult(m *Manifest, gateway, client, job string, payload, signature []byte) error {
	key, err := a.gateway(gateway)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if !key.verify(ResultSigningInput(m, client, job, payload), signature) {
		return fmt.Errorf("result's signature does not verify under gateway %s's key", gateway)
	}
	return nil
}

// VerifyKeys checks that every key of a keygen result was certified by all n
// nodes for this very job. It trusts the manifest and nothing else. It does
// not look at the addresses: who sends money derives them from the keys.
func VerifyKeys(m *Manifest, job SignedJob, r *Result) error {
	var want Job
	if err := json.Unmarshal(job.Payload, &want); err != nil {
		return fmt.Errorf("job: %w", err)
	}
	suite, ok := ChainSuite(want.Chain)
	if !ok || want.Count < 1 || want.Count > MaxJobKeys || want.Kind != KindKeygen || job.Kind != KindKeygen {
		return fmt.Errorf("job asks for %d keys on chain %.64q", want.Count, want.Chain)
	}
	mh, digest := m.Hash(), job.Digest(m)
	switch {
	case r.Job != want.ID || r.Client != job.Client || r.Kind != KindKeygen || !bytes.Equal(r.Digest, digest[:]):
		return errors.New("result answers another job")
	case r.Status != StatusDone || r.Chain != want.Chain || r.Suite != suite.String():
		return errors.New("result is not one of keys on this chain")
	case r.Fleet != m.Fleet || r.Network != m.Network || !bytes.Equal(r.Manifest, mh[:]):
		return errors.New("result is of another fleet")
	}
	if len(r.Keys) != want.Count || len(r.Batches) != want.Parts(m) {
		return fmt.Errorf("result has %d keys in %d batches, the job asked for %d in %d", len(r.Keys), len(r.Batches), want.Count, want.Parts(m))
	}
	keys := r.Keys
	for part, b := range r.Batches {
		h := want.PartHeader(m, job.Client, job.Digest(m), part, int(b.Attempt))
		if err := verifyBatch(m, h, suite, b, keys[:h.K]); err != nil {
			return fmt.Errorf("batch %d: %w", part, err)
		}
		keys = keys[h.K:]
	}
	return nil
}

func verifyBatch(m *Manifest, h BatchHeader, suite frost.Suite, b Batch, keys []Key) error {
	ctx := h.Context(m)
	if b.ID != ShortID(ctx) || b.Part != h.Part || b.Count != h.K {
		return fmt.Errorf("id %.64q is not this job's", b.ID)
	}
	publicKeys := make([][]byte, len(keys))
	for i, k := range keys {
		if k.ID != (KeyID{b.ID, i}).String() || len(k.PublicKey) != suite.PublicKeySize() {
			return fmt.Errorf("key %d has id %.64q or a public key of the wrong length", i, k.ID)
		}
		publicKeys[i] = k.PublicKey
	}
	if len(b.Certificates) != m.N {
		return fmt.Errorf("%d certificates, want one of each of %d nodes", len(b.Certificates), m.N)
	}
	var root [32]byte
	var first *Certificate
	for i, raw := range b.Certificates {
		cert, err := DecodeCertificate(raw, m, i)
		if err != nil {
			return fmt.Errorf("certificate of node %d: %w", i, err)
		}
		if first == nil { // the chain codes, and so the root, follow from the transcript
			first, root = cert, KeyRoot(EntryKeys(publicKeys, h.Client, cert.Transcript))
		}
		if cert.Context != ctx || cert.Root != root || !cert.Agrees(first) {
			return fmt.Errorf("node %d certified other keys", i)
		}
	}
	return nil
}
