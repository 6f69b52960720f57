package client

import (
	"errors"
	"fmt"
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
	CodeKeygenFailed   Code = "keygen_failed"    // the nodes did not finish the keys in time
	CodeSigningFailed  Code = "signing_failed"   // fewer than t nodes signed in time
	// CodeRegisterIncomplete: the fleet's record of keys lacks one that a node holds. It
	// is being brought back: publish a new job later.
	CodeRegisterIncomplete Code = "register_incomplete"
	CodePoison             Code = "poison"   // it was delivered again and again, and never finished
	CodeInternal           Code = "internal" // a fault of the fleet: report it to its operators
)

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

// ItemsError says which items of a sign request the fleet refused. All others are signed,
// and the result that comes with this error has their signatures.
type ItemsError struct {
	Items []ItemError // in the request's order; at least one
	Of    int         // items in the request
}

// ItemError is why one item was refused.
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
func (e *ItemsError) Unwrap() error {
	first := e.Items[0]
	return &JobError{Job: first.Job, Code: first.Code, Message: first.Message, Gateway: first.Gateway}
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
