package register

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// ReadStorage hands every finished generation of a batch in the storage directory of a node
// of m to f, as the entry that it is. One that the node never saw finished is no entry; what
// does not verify is reported to dropped.
func ReadStorage(
	dir string, m *wire.Manifest, known wire.ManifestSet, f func(*Entry) error, dropped func(error),
) (sum Summary, err error) {
	last := ""
	err = keystore.Copies(dir, func(c *keystore.Copy) error {
		if c.Certificates == nil {
			sum.Partial++
			return nil
		}
		e, err := fromCopy(m, known, c)
		if err != nil {
			sum.Dropped++
			dropped(fmt.Errorf("%s: %w", c.Ref, err))
			return nil
		}
		if sum.Entries++; c.Batch == last { // they come in the order of batches
			sum.Later++
		} else {
			sum.Keys += len(e.Keys)
		}
		last = c.Batch
		return f(e)
	})
	return sum, err
}

// fromCopy makes the entry that a copy of a node of m is of.
func fromCopy(m *wire.Manifest, known wire.ManifestSet, c *keystore.Copy) (*Entry, error) {
	deals, compact := wire.EntryDeals(c.Deals) // the node's own deal has its proofs
	head, err := headFromCopy(m, c, deals, compact)
	if err != nil {
		return nil, err
	}
	return NewEntry(known, wire.Encode(head), deals)
}

func headFromCopy(m *wire.Manifest, c *keystore.Copy, deals [][]byte, compact bool) (*wire.EntryHead, error) {
	digests := wire.DealDigests(deals)
	if c.Generation == 0 {
		header, err := wire.DealHeader(deals[0])
		if err != nil {
			return nil, err
		}
		return wire.NewEntryHead(m, header, c.PublicKeys, c.Certificates, digests, compact), nil
	}
	r, err := wire.DecodeReshare(c.Reshare)
	if err != nil {
		return nil, err
	}
	return wire.NewLaterHead(r, wire.EntryKeys(c.PublicKeys, r.Header.Client, r.Made), c.Certificates, digests), nil
}
