package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Code is the stable name of a reason, for programs. docs/jobs.md says what to
// do about each.
type Code string

// Why the fleet refused or gave up a job.
const (
	CodeUnknownClient  Code = "unknown_client"   // the access list has no such client
	CodeBadSignature   Code = "bad_signature"    // not made with the client's key over this payload
	CodeKindNotAllowed Code = "kind_not_allowed" // the access list does not allow this client such jobs
	CodeMalformedJob   Code = "malformed_job"    // the payload can't be read, or a field is wrong
	CodeTooLarge       Code = "too_large"        // more than MaxJobKeys or MaxJobItems, or over 1 MiB
	CodeEmptyBatch     Code = "empty_batch"      // it asks for nothing
	CodeExpired        Code = "expired"          // Expires had passed before the job was done
	CodeExpiryTooFar   Code = "expiry_too_far"   // it expires more than an hour ahead
	CodeJobIDReused    Code = "job_id_reused"    // another job has this id
	CodeUnknownChain   Code = "unknown_chain"    // neither bitcoin nor solana
	CodeUnknownKey     Code = "unknown_key"      // the fleet has no such key
	CodeNotOwner       Code = "not_owner"        // the key belongs to another client
	CodeBadMessage     Code = "bad_message"      // the message's length is wrong for the key
	CodeBadTweak       Code = "bad_tweak"        // the script root does not fit the key
	CodeBadPath        Code = "bad_path"         // the path leads to no child of the key
	CodeKeygenFailed   Code = "keygen_failed"    // the nodes did not finish the keys in time
	CodeSigningFailed  Code = "signing_failed"   // fewer than t nodes signed in time
	// CodeRegisterIncomplete: the fleet's record of keys lacks one that a node holds. It
	// is being brought back: publish a new job later.
	CodeRegisterIncomplete Code = "register_incomplete"
	// CodeFrozen: an administrator stopped the client, a key or the fleet. Ask the fleet's
	// administrators, and publish a new job once that is lifted.
	CodeFrozen   Code = "frozen"
	CodePoison   Code = "poison"   // it was delivered again and again, and never finished
	CodeInternal Code = "internal" // a fault of the fleet: report it to its operators
)

// Why the fleet refused a PSBT, a transaction or a message, which every node reads for
// itself, beside CodeBadMessage.
const (
	CodeBadPSBT        Code = "bad_psbt"        // not a PSBT of version 0 that can be read
	CodeBadTransaction Code = "bad_transaction" // not a Solana transaction that can be read
	CodeNoInput        Code = "no_input"        // nothing in it is for the keys to sign that the job names
	CodeMissingAmount  Code = "missing_amount"  // an input without the output that it spends
	CodeBadInput       Code = "bad_input"       // an input of these keys that can't be signed as it asks
	CodeNotUnderstood  Code = "not_understood"  // something that nobody can account for
)

// What the policies of nodes say, see [DeniedError].
const (
	CodePolicyDenied     Code = "policy_denied"     // a rule forbids it
	CodeApprovalRequired Code = "approval_required" // a rule wants approvals, or more of them
)

// CodeTooManyPending: as many jobs of this client wait for approvals as may. Publish it
// later.
const CodeTooManyPending Code = "too_many_pending"

// Why an [Account] has no such address, key or descriptor, beside CodeBadPath: a path that
// is hardened, too deep, out of range or none. docs/wallets.md explains them.
const (
	CodeBadCount      Code = "bad_count"       // fewer than one, or more than there are from that index on
	CodeInvalidChild  Code = "invalid_child"   // the hash at this index gives no key: take another index
	CodeNoExtendedKey Code = "no_extended_key" // extended keys and descriptors are of bitcoin keys
	CodeBadDescriptor Code = "bad_descriptor"  // not one of the form that a fleet's keys have, or a wrong checksum
	CodeOtherNetwork  Code = "other_network"   // a descriptor of another network than the manifest's
	CodeUnprovenKey   Code = "unproven_key"    // a Key that came neither from Keygen nor from Proof.Verify
)

// AccountError is the answer to a question that an [Account] can't be asked.
type AccountError struct {
	Code    Code
	Message string
}

func (e *AccountError) Error() string { return string(e.Code) + ": " + e.Message }

// Errors that callers decide on.
var (
	// ErrNoAnswer: the job expired and no gateway answered it. Ask the operators
	// whether one runs.
	ErrNoAnswer = errors.New("no gateway answered before the job expired")
	// ErrNoStream: nothing stores jobs under this subject, and nothing has since this
	// client was made. Later it is a BusyError: servers that elect a leader look so.
	ErrNoStream = natsconn.ErrNoStream
	// ErrDenied: this connection lacks a permission. Trying again is
	// useless until that changes.
	ErrDenied = natsconn.ErrDenied
	// ErrNoResult: the fleet has no result of this job now: it is in progress, or was never
	// published, or ended more than 24 hours ago.
	ErrNoResult = errors.New("no result is stored: the job is in progress, was never published, " +
		"or ended more than 24 hours ago")
	// ErrDisagreement: the project's own code and a library judge a signature or a key
	// differently. One of them is wrong, and nobody can say which: use nothing of the result,
	// and report it to the project and the operators. It is no [*ProofError], for the fleet may
	// be right.
	ErrDisagreement = errors.New("two implementations disagree: use nothing of this result, and report it")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("client is closed")
)

// JobError is the fleet's answer to a job that it refused or gave up. A sign job
// that was given up may still have been signed: repeat the same transaction, and
// build another for the same payment only if it spends an input of the first. A job
// that can't be right is refused by this package in the same words, before it
// is published; Gateway is empty then.
type JobError struct {
	Job     string // id
	Code    Code
	Message string
	Gateway string
}

func (e *JobError) Error() string {
	who := "refused before publishing"
	if e.Gateway != "" {
		who = "answered by gateway " + e.Gateway
	}
	return fmt.Sprintf("job %s: %s: %s (%s)", e.Job, e.Code, e.Message, who)
}

// DeniedError is the answer to a job that the policies of nodes don't allow: more of them
// than can be done without. Message names the rule. It is a *JobError, too. After
// CodeApprovalRequired make the job anew, and have it approved before it is published
// ([SignJob.Approve]): the fleet answers one job once.
type DeniedError struct{ JobError }

func (e *DeniedError) Error() string { return "denied: " + e.JobError.Error() }

func (e *DeniedError) Unwrap() error { return &e.JobError }

// ItemsError says which items of a sign request the fleet refused. All others are signed,
// and the result that comes with this error has their signatures.
type ItemsError struct {
	Items []ItemError // in the request's order; at least one
	Of    int         // items in the request
}

// ItemError is why one item was refused, as its gateway says: the item may have been signed
// all the same, as after any failure. Repeat the same message in a new job; docs/jobs.md says
// what else is safe.
type ItemError struct {
	Item    int    // its place in the request's Items
	Key     string // id
	Job     string // id
	Code    Code
	Message string
	Gateway string
}

func (e *ItemsError) Error() string {
	first := e.Items[0]
	return fmt.Sprintf("%d of %d items refused: item %d, key %s: %s: %s (job %s, answered by gateway %s)", len(e.Items), e.Of,
		first.Item, first.Key, first.Code, first.Message, first.Job, first.Gateway)
}

// Unwrap is the fleet's answer for the first of them.
func (e *ItemsError) Unwrap() error { return e.of(e.Items[0].Item) }

// of is the fleet's answer for one item; nil if that is signed.
func (e *ItemsError) of(item int) error {
	for _, it := range e.Items {
		if it.Item == item {
			return &JobError{Job: it.Job, Code: it.Code, Message: it.Message, Gateway: it.Gateway}
		}
	}
	return nil
}

// BusyError says that the fleet has no room for another job of this client
// now. Nothing was stored.
type BusyError struct {
	RetryAfter time.Duration // a hint
	Reason     string        // the server's words, if it said anything
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("busy: %s; try again in %v", e.Reason, e.RetryAfter)
}

// UnfinishedError says how far Keygen or Sign came until the time was over, the caller
// stopped waiting, or a job got no answer. What is done is in the result beside it. Open
// names the jobs that were published and have no answer: the fleet may still do them.
// Keygen goes on with them, see KeygenRequest.Resume.
type UnfinishedError struct {
	Done, Total int
	What        string   // keys or signatures
	Open        []string // ids of jobs, MaxInFlight at most
	Err         error    // why: ctx.Err(), ErrNoAnswer, ErrClosed, a *BusyError
}

func (e *UnfinishedError) Error() string {
	text := fmt.Sprintf("%d of %d %s are done", e.Done, e.Total, e.What)
	if len(e.Open) > 0 {
		text += ", no answer yet to job " + strings.Join(e.Open, ", ")
	}
	return text + ": " + e.Err.Error()
}

func (e *UnfinishedError) Unwrap() error { return e.Err }

// howFar fills in what doAll can't know.
func howFar(err error, done, total int, what string) error {
	if e, ok := errors.AsType[*UnfinishedError](err); ok {
		e.Done, e.Total, e.What = done, total, what
	}
	return err
}

// ProofError says that a gateway signed a result which does not prove what it
// claims. Use nothing of it, and report it to the operators.
type ProofError struct {
	Job     string // id; empty if the result names none
	Gateway string // empty if the result came from a file
	Err     error
}

func (e *ProofError) Error() string {
	what := "the result"
	if e.Job != "" {
		what = "job " + e.Job + ": " + what
	}
	if e.Gateway != "" {
		what += " by gateway " + e.Gateway
	}
	return fmt.Sprintf("%s does not prove what it claims, do not use it: %v", what, e.Err)
}

func (e *ProofError) Unwrap() error { return e.Err }

// unproven is what is wrong with an answer that does not pass a check.
func unproven(job, gateway string, err error) error {
	if errors.Is(err, ErrDisagreement) {
		return fmt.Errorf("job %s, answered by gateway %s: %w", job, gateway, err)
	}
	return &ProofError{Job: job, Gateway: gateway, Err: err}
}
