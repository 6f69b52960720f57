package wire

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

// Code is the stable name of a reason, for programs; the sentence beside it
// is for people. Codes never change their meaning.
type Code string

// Why a job was refused or given up.
const (
	CodeUnknownClient  Code = "unknown_client"
	CodeBadSignature   Code = "bad_signature"
	CodeKindNotAllowed Code = "kind_not_allowed"
	CodeMalformedJob   Code = "malformed_job"
	CodeTooLarge       Code = "too_large"
	CodeEmptyBatch     Code = "empty_batch"
	CodeExpired        Code = "expired"
	CodeExpiryTooFar   Code = "expiry_too_far"
	CodeJobIDReused    Code = "job_id_reused"
	CodeUnknownChain   Code = "unknown_chain"
	CodeUnknownKey     Code = "unknown_key"
	CodeNotOwner       Code = "not_owner"
	CodeBadMessage     Code = "bad_message"
	CodeBadTweak       Code = "bad_tweak"
	CodeBadPath        Code = "bad_path"
	CodeKeygenFailed   Code = "keygen_failed"
	CodeSigningFailed  Code = "signing_failed"
	CodePoison         Code = "poison"

	CodeRegisterIncomplete Code = "register_incomplete"

	CodeFrozen Code = "frozen"
)

// Why a request was refused that nodes and gateways read themselves (internal/tx/intent).
// CodeBadMessage is one of these, too.
const (
	CodeBadPSBT        Code = intent.BadPSBT
	CodeBadTransaction Code = intent.BadTransaction
	CodeNoInput        Code = intent.NoInput
	CodeMissingAmount  Code = intent.MissingAmount
	CodeBadInput       Code = intent.BadInput
	CodeNotUnderstood  Code = intent.NotUnderstood
)

// What nodes decide by their policies.
const (
	CodePolicyDenied     Code = "policy_denied"
	CodeApprovalRequired Code = "approval_required"
)

// CodeTooManyPending: as many jobs of the client wait for approvals as may, or of all.
const CodeTooManyPending Code = "too_many_pending"

// JobCodes are the codes with which a job can end.
var JobCodes = []Code{CodeUnknownClient, CodeBadSignature, CodeKindNotAllowed, CodeMalformedJob, CodeTooLarge,
	CodeEmptyBatch, CodeExpired, CodeExpiryTooFar, CodeJobIDReused, CodeUnknownChain, CodeUnknownKey, CodeNotOwner,
	CodeBadMessage, CodeBadTweak, CodeBadPath, CodeKeygenFailed, CodeSigningFailed, CodePoison, CodeInternal,
	CodeRegisterIncomplete, CodeFrozen, CodeBadPSBT, CodeBadTransaction, CodeNoInput, CodeMissingAmount, CodeBadInput,
	CodeNotUnderstood, CodePolicyDenied, CodeApprovalRequired, CodeTooManyPending}

// Denial reports whether a code is what a policy says, and no fault of anybody.
func (c Code) Denial() bool { return c == CodePolicyDenied || c == CodeApprovalRequired }

// Why a node gave up a batch or refused a session, or a gateway gave up a batch
// (false_certificate). A deal's own faults carry internal/frost's deal_ codes.
const (
	CodeRestarted       Code = "restarted"
	CodeDealReplaced    Code = "deal_replaced"
	CodeDealMalformed   Code = "deal_malformed"
	CodeOtherTranscript Code = "other_transcript"
	CodeInternal        Code = "internal"
	CodeOtherDraft      Code = "other_draft"
	CodeRevoked         Code = "revoked"
	CodeMoved           Code = "moved"
	CodeAttemptTaken    Code = "attempt_taken"

	CodeFalseCertificate Code = "false_certificate"
)

// JobError is a refusal with its code.
type JobError struct {
	Code   Code
	Reason string
}

func (e *JobError) Error() string { return string(e.Code) + ": " + e.Reason }

func Refuse(code Code, format string, args ...any) *JobError {
	return &JobError{Code: code, Reason: fmt.Sprintf(format, args...)}
}
