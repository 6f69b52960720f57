package frost

import (
	"errors"
	"fmt"
	"slices"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// newReshareDeal is NewReshareDeal for one group.
func newReshareDeal[S, P any](
	g group[S, P], p *dealing, dealer int, shares *secret.Bytes, seed *[32]byte,
) (*ReshareDeal, error) {
	switch {
	case !slices.Contains(p.dealers, dealer):
		return nil, fmt.Errorf("resharing: node %d is not one of the dealers %v", dealer, p.dealers)
	case seed == nil:
		return nil, errors.New("resharing: a deal needs a seed")
	case len(shares.Expose()) != p.K*ScalarSize:
		return nil, fmt.Errorf("resharing: shares of %d bytes for %d keys, want %d",
			len(shares.Expose()), p.K, p.K*ScalarSize)
	}
	// Two deals of different shares have nothing in common, whatever the seed.
	bound := Hash("frostfleet/reshare/seed/v1", seed[:], shares.Expose())
	defer clear(bound[:])
	coefficients := make([]S, p.K*p.T)
	defer clear(coefficients)
	randomScalars(g, coefficients, dealStream(p.Params, dealer, &bound, "coefficients"))
	lambda := g.interpolatingValue(p.dealers, dealer)
	for key := range p.K {
		constant := &coefficients[key*p.T]
		if err := g.decodeScalar(constant, shares.Expose()[key*ScalarSize:][:ScalarSize]); err != nil {
			return nil, fmt.Errorf("resharing: the share of key %d is no scalar: %w", key, err)
		}
		g.mul(constant, constant, lambda)
	}
	d, err := dealOut(g, p, dealer, &bound, coefficients)
	if err != nil {
		return nil, fmt.Errorf("resharing: %w", err)
	}
	return &ReshareDeal{Ephemeral: d.Ephemeral, Commitments: d.Commitments, Shares: d.Shares}, nil
}
