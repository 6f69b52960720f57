package frost

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// Batch key generation: k keys of t-of-n in one session.
//
// Every node deals once. Its [Deal] commits to a random polynomial of degree
// t-1 for each key, proves for each that it knows the constant term, and holds
// for each recipient a box with that recipient's values. A key's secret is the
// sum of all constant terms, which is never computed; node i's share is the
// sum of all polynomials at i+1.
//
// [Finalize] checks everything and blames. [Recover] rebuilds shares from deals
// that n certificates vouch for, and [Summarize] their public part alone.
//
// What holds if all checks pass and one dealer is honest: all nodes that see
// the same deals have the same public keys; the shares of any t interpolate to
// their secrets; nobody chose a key as a function of the others (the proofs of
// knowledge). The certificates establish that everyone saw the same deals.

// MaxNodes bounds n, in both suites. BIP 445 sets it.
const MaxNodes = bip445.MaxParticipants

// MaxBatch is the largest number of keys in one batch.
const MaxBatch = 1000

// Params is what the nodes agree on before they deal.
type Params struct {
	Suite    Suite
	Context  [32]byte   // binds manifest, batch and job; new for every attempt
	N, T, K  int        // nodes, threshold, keys in the batch
	HostKeys [][32]byte // X25519 public keys of the n recipients in index order
	Apart    bool       // of NewDeal: the deal takes its proofs apart
}

// Validate checks that the numbers are in range: 1 <= T <= N <= MaxNodes,
// 1 <= K <= MaxBatch, one host key a node.
func (p Params) Validate() error {
	if err := p.inRange(); err != nil {
		return fmt.Errorf("key generation: %w", err)
	}
	return nil
}

func (p Params) inRange() error {
	switch {
	case !p.Suite.Valid():
		return fmt.Errorf("unknown %v", p.Suite)
	case p.T < 1 || p.T > p.N || p.N > MaxNodes:
		return fmt.Errorf("%d of %d: want 1 <= t <= n <= %d", p.T, p.N, MaxNodes)
	case p.K < 1 || p.K > MaxBatch:
		return fmt.Errorf("batch of %d keys: want 1 to %d", p.K, MaxBatch)
	case len(p.HostKeys) != p.N:
		return fmt.Errorf("%d host keys for %d nodes", len(p.HostKeys), p.N)
	}
	return nil
}

func (p Params) validate(index int) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if index < 0 || index >= p.N {
		return fmt.Errorf("key generation: node index %d of %d nodes", index, p.N)
	}
	return nil
}

// Deal is what one node publishes; all of it is public. Points are wire points
// of the suite, for ed25519 divided by 8.
type Deal struct {
	Ephemeral   [32]byte // X25519 public key of the boxes
	Commitments []byte   // K*T points, key-major: A_0..A_{T-1} of key 0, of key 1, ...
	Proofs      []byte   // K times point R and 32-byte scalar s
	Shares      [][]byte // N boxes of K*32+16 bytes
	// ProofsHash is [HashProofs] of Proofs where the deal takes them apart: its boxes are
	// bound to that in their place, and [Recover] and [Summarize] do without them. Else nil.
	ProofsHash *[32]byte
}

// boxOverhead is what ChaCha20-Poly1305 adds to the shares in a box.
const boxOverhead = 16

// Public is the public part of a batch.
type Public struct {
	PublicKeys  [][]byte // K public keys: 33 bytes compressed, or 32
	Commitments []byte   // K*T wire points, key-major, summed over the dealers
}

// Batch is what one node holds of a batch.
type Batch struct {
	Public
	Shares *secret.Bytes // K*32 bytes: this node's share of each key
}

// Codes of a [BlameError]. They go over the wire and never change.
const (
	CodeMalformed = "deal_malformed" // missing, or a field of the wrong length
	CodePoint     = "deal_point"     // not a canonical point, or an ephemeral key of small order
	CodeIdentity  = "deal_identity"  // a point that is the identity
	CodeProof     = "deal_proof"     // a proof of knowledge that does not hold
	CodeShare     = "deal_share"     // a box or share that does not fit the commitments
)

// BlameError names the dealer whose deal ruins the batch. For every code but
// CodeShare anyone with the deals reaches the same verdict; CodeShare is the
// recipient's claim, which others can't check.
type BlameError struct {
	Dealer int
	Code   string
	Reason string
}

func (e *BlameError) Error() string {
	return fmt.Sprintf("deal of node %d: %s (%s)", e.Dealer, e.Reason, e.Code)
}

// ErrIdentitySum means that the commitments of valid deals cancel out. No
// single dealer is to blame; the nodes deal again.
var ErrIdentitySum = errors.New("summed commitments of a key are the identity: deal the batch again")

// errInconsistent is unreachable unless a batch check errs, which has probability
// 2^-128.
var errInconsistent = errors.New("a batch check failed and every deal passes alone: check it again")

// NewDeal makes node index's deal. It is deterministic in all its arguments;
// seed must be fresh and secret, and the caller wipes it.
func NewDeal(p Params, index int, seed *[32]byte) (*Deal, error) {
	if err := p.validate(index); err != nil {
		return nil, err
	}
	if p.Suite == Secp256k1TR {
		return newDeal(secpGroup{}, p, index, seed)
	}
	return newDeal(edwardsGroup{}, p, index, seed)
}

// Finalize checks all n deals (in index order, the own one included, which the
// caller knows to be the one that it made: its proofs are for the others), opens
// the boxes of node index with its X25519 private key host and returns its
// shares. A *[BlameError] names a dealer who broke the protocol, the one with
// the lowest index among those at the first check that fails.
func Finalize(p Params, index int, host *[32]byte, deals []*Deal) (*Batch, error) {
	return open(p, index, host, deals, true)
}

// Recover is Finalize without the proofs of knowledge, for deals that the
// certificates of all n nodes vouch for. The shares are checked against the
// summed commitments.
func Recover(p Params, index int, host *[32]byte, deals []*Deal) (*Batch, error) {
	return open(p, index, host, deals, false)
}

func open(p Params, index int, host *[32]byte, deals []*Deal, proofs bool) (*Batch, error) {
	if err := p.validate(index); err != nil {
		return nil, err
	}
	if p.Suite == Secp256k1TR {
		return openBatch(secpGroup{}, p, index, host, deals, proofs)
	}
	return openBatch(edwardsGroup{}, p, index, host, deals, proofs)
}

// Summarize computes the public part of a batch from its deals. It decodes
// every point and scalar as Finalize does, and checks no proof: the result is as
// trustworthy as the certificates over it.
func Summarize(p Params, deals []*Deal) (*Public, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if p.Suite == Secp256k1TR {
		return summarize(secpGroup{}, p, deals)
	}
	return summarize(edwardsGroup{}, p, deals)
}
