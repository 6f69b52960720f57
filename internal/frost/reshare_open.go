package frost

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"fmt"
	"slices"
)

// resharing is a session with the keys, which are the constant terms of the new
// polynomials.
type resharing[S, P any] struct {
	*session[S, P]
	publicKeys [][]byte
	keys       []P
}

// finalizeReshare is FinalizeReshare for one group.
func finalizeReshare[S, P any](
	g group[S, P], p ReshareParams, d *dealing, index int, host *[32]byte, source *Public, deals []*ReshareDeal,
) (*Batch, error) {
	if err := checkSource(g, p, source); err != nil {
		return nil, err
	}
	r, own, err := openReshare(g, d, index, host, source.PublicKeys, deals)
	if err != nil {
		return nil, err
	}
	w := r.weights(index, host, source.PublicKeys...)
	defer w.wipe()
	batch, err := r.batch(index, own, w)
	if errors.Is(err, ErrRecover) {
		return nil, r.blame(p, index, own, w, source)
	}
	return batch, err
}

// recoverReshare is RecoverReshare for one group.
func recoverReshare[S, P any](
	g group[S, P], d *dealing, index int, host *[32]byte, publicKeys [][]byte, deals []*ReshareDeal,
) (*Batch, error) {
	r, own, err := openReshare(g, d, index, host, publicKeys, deals)
	if err != nil {
		return nil, err
	}
	w := r.weights(index, host, publicKeys...)
	defer w.wipe()
	return r.batch(index, own, w)
}

// summarizeReshare is SummarizeReshare for one group.
func summarizeReshare[S, P any](
	g group[S, P], d *dealing, publicKeys [][]byte, deals []*ReshareDeal,
) (*Public, error) {
	r, err := newResharing(g, d, publicKeys, deals)
	if err != nil {
		return nil, err
	}
	return r.public()
}

// openReshare checks the deals and that host is the key of node index.
func openReshare[S, P any](
	g group[S, P], d *dealing, index int, host *[32]byte, publicKeys [][]byte, deals []*ReshareDeal,
) (*resharing[S, P], *ecdh.PrivateKey, error) {
	if index < 0 || index >= d.N {
		return nil, nil, fmt.Errorf("resharing: node index %d of %d nodes", index, d.N)
	}
	own, err := hostKey(d.Params, index, host)
	if err != nil {
		return nil, nil, err
	}
	r, err := newResharing(g, d, publicKeys, deals)
	return r, own, err
}

func newResharing[S, P any](
	g group[S, P], d *dealing, publicKeys [][]byte, deals []*ReshareDeal,
) (*resharing[S, P], error) {
	if len(publicKeys) != d.K {
		return nil, fmt.Errorf("resharing: %d public keys, want %d", len(publicKeys), d.K)
	}
	r := &resharing[S, P]{publicKeys: publicKeys, keys: make([]P, d.K)}
	for key := range r.keys {
		if err := g.decodeKey(&r.keys[key], publicKeys[key]); err != nil {
			return nil, fmt.Errorf("resharing: public key %d: %w", key, err)
		}
	}
	var err error
	r.session, err = newSession(g, d, withoutProofs(deals))
	return r, err
}

// checkSource checks the lengths of the generation before, and that its keys are the
// constant terms of its commitments. With that, the constant terms of the deals add up
// to the keys: a polynomial of degree t-1 through t public shares is the one that they
// were computed from.
func checkSource[S, P any](g group[S, P], p ReshareParams, source *Public) error {
	size := p.Suite.PointSize()
	if source == nil || len(source.PublicKeys) != p.K || len(source.Commitments) != p.K*p.OldT*size {
		return fmt.Errorf("resharing: the generation before is not one of %d keys with threshold %d", p.K, p.OldT)
	}
	for key, public := range source.PublicKeys {
		if !bytes.Equal(g.publicKey(source.Commitments[key*p.OldT*size:][:size]), public) {
			return fmt.Errorf("resharing: in the generation before, public key %d is not its first commitment", key)
		}
	}
	return nil
}

// batch opens and checks the shares of node index where they are summed up: against
// the keys and the sums of the commitments, in one equation for all keys. Dealers
// whose errors cancel out have done no harm.
func (r *resharing[S, P]) batch(index int, own *ecdh.PrivateKey, w *stream) (*Batch, error) {
	shares, err := r.openShares(index, own)
	if err != nil {
		return nil, err
	}
	defer clear(shares)
	keys := multiples[S, P]{factor: r.small(1), points: r.keys}
	if !r.allHold(r.shareEquations(w, shares, keys, r.values(index, r.sums)), 0, r.K) {
		return nil, ErrRecover
	}
	public, err := r.public()
	if err != nil {
		return nil, err
	}
	return &Batch{Public: *public, Shares: r.encodeShares(shares)}, nil
}

// blame looks for the dealer whose shares do not fit its commitments and its old
// shares. The latter's commitments are λ_i times the sum of (i+1)^c·C_c, with C_c
// those of the generation before, and enter the equations as that.
func (r *resharing[S, P]) blame(
	p ReshareParams, index int, own *ecdh.PrivateKey, w *stream, source *Public,
) error {
	size := p.Suite.PointSize()
	commitments := make([]P, p.K*p.OldT)
	for m := range commitments {
		if err := r.decodePoint(&commitments[m], source.Commitments[m*size:][:size]); err != nil {
			return fmt.Errorf("resharing: commitment %d of key %d in the generation before: %w",
				m%p.OldT, m/p.OldT, err)
		}
	}
	return r.blameShares(index, own, w, func(i int) []multiples[S, P] {
		return []multiples[S, P]{{
			factor: r.interpolatingValue(p.Dealers, p.Dealers[i]),
			points: r.evaluateVartime(commitments, p.OldT, uint32(p.Dealers[i]+1)),
		}}
	})
}

// public encodes the keys, as they were, and the new commitments.
func (r *resharing[S, P]) public() (*Public, error) {
	size := r.Suite.PointSize()
	keys := r.appendPoints(make([]byte, 0, r.K*size), r.keys)
	sums, err := r.appendSums(make([]byte, 0, len(r.sums)*size), r.sums)
	if err != nil {
		return nil, err
	}
	out := &Public{Commitments: make([]byte, 0, len(keys)+len(sums))}
	for key := range r.K {
		out.PublicKeys = append(out.PublicKeys, slices.Clone(r.publicKeys[key]))
		out.Commitments = append(out.Commitments, keys[key*size:][:size]...)
		out.Commitments = append(out.Commitments, sums[key*r.committed()*size:][:r.committed()*size]...)
	}
	return out, nil
}
