package holdertest

import (
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// Changed is a fleet that changed twice.
type Changed struct {
	Fleets      []*wiretest.Fleet // the founding one, a 2-of-4 and a 3-of-5
	Successions [][]byte          // to the second and to the third
	Lineage     *wire.Lineage     // pinned at the founding one
	// Entries are six: of three batches as they were made, of the first two as generation 1 under
	// the second manifest, and of the second one as generation 4 under the third, in two slices.
	Entries []*register.Entry
}

// Change has a fleet change twice.
func Change(t testing.TB, f *wiretest.Fleet) *Changed {
	t.Helper()
	next := f.Next(t, 2, 4)
	last := next.Next(t, 3, 5)
	c := &Changed{
		Fleets:      []*wiretest.Fleet{f, next, last},
		Successions: [][]byte{f.Succession(next.Manifest, false), next.Succession(last.Manifest, true, 1, 3)},
		Lineage:     wire.NewLineage(f.Manifest),
	}
	for _, s := range c.Successions {
		var err error
		if c.Lineage, err = c.Lineage.WithSuccession(s); err != nil {
			t.Fatal(err)
		}
	}
	zero := Entries(t, f, 3)
	first := Later(t, f, next, 1, 0, c.Lineage, zero[:2])
	c.Entries = slices.Concat(zero, first, Later(t, next, last, 4, 1, c.Lineage, first[1:]))
	return c
}

// Store writes all of it to KEYS.
func (c *Changed) Store(t testing.TB, b register.Publisher) {
	t.Helper()
	if err := register.StoreLineage(t.Context(), b, c.Lineage); err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries {
		if err := register.Store(t.Context(), b, c.Lineage, e, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Record is what node 0 of a manifest keeps of an entry. Shares and commitments are zeros.
func Record(e *register.Entry, m *wire.Manifest) *keystore.Record {
	k, suite := int(e.Header.K), frost.Suite(e.Header.Suite)
	r := &keystore.Record{
		Batch: e.ID, Generation: e.Generation, Context: e.Context, Transcript: e.Transcript, MadeBy: e.MadeBy,
		Suite: e.Header.Suite, N: m.N, T: m.T, K: k, Owner: e.Header.Client, Deals: e.Deals, PublicKeys: e.PublicKeys(),
		Commitments: make([]byte, k*m.T*suite.PointSize()), Shares: secret.New(make([]byte, k*frost.ScalarSize)),
		Certificates: e.Certificates,
	}
	if e.Generation > 0 {
		r.Reshare = wire.Encode(e.Reshare())
	}
	return r
}
