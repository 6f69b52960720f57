package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Code is the stable name of a reason, for programs. docs/jobs.md says of each
// what to do.
type Code = wire.Code

// Why the fleet refused or gave up a job.
const (
	CodeUnknownClient  = wire.CodeUnknownClient
	CodeBadSignature   = wire.CodeBadSignature
	CodeKindNotAllowed = wire.CodeKindNotAllowed
	CodeMalformedJob   = wire.CodeMalformedJob
	CodeTooLarge       = wire.CodeTooLarge
	CodeEmptyBatch     = wire.CodeEmptyBatch
	CodeExpired        = wire.CodeExpired
	CodeExpiryTooFar   = wire.CodeExpiryTooFar
	CodeJobIDReused    = wire.CodeJobIDReused
	CodeUnknownChain   = wire.CodeUnknownChain
	CodeUnknownKey     = wire.CodeUnknownKey
	CodeNotOwner       = wire.CodeNotOwner
	CodeBadMessage     = wire.CodeBadMessage
	CodeBadTweak       = wire.CodeBadTweak
	CodeKeygenFailed   = wire.CodeKeygenFailed
	CodeSigningFailed  = wire.CodeSigningFailed
	CodePoison         = wire.CodePoison
	CodeInternal       = wire.CodeInternal
)

// Errors that callers decide on.
var (
	// ErrNoAnswer: the job's time is over and nobody answered. Whether a gateway
	// runs at all is a question to the operators.
	ErrNoAnswer = errors.New("no gateway answered before the job expired")
	// ErrNoStream: nothing stores jobs under this subject.
	ErrNoStream = natsconn.ErrNoStream
	// ErrDenied: this connection lacks a permission. Trying again is useless until that changes.
	ErrDenied = natsconn.ErrDenied
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("client is closed")
)

// JobError is the fleet's answer to a job that it refused or gave up. A job
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

// BusyError says that the fleet has no room for another job of this client
// now. Nothing was stored.
type BusyError struct {
	RetryAfter time.Duration // a hint
	Reason     string        // the server's words
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("busy: %s; try again in %v", e.Reason, e.RetryAfter)
}

// ProofError says that a gateway signed a result which does not prove what it
// says. Use nothing of it, and tell the operators.
type ProofError struct {
	Job     string
	Gateway string // empty if the result came from a file
	Err     error
}

func (e *ProofError) Error() string {
	by := ""
	if e.Gateway != "" {
		by = " by gateway " + e.Gateway
	}
	return fmt.Sprintf("job %s: the result%s does not prove what it says, do not use it: %v", e.Job, by, e.Err)
}

func (e *ProofError) Unwrap() error { return e.Err }
