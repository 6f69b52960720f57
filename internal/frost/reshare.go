package frost

import (
	"errors"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// Resharing: the shares of k keys of t-of-n become those of t'-of-n' among other
// nodes, or fresh ones among the same. The keys stay.
//
// Exactly t of the old nodes deal, and everyone knows which before they do. Dealer i
// has the share s_i of each key, whose Lagrange coefficient among these dealers is
// λ_i, and draws a polynomial of degree t'-1 with constant term λ_i·s_i. It commits
// to the other coefficients only: λ_i·Y_i is the commitment to the constant term, Y_i
// being its public share, which follows from the commitments of the generation before.
// From there on all is as in a key generation: a key's new polynomial is the sum of
// the dealers', and new node j's share its value at j+1. Its constant term is the
// sum of λ_i·s_i, the secret. (λ_i in the deal, and not where deals are summed
// up, saves a full multiplication of each commitment by each who reads it.)
//
// There are no proofs of knowledge. In a key generation they keep a dealer from making
// the key a function of what others dealt; here every constant term is pinned, and
// the key with them. The other coefficients may be functions of what others dealt, which
// does not help: new nodes accept only if the shares that they got add up to values
// of the polynomial that was committed to, and a dealer that can bring that about knows
// a polynomial of its own that fits its old share and all that honest nodes hold of
// it. So the corrupt ones have what they would have had from an honest deal, and what
// honest dealers deal shows nothing of a secret but Y_i, which is public, to t'-1
// nodes. docs/protocol.md, section 15, has the argument in full.

// ReshareParams is what old and new nodes agree on before the old ones deal.
type ReshareParams struct {
	Suite      Suite
	Context    [32]byte   // binds manifests, batch, generations and dealers; new for every attempt
	K          int        // keys
	OldN, OldT int        // nodes and threshold of the generation before
	Dealers    []int      // its OldT nodes that deal, by their indices in it, ascending
	N, T       int        // new nodes and threshold
	HostKeys   [][32]byte // X25519 public keys of the N new nodes in index order
}

// Validate checks that the numbers are in range as [Params.Validate] does, for
// both generations, and that the dealers are OldT distinct old nodes, ascending.
func (p ReshareParams) Validate() error {
	if err := p.params().inRange(); err != nil {
		return fmt.Errorf("resharing: %w", err)
	}
	if p.OldT < 1 || p.OldT > p.OldN || p.OldN > MaxNodes {
		return fmt.Errorf("resharing: from %d of %d: want 1 <= t <= n <= %d", p.OldT, p.OldN, MaxNodes)
	}
	if len(p.Dealers) != p.OldT {
		return fmt.Errorf("resharing: %d dealers: want exactly %d", len(p.Dealers), p.OldT)
	}
	for i, d := range p.Dealers {
		if d < 0 || d >= p.OldN || i > 0 && d <= p.Dealers[i-1] {
			return fmt.Errorf("resharing: dealers %v: want distinct ones of %d nodes, ascending", p.Dealers, p.OldN)
		}
	}
	return nil
}

// params are those of a key generation among the new nodes, in whose context
// nothing else happens.
func (p ReshareParams) params() Params {
	parts := [][]byte{{byte(p.Suite)}, p.Context[:], uint32Bytes(p.OldN), uint32Bytes(p.OldT)}
	for _, d := range p.Dealers {
		parts = append(parts, uint32Bytes(d))
	}
	parts = append(parts, uint32Bytes(p.N), uint32Bytes(p.T), uint32Bytes(p.K))
	context := Hash("frostfleet/reshare/context/v1", parts...)
	return Params{Suite: p.Suite, Context: context, N: p.N, T: p.T, K: p.K, HostKeys: p.HostKeys}
}

func (p ReshareParams) dealing() (*dealing, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &dealing{Params: p.params(), dealers: p.Dealers, resharing: true}, nil
}

// ReshareDeal is what one old node publishes; all of it is public. Points are wire
// points of the suite, for ed25519 divided by 8.
type ReshareDeal struct {
	Ephemeral   [32]byte // X25519 public key of the boxes
	Commitments []byte   // K*(T-1) points, key-major: A_1..A_{T-1} of key 0, of key 1, ...
	Shares      [][]byte // N boxes of K*32+16 bytes
}

// withoutProofs gives the deals the form of those of a key generation.
func withoutProofs(deals []*ReshareDeal) []*Deal {
	out := make([]*Deal, len(deals))
	for i, d := range deals {
		if d != nil {
			out[i] = &Deal{Ephemeral: d.Ephemeral, Commitments: d.Commitments, Shares: d.Shares}
		}
	}
	return out
}

// ErrRecover means that what a node's boxes hold does not fit the certified deals.
// If its host key is the one that the boxes were sealed to, it certified what it
// had not checked.
var ErrRecover = errors.New("the shares in this node's boxes are not those of the certified keys")

// NewReshareDeal makes the deal of the old node dealer, whose shares are the K
// scalars of its [Batch]. It is deterministic in all its arguments; seed must be fresh
// and secret, and the caller wipes it.
func NewReshareDeal(p ReshareParams, dealer int, shares *secret.Bytes, seed *[32]byte) (*ReshareDeal, error) {
	d, err := p.dealing()
	if err != nil {
		return nil, err
	}
	if p.Suite == Secp256k1TR {
		return newReshareDeal(secpGroup{}, d, dealer, shares, seed)
	}
	return newReshareDeal(edwardsGroup{}, d, dealer, shares, seed)
}

// FinalizeReshare checks the deals, which are in the order of p.Dealers, opens the
// boxes of the new node index with its X25519 private key host and returns its
// shares. Source is the public part of the generation that the dealers' shares are
// of, by [Summarize] or [SummarizeReshare]. A *[BlameError] names by its old index a
// dealer who broke the protocol, the first one at the first check that fails.
func FinalizeReshare(
	p ReshareParams, index int, host *[32]byte, source *Public, deals []*ReshareDeal,
) (*Batch, error) {
	d, err := p.dealing()
	if err != nil {
		return nil, err
	}
	if p.Suite == Secp256k1TR {
		return finalizeReshare(secpGroup{}, p, d, index, host, source, deals)
	}
	return finalizeReshare(edwardsGroup{}, p, d, index, host, source, deals)
}

// RecoverReshare is FinalizeReshare without the generation before, for deals and
// publicKeys that the certificates of all N new nodes vouch for. If the shares do not
// fit, it can't tell whose: [ErrRecover].
func RecoverReshare(
	p ReshareParams, index int, host *[32]byte, publicKeys [][]byte, deals []*ReshareDeal,
) (*Batch, error) {
	d, err := p.dealing()
	if err != nil {
		return nil, err
	}
	if p.Suite == Secp256k1TR {
		return recoverReshare(secpGroup{}, d, index, host, publicKeys, deals)
	}
	return recoverReshare(edwardsGroup{}, d, index, host, publicKeys, deals)
}

// SummarizeReshare computes the public part of the new generation of publicKeys. It
// decodes every point as FinalizeReshare does; the result is as trustworthy as the
// certificates over it.
func SummarizeReshare(p ReshareParams, publicKeys [][]byte, deals []*ReshareDeal) (*Public, error) {
	d, err := p.dealing()
	if err != nil {
		return nil, err
	}
	if p.Suite == Secp256k1TR {
		return summarizeReshare(secpGroup{}, d, publicKeys, deals)
	}
	return summarizeReshare(edwardsGroup{}, d, publicKeys, deals)
}
