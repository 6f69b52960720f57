package keyprovider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Reason is why a call to a device failed: what metrics count by, and what
// decides whether the call is repeated.
type Reason string

// Reasons. Every provider sorts its device's errors into these.
const (
	OK              Reason = "ok"
	Canceled        Reason = "canceled"         // the caller gave up
	Closed          Reason = "closed"           // after Close
	Denied          Reason = "denied"           // no permission for the action
	Credentials     Reason = "credentials"      // none found, expired, or refused
	PIN             Reason = "pin"              // missing, wrong or locked
	NotFound        Reason = "not_found"        // no such key or token
	Disabled        Reason = "disabled"         // the key was switched off
	PendingDeletion Reason = "pending_deletion" // the key is about to be deleted
	WrongKey        Reason = "wrong_key"        // another spec, usage, curve or public key
	CannotDerive    Reason = "cannot_derive"    // no derivation key
	Throttled       Reason = "throttled"        // too many calls
	Unavailable     Reason = "unavailable"      // not reached, pulled, or failing
	Timeout         Reason = "timeout"          // no answer in time
	BadAnswer       Reason = "bad_answer"       // no signature in it, cut short, or not verifying
	CircuitOpen     Reason = "circuit_open"     // not tried, after failures
	Other           Reason = "other"
)

// Reasons lists them all, in the order above.
var Reasons = []Reason{OK, Canceled, Closed, Denied, Credentials, PIN, NotFound, Disabled, PendingDeletion,
	WrongKey, CannotDerive, Throttled, Unavailable, Timeout, BadAnswer, CircuitOpen, Other}

// Temporary reports failures that may pass by themselves: only these are
// retried.
func (r Reason) Temporary() bool {
	return slices.Contains([]Reason{Throttled, Unavailable, Timeout, BadAnswer}, r)
}

// Refused reports failures by which somebody took the key away from the node. A
// node whose key is refused publishes nothing more, not even with the session
// key that its device vouched for before.
func (r Reason) Refused() bool {
	return slices.Contains([]Reason{Denied, PIN, NotFound, Disabled, PendingDeletion, WrongKey}, r)
}

// Error is a failed call, explained so that an operator can fix it.
type Error struct {
	Reason   Reason
	Provider string // aws-kms, pkcs11, software
	Action   string // what was asked, in the device's words: kms:Sign, C_Sign
	Key      string // as configured: ARN, alias, label
	Remedy   string // what to do; a command where there is one
	Err      error  // the cause; nil if there is no more to say
}

// Error returns "aws-kms: kms:Sign with alias/node-0: disabled: <remedy> (<cause>)".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Provider)
	if e.Action != "" {
		b.WriteString(": " + e.Action)
	}
	if e.Key != "" {
		b.WriteString(" with " + e.Key)
	}
	b.WriteString(": " + strings.ReplaceAll(string(e.Reason), "_", " "))
	if e.Remedy != "" {
		b.WriteString(": " + e.Remedy)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// RemedyOf returns what to do about an error of a provider; empty if it does not
// say.
func RemedyOf(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Remedy
	}
	return ""
}

// ReasonOf sorts any error of a provider: OK for nil.
func ReasonOf(err error) Reason {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Reason
	case errors.Is(err, ErrClosed):
		return Closed
	case errors.Is(err, ErrCannotDerive):
		return CannotDerive
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Other
}
