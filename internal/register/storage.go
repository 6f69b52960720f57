package register

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// ReadStorage hands every finished batch of a node's storage directory to f, as the
// entry that it is. A batch that the node never saw finished is no entry; what does
// not verify is reported to dropped.
func ReadStorage(dir string, m *wire.Manifest, f func(*Entry) error, dropped func(error)) (sum Summary, err error) {
	err = keystore.Copies(dir, func(c *keystore.Copy) error {
		if c.Certificates == nil {
			sum.Partial++
			return nil
		}
		e, err := fromCopy(m, c)
		if err != nil {
			sum.Dropped++
			dropped(fmt.Errorf("batch %s: %w", c.Batch, err))
			return nil
		}
		sum.Entries++
		sum.Keys += len(e.Keys)
		return f(e)
	})
	return sum, err
}

func fromCopy(m *wire.Manifest, c *keystore.Copy) (*Entry, error) {
	header, _, err := wire.DecodeDeal(c.Deals[0])
	if err != nil {
		return nil, err
	}
	head := wire.NewEntryHead(m, header, c.PublicKeys, c.Certificates, wire.DealDigests(c.Deals))
	return NewEntry(m, wire.Encode(head), c.Deals)
}
