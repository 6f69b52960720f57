package frost

import (
	"crypto/ecdh"
	"fmt"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// session is a batch being checked: the deals and their decoded public fields.
// deals[i] is never nil and its fields have the right lengths.
type session[S, P any] struct {
	group[S, P]
	Params
	deals   []*Deal
	digests [][32]byte // deals[i].digest
	firsts  [][]P      // A_0 by dealer and key
	sums    []P        // K*T commitments summed over the dealers
}

// openBatch is Finalize, and without proofs Recover, for one group.
func openBatch[S, P any](
	g group[S, P], p Params, index int, host *[32]byte, deals []*Deal, proofs bool,
) (*Batch, error) {
	own, err := hostKey(p, index, host)
	if err != nil {
		return nil, err
	}
	s, err := newSession(g, p, deals)
	if err != nil {
		return nil, err
	}
	w := s.weights(index, host)
	defer w.wipe()
	if proofs {
		if err := s.checkProofs(w); err != nil {
			return nil, err
		}
	}
	shares, err := s.openShares(index, own, w)
	if err != nil {
		return nil, err
	}
	defer clear(shares)
	public, err := s.public()
	if err != nil {
		return nil, err
	}
	encoded := make([]byte, 0, p.K*ScalarSize)
	for i := range shares {
		encoded = g.appendScalar(encoded, &shares[i])
	}
	return &Batch{Public: *public, Shares: secret.New(encoded)}, nil
}

// summarize is Summarize for one group.
func summarize[S, P any](g group[S, P], p Params, deals []*Deal) (*Public, error) {
	s, err := newSession(g, p, deals)
	if err != nil {
		return nil, err
	}
	for i := range deals {
		if _, err := s.proofs(i); err != nil {
			return nil, err
		}
	}
	return s.public()
}

// hostKey makes an X25519 key of host and checks that it is the one to which
// the boxes of node index are sealed; with any other key every dealer would
// appear to lie.
func hostKey(p Params, index int, host *[32]byte) (*ecdh.PrivateKey, error) {
	if host == nil {
		return nil, fmt.Errorf("key generation: node %d needs its host key to open its shares", index)
	}
	own, err := ecdh.X25519().NewPrivateKey(host[:])
	if err != nil {
		return nil, fmt.Errorf("key generation: host key: %w", err)
	}
	if [32]byte(own.PublicKey().Bytes()) != p.HostKeys[index] {
		return nil, fmt.Errorf("key generation: host key is not that of node %d in the parameters: "+
			"check the manifest against the node's key", index)
	}
	return own, nil
}

// newSession checks the deals' lengths, decodes their commitments and adds
// them up.
func newSession[S, P any](g group[S, P], p Params, deals []*Deal) (*session[S, P], error) {
	if len(deals) != p.N {
		return nil, fmt.Errorf("key generation: %d deals of %d nodes", len(deals), p.N)
	}
	for i, d := range deals {
		if reason := d.malformed(p); reason != "" {
			return nil, &BlameError{Dealer: i, Code: CodeMalformed, Reason: reason}
		}
	}
	s := &session[S, P]{group: g, Params: p, deals: deals}
	s.sums = make([]P, p.K*p.T)
	points := make([]P, p.K*p.T)
	for i, d := range deals {
		if err := s.commitments(points, i); err != nil {
			return nil, err
		}
		s.digests = append(s.digests, d.digest(p, i))
		s.sum(points)
	}
	return s, nil
}

// malformed returns which length of the deal is wrong, "" if none is.
func (d *Deal) malformed(p Params) string {
	size := p.Suite.PointSize()
	if d == nil {
		return "missing"
	}
	if want := p.K * p.T * size; len(d.Commitments) != want {
		return fmt.Sprintf("%d bytes of commitments, want %d", len(d.Commitments), want)
	}
	if want := p.K * (size + ScalarSize); len(d.Proofs) != want {
		return fmt.Sprintf("%d bytes of proofs, want %d", len(d.Proofs), want)
	}
	if len(d.Shares) != p.N {
		return fmt.Sprintf("%d boxes, want %d", len(d.Shares), p.N)
	}
	for j, b := range d.Shares {
		if want := p.K*ScalarSize + boxOverhead; len(b) != want {
			return fmt.Sprintf("box of %d bytes for node %d, want %d", len(b), j, want)
		}
	}
	return ""
}

// commitments decodes the K*T commitments of a dealer into points.
func (s *session[S, P]) commitments(points []P, dealer int) error {
	size := s.Suite.PointSize()
	for m := range points {
		if err := s.decodeDealt(&points[m], s.deals[dealer].Commitments[m*size:][:size]); err != nil {
			return &BlameError{Dealer: dealer, Code: pointCode(err),
				Reason: fmt.Sprintf("commitment %d of key %d: %v", m%s.T, m/s.T, err)}
		}
	}
	return nil
}

// sum adds a dealer's commitments to the sums and keeps the first of each key.
func (s *session[S, P]) sum(points []P) {
	firsts := make([]P, s.K)
	for key := range firsts {
		firsts[key] = points[key*s.T]
	}
	s.firsts = append(s.firsts, firsts)
	if len(s.firsts) == 1 {
		copy(s.sums, points)
		return
	}
	s.addPoints(s.sums, points)
}

// public encodes the sums.
func (s *session[S, P]) public() (*Public, error) {
	size := s.Suite.PointSize()
	out := &Public{Commitments: make([]byte, 0, len(s.sums)*size)}
	for m := range s.sums {
		if s.isIdentity(&s.sums[m]) {
			return nil, ErrIdentitySum
		}
		out.Commitments = s.appendPoint(out.Commitments, &s.sums[m])
	}
	for key := range s.K {
		out.PublicKeys = append(out.PublicKeys, s.publicKey(out.Commitments[key*s.T*size:][:size]))
	}
	return out, nil
}
