package bip445

import "errors"

// ErrNonceUsed means that a secret nonce was taken before. The session must start
// again with fresh nonces.
var ErrNonceUsed = errors.New("secret nonce was used already: start a new session with a fresh one")

// Reason is an error: the precondition that an input breaks. Only the caller is to
// blame. The specification calls it ValueError.
type Reason string

func (r Reason) Error() string { return string(r) }

// The preconditions.
const (
	BadThreshold    Reason = "threshold is not between 1 and the number of participants, or that is over 128"
	BadSignerCount  Reason = "number of signers is not between the threshold and the number of participants"
	BadID           Reason = "signer id is not below the number of participants"
	DuplicateID     Reason = "signer id occurs twice"
	BadThresholdKey Reason = "threshold public key is not a point"
	BadTweakLength  Reason = "tweak is not 32 bytes long"
	BadTweak        Reason = "tweak is not below the group order"
	TweakToInfinity Reason = "tweaked key is the point at infinity"
	BadSecretShare  Reason = "secret share is zero or not below the group order"
	OwnIDMissing    Reason = "own id is not among the signers' ids"
	BadInputLength  Reason = "optional input of the nonce generation has a wrong length"
)
