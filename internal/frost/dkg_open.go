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
	*dealing
	deals   []*Deal
	digests [][32]byte // deals[i].digest
	firsts  [][]P      // A_0 by dealer and key; none in a resharing
	sums    []P        // K*committed commitments summed over the dealers
}

// openBatch is Finalize, and without proofs Recover, for one group.
func openBatch[S, P any](
	g group[S, P], p Params, index int, host *[32]byte, deals []*Deal, proofs bool,
) (*Batch, error) {
	own, err := hostKey(p, index, host)
	if err != nil {
		return nil, err
	}
	s, err := newSession(g, p.generation(), deals)
	if err != nil {
		return nil, err
	}
	w := s.weights(index, host)
	defer w.wipe()
	if proofs {
		if err := s.checkProofs(w, index); err != nil {
			return nil, err
		}
	}
	shares, err := s.openShares(index, own)
	if err != nil {
		return nil, err
	}
	defer clear(shares)
	if !s.allHold(s.shareEquations(w, shares, s.values(index, s.sums)), 0, s.K) {
		return nil, s.blameShares(index, own, w, func(int) []multiples[S, P] { return nil })
	}
	public, err := s.public()
	if err != nil {
		return nil, err
	}
	return &Batch{Public: *public, Shares: s.encodeShares(shares)}, nil
}

// encodeShares encodes a node's share of each key.
func (s *session[S, P]) encodeShares(shares []S) *secret.Bytes {
	encoded := make([]byte, 0, s.K*ScalarSize)
	for i := range shares {
		encoded = s.appendScalar(encoded, &shares[i])
	}
	return secret.New(encoded)
}

// summarize is Summarize for one group.
func summarize[S, P any](g group[S, P], p Params, deals []*Deal) (*Public, error) {
	s, err := newSession(g, p.generation(), deals)
	if err != nil {
		return nil, err
	}
	for i, d := range deals {
		if d.ProofsHash != nil && len(d.Proofs) == 0 {
			continue
		}
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
		return nil, fmt.Errorf("node %d needs its host key to open its shares", index)
	}
	own, err := ecdh.X25519().NewPrivateKey(host[:])
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	if [32]byte(own.PublicKey().Bytes()) != p.HostKeys[index] {
		return nil, fmt.Errorf("host key is not that of node %d in the parameters: "+
			"check the manifest against the node's key", index)
	}
	return own, nil
}

// newSession checks the deals' lengths, decodes their commitments and adds
// them up.
func newSession[S, P any](g group[S, P], p *dealing, deals []*Deal) (*session[S, P], error) {
	if len(deals) != len(p.dealers) {
		return nil, fmt.Errorf("%d deals of %d dealers", len(deals), len(p.dealers))
	}
	for i, d := range deals {
		if reason := d.malformed(p); reason != "" {
			return nil, &BlameError{Dealer: p.dealers[i], Code: CodeMalformed, Reason: reason}
		}
	}
	s := &session[S, P]{group: g, dealing: p, deals: deals}
	s.sums = make([]P, p.K*p.committed())
	points := make([]P, len(s.sums))
	for i, d := range deals {
		if err := s.commitments(points, i); err != nil {
			return nil, err
		}
		s.digests = append(s.digests, d.digest(p.Params, p.dealers[i]))
		s.sum(points)
	}
	return s, nil
}

// malformed returns which length of the deal is wrong, "" if none is.
func (d *Deal) malformed(p *dealing) string {
	size := p.Suite.PointSize()
	if d == nil {
		return "missing"
	}
	if want := p.K * p.committed() * size; len(d.Commitments) != want {
		return fmt.Sprintf("%d bytes of commitments, want %d", len(d.Commitments), want)
	}
	apart := d.ProofsHash != nil && len(d.Proofs) == 0 // whoever needs them looks
	if want := p.K * (size + ScalarSize); !p.resharing && !apart && len(d.Proofs) != want {
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

// commitments decodes the commitments of the i-th deal into points.
func (s *session[S, P]) commitments(points []P, i int) error {
	if m, err := s.decodeDealt(points, s.deals[i].Commitments); err != nil {
		count := s.committed()
		return &BlameError{Dealer: s.dealers[i], Code: pointCode(err),
			Reason: fmt.Sprintf("commitment %d of key %d: %v", m%count+s.lowest(), m/count, err)}
	}
	return nil
}

// sum adds a deal's commitments to the sums and keeps those to constant terms.
func (s *session[S, P]) sum(points []P) {
	if !s.resharing {
		firsts := make([]P, s.K)
		for key := range firsts {
			firsts[key] = points[key*s.T]
		}
		s.firsts = append(s.firsts, firsts)
	}
	if len(s.digests) == 1 {
		copy(s.sums, points)
		return
	}
	s.addPoints(s.sums, points)
}

// public encodes the sums.
func (s *session[S, P]) public() (*Public, error) {
	size := s.Suite.PointSize()
	out := &Public{Commitments: make([]byte, 0, len(s.sums)*size)}
	var err error
	if out.Commitments, err = s.appendSums(out.Commitments, s.sums); err != nil {
		return nil, err
	}
	for key := range s.K {
		out.PublicKeys = append(out.PublicKeys, s.publicKey(out.Commitments[key*s.T*size:][:size]))
	}
	return out, nil
}

// appendSums appends the wire encodings of sums.
func (s *session[S, P]) appendSums(dst []byte, sums []P) ([]byte, error) {
	for m := range sums {
		if s.isIdentity(&sums[m]) {
			return nil, ErrIdentitySum
		}
	}
	return s.appendPoints(dst, sums), nil
}
