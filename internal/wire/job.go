package wire

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
)

// Kind is what a job asks for; it stands in the job's subject.
type Kind string

// The kinds of jobs.
const (
	KindKeygen Kind = "keygen"
	KindSign   Kind = "sign"
)

// Kinds are all kinds. Everything that lists them reads this table.
var Kinds = []Kind{KindKeygen, KindSign}

// Valid reports whether k is a known kind.
func (k Kind) Valid() bool { return slices.Contains(Kinds, k) }

// Limits of one job.
const (
	MaxJobKeys  = 5000
	MaxJobItems = 1000
	MaxJobLife  = time.Hour
)

// Headers of a job on the bus.
const (
	HeaderClient    = "Frost-Client"
	HeaderSignature = "Frost-Signature"
	HeaderGateway   = "Frost-Gateway" // on results
	HeaderJob       = "Frost-Job"     // on heads in KEYS: the job's id, for those who look; it proves nothing
)

// Job is a client's request, as it stands in the JSON payload
// (nats/schemas/job-keygen.json, job-sign.json).
type Job struct {
	ID      string    `json:"job"`
	Kind    Kind      `json:"kind"`
	Expires time.Time `json:"expires,omitzero"`
	// ApproveUntil and ExpiresAfter (seconds) stand in the place of Expires in a sign job
	// that waits for approvals.
	ApproveUntil time.Time `json:"approve_until,omitzero"`
	ExpiresAfter int       `json:"expires_after,omitempty"`
	// keygen
	Chain string `json:"chain,omitempty"`
	Count int    `json:"count,omitempty"`
	// sign: one of these
	Items             []JobItem `json:"items,omitempty"`
	PSBT              Base64    `json:"psbt,omitempty"`               // BIP 174, version 0
	SolanaTransaction Base64    `json:"solana_transaction,omitempty"` // legacy or version 0, signed or not
	BitcoinMessage    *string   `json:"bitcoin_message,omitempty"`    // BIP 322, simple
	SolanaMessage     *string   `json:"solana_message,omitempty"`     // off-chain message
	// sign, unless it has items
	Keys []SignKey `json:"keys,omitempty"` // of this client
	// sign, a psbt
	Partial  bool   `json:"partial,omitempty"`  // inputs that can't be signed are left; otherwise all or none
	Finalize bool   `json:"finalize,omitempty"` // finalise, and extract the transaction if all inputs are final
	Replaces string `json:"replaces,omitempty"` // a job, whose fee this one bumps
}

// JobItem is one message to sign.
type JobItem struct {
	Key string `json:"key"`
	// Path leads from the key to the child that signs, such as "0/17"; nil: the key
	// itself signs, for which there is no text.
	Path    *string  `json:"path,omitempty"`
	Message HexBytes `json:"message"`
	// ScriptRoot commits a Taproot key to a script tree (BIP 341); without it
	// the key is tweaked as BIP 86 says.
	ScriptRoot HexBytes `json:"script_root,omitempty"`
}

// SignedJob is a job as it came: what the client signed, and the signature.
type SignedJob struct {
	Client    string `cbor:"1,keyasint"`
	Kind      Kind   `cbor:"2,keyasint"`
	Payload   []byte `cbor:"3,keyasint"`
	Signature []byte `cbor:"4,keyasint"`
	// Approvals go beside the job, in the order of their bytes. Its signature and its
	// digest do not cover them; they cover its digest.
	Approvals []Approval `cbor:"5,keyasint,omitempty"`
	// Trace is the job's traceparent, for those who trace. It is signed by
	// nobody, goes beside the job and means nothing to the protocol.
	Trace string `cbor:"-"`
	// fault is why ReadJob did not take the headers.
	fault string
}

// JobSigningInput is what a client's Ed25519 key signs: a tag, the subject, the
// network, the manifest's hash and the payload, with line ends between (none but the
// payload has one). The manifest is part of it so that a job for one fleet is none for
// another of the same name, of which the client may have the same key.
func JobSigningInput(m *Manifest, kind Kind, client string, payload []byte) []byte {
	return signingInput("frostfleet/job/v2", m, JobSubject(kind, client), payload)
}

func signingInput(tag string, m *Manifest, subject string, payload []byte) []byte {
	head := fmt.Sprintf("%s\n%s\n%s\n%x\n", tag, FleetSubject(m.Fleet, subject), m.Network, m.FleetID())
	return append([]byte(head), payload...)
}

// SignJob signs a payload for the two headers of a job.
func SignJob(key ed25519.PrivateKey, m *Manifest, kind Kind, client string, payload []byte) SignedJob {
	return SignedJob{Client: client, Kind: kind, Payload: payload,
		Signature: ed25519.Sign(key, JobSigningInput(m, kind, client, payload))}
}

// Digest is the job's identity: fleet, network, kind, client and payload.
func (j SignedJob) Digest(m *Manifest) [32]byte {
	id := m.FleetID()
	return frost.Hash("frostfleet/job/v2", id[:], []byte(m.Fleet), []byte(m.Network), []byte(j.Kind), []byte(j.Client),
		j.Payload)
}

// Authenticate checks who signed the job and may ask for its kind.
func (j SignedJob) Authenticate(m *Manifest, a *Access) *JobError {
	client, ok := a.clients[j.Client]
	if !ok {
		return Refuse(CodeUnknownClient, "no client %.64q in the access list", j.Client)
	}
	if j.fault != "" {
		return Refuse(CodeBadSignature, "%s", j.fault)
	}
	if !client.keys.verify(JobSigningInput(m, j.Kind, j.Client, j.Payload), j.Signature) {
		return Refuse(CodeBadSignature, "the %s header is not this client's Ed25519 signature over tag, subject, "+
			"network, manifest and payload", HeaderSignature)
	}
	if !client.allows(j.Kind) {
		return Refuse(CodeKindNotAllowed, "client %s may not publish %s jobs", j.Client, j.Kind)
	}
	return nil
}

// Parse reads and checks the payload: shape, sizes, and its expiry against
// when the bus stored it.
func (j SignedJob) Parse(stored time.Time) (*Job, *JobError) {
	if len(j.Payload) > MaxJobSize {
		return nil, Refuse(CodeTooLarge, "payload of %d bytes is over the limit of %d", len(j.Payload), MaxJobSize)
	}
	var job Job
	switch err := strictJSON(j.Payload, &job); {
	case errors.Is(err, errLongList):
		return nil, Refuse(CodeTooLarge, "more than %d items: a job has at most so many, publish several", MaxJobItems)
	case err != nil:
		return nil, Refuse(CodeMalformedJob, "payload is not a job: %.200v", err)
	}
	if !IsJobID(job.ID) {
		return nil, Refuse(CodeMalformedJob, "job %.64q is not a UUID, such as 0198c0de-7a10-7cc3-98c4-dc0c0c07398f", job.ID)
	}
	if job.Kind != j.Kind {
		return nil, Refuse(CodeMalformedJob, "kind %.64q in a payload published to job.%s", string(job.Kind), j.Kind)
	}
	if err := job.checkLife(stored); err != nil {
		return nil, err
	}
	var err *JobError
	switch job.Kind {
	case KindKeygen:
		err = job.checkKeygen()
	case KindSign:
		err = job.checkSign()
	default:
		err = Refuse(CodeMalformedJob, "kind %.64q is unknown: use %s", string(job.Kind), Or(Kinds))
	}
	if err != nil {
		return nil, err
	}
	return &job, nil
}

func (job *Job) checkKeygen() *JobError {
	switch _, known := ChainSuite(job.Chain); {
	case len(job.forms()) > 0:
		return Refuse(CodeMalformedJob, "%s in a keygen job", job.forms()[0])
	case job.Keys != nil || job.Partial || job.Finalize || job.Replaces != "":
		return Refuse(CodeMalformedJob, "keys, partial, finalize or replaces in a keygen job")
	case !known:
		return Refuse(CodeUnknownChain, "chain %.64q: use %s", job.Chain, Or(ChainNames()))
	case job.Count < 1:
		return Refuse(CodeEmptyBatch, "count is %d: ask for at least one key", job.Count)
	case job.Count > MaxJobKeys:
		return Refuse(CodeTooLarge, "count is %d: a job has at most %d keys, publish several", job.Count, MaxJobKeys)
	}
	return nil
}

func (job *Job) checkSign() *JobError {
	switch forms := job.forms(); {
	case job.Chain != "" || job.Count != 0:
		return Refuse(CodeMalformedJob, "chain or count in a sign job")
	case len(forms) > 1:
		return Refuse(CodeMalformedJob, "%s in one job: publish a job for each", strings.Join(forms, " and "))
	case len(forms) == 1 && forms[0] != "items":
		return job.checkRequest()
	case job.Keys != nil || job.Partial || job.Finalize || job.Replaces != "":
		return Refuse(CodeMalformedJob, "keys, partial, finalize or replaces in a job of items")
	case len(job.Items) == 0:
		return Refuse(CodeEmptyBatch, "items is empty: ask for at least one signature")
	}
	return nil
}

// ShortKey is an item's key as results name it: what is no id may be of any length.
func ShortKey(key string) string { return fmt.Sprintf("%.64s", key) }

// Check refuses an item that is wrong whatever its key is. The items of a job are
// judged one by one.
func (it JobItem) Check() *JobError {
	if _, err := ParseKeyID(it.Key); err != nil {
		return Refuse(CodeUnknownKey, "%v", err)
	}
	if n := len(it.ScriptRoot); n != 0 && n != 32 {
		return Refuse(CodeBadTweak, "script_root of %d bytes, want 32", n)
	}
	if it.Path != nil {
		if _, err := derive.ParsePath(*it.Path); err != nil {
			return Refuse(CodeBadPath, "path %.100q: %v", *it.Path, err)
		}
	}
	return nil
}

// Suite is the suite of the keys that a keygen job asks for.
func (job *Job) Suite() frost.Suite {
	suite, _ := ChainSuite(job.Chain)
	return suite
}

// Tweak is the item's tweak under a suite.
func (it JobItem) Tweak(s frost.Suite) frost.Tweak {
	switch {
	case s != frost.Secp256k1TR && len(it.ScriptRoot) == 0:
		return frost.Tweak{Mode: frost.TweakNone}
	case len(it.ScriptRoot) == 32:
		return frost.Tweak{Mode: frost.TweakScriptRoot, Root: [32]byte(it.ScriptRoot)}
	}
	return frost.Tweak{Mode: frost.TweakBIP86}
}

// Parts is how many batches a keygen job of this suite is cut into, and Part
// says how many keys part i has.
func (job *Job) Parts(m *Manifest) int {
	if job.Kind != KindKeygen {
		return 1
	}
	size := BatchSize(job.Suite(), m.N, m.T)
	return (job.Count + size - 1) / size
}

// PartHeader is the batch of one part and attempt.
func (job *Job) PartHeader(m *Manifest, client string, digest [32]byte, part, attempt int) BatchHeader {
	suite := job.Suite()
	size := BatchSize(suite, m.N, m.T)
	return BatchHeader{
		Client: client, Digest: digest, Part: uint32(part), Attempt: uint32(attempt),
		Suite: uint8(suite), K: uint32(min(size, job.Count-part*size)),
	}
}

// SignatureHeader is the value of the Frost-Signature header.
func (j SignedJob) SignatureHeader() string { return hex.EncodeToString(j.Signature) }
