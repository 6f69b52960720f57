package bip445

import (
	"errors"
	"fmt"
)

// ErrNonceUsed means that a secret nonce was taken before. The session must start
// again with fresh nonces.
var ErrNonceUsed = errors.New("secret nonce was used already: start a new session with a fresh one")

// ErrSelfCheck means that a partial signature did not verify against the
// signer's own public share. It never leaves the signer: either the share does
// not belong to the key, or the machine computes wrongly.
var ErrSelfCheck = errors.New("own partial signature does not verify: the secret share does not fit " +
	"the key's commitments, or a computation went wrong")

// Contribution is what a signer or the coordinator sent.
type Contribution string

// What can be invalid, in the words of the specification.
const (
	PublicNonce      Contribution = "pubnonce"
	AggregateNonce   Contribution = "aggnonce"
	PartialSignature Contribution = "psig"
)

// Coordinator is the ContributionError.Signer of the coordinator.
const Coordinator = -1

// ContributionError blames a participant for something invalid that it sent.
// The specification calls it InvalidContributionError.
type ContributionError struct {
	Signer int // position in the list that was passed, or Coordinator
	Kind   Contribution
}

func (e *ContributionError) Error() string {
	if e.Signer == Coordinator {
		return fmt.Sprintf("coordinator sent an invalid %s", e.Kind)
	}
	return fmt.Sprintf("signer at position %d sent an invalid %s", e.Signer, e.Kind)
}

// ValueError means that an input breaks a precondition; only the caller is to
// blame. The specification calls it ValueError.
type ValueError struct {
	Reason Reason
	Index  int // position in the list at fault, or -1
}

func (e *ValueError) Error() string {
	if e.Index >= 0 {
		return fmt.Sprintf("%s (position %d)", e.Reason, e.Index)
	}
	return string(e.Reason)
}

// Reason is the precondition that does not hold.
type Reason string

// The preconditions.
const (
	BadThreshold       Reason = "threshold is not between 1 and the number of participants, or that is over 128"
	BadSignerCount     Reason = "number of signers is not between the threshold and the number of participants"
	BadPubshareCount   Reason = "one public share per signer id is needed"
	BadID              Reason = "signer id is not below the number of participants"
	BadPubshare        Reason = "public share is not a point"
	DuplicateID        Reason = "signer id occurs twice"
	WrongKeyMaterial   Reason = "public shares do not interpolate to the threshold public key"
	KeyAtInfinity      Reason = "public shares interpolate to the point at infinity"
	BadThresholdKey    Reason = "threshold public key is not a point"
	BadTweakCount      Reason = "one mode per tweak is needed"
	BadTweakLength     Reason = "tweak is not 32 bytes long"
	BadTweak           Reason = "tweak is not below the group order"
	TweakToInfinity    Reason = "tweaked key is the point at infinity"
	BadFirstNonce      Reason = "first secret nonce is zero or not below the group order"
	BadSecondNonce     Reason = "second secret nonce is zero or not below the group order"
	BadSecretShare     Reason = "secret share is zero or not below the group order"
	OwnPubshareMissing Reason = "public share of the secret share is not among the signers' public shares"
	OwnIDMissing       Reason = "own id is not among the signers' ids"
	BadNonceCount      Reason = "one public nonce per signer id is needed"
	BadPartialSigCount Reason = "one partial signature per signer id is needed"
	BadSignerIndex     Reason = "signer index is not below the number of signers"
	BadInputLength     Reason = "optional input of the nonce generation has a wrong length"
)

func invalid(r Reason) error { return &ValueError{r, -1} }

func invalidAt(r Reason, i int) error { return &ValueError{r, i} }
