package gateway

import (
	"errors"
	"sync"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// entryWrites is how many deals of an entry are on their way at a time.
const entryWrites = 8

// writeEntry stores a batch's entry in KEYS, and tells the machine once all of it is
// acknowledged. It goes on for as long as the gateway lives: until then the keys are
// not announced.
func (g *Gateway) writeEntry(e protocol.WriteEntry) {
	span := g.run.ChildSpan(e.Trace, "register")
	err := g.register(e, tracing.Header(span.Trace()))
	span.End(err)
	if g.run.Life().Err() != nil {
		return
	}
	if err != nil {
		g.log.Error("entry not written", "batch", e.ID, "err", err)
	}
	g.run.Step(protocol.EntryWritten{ID: e.ID, Job: e.Job, Trace: e.Trace, Err: err})
}

var errConflict = errors.New("another valid entry of the batch is in KEYS, with other deals or keys")

// register writes the head first: readers keep no deal without it. What stands under
// one of the subjects counts if it proves the same, whoever wrote it; anything else is
// junk, and passed over.
func (g *Gateway) register(e protocol.WriteEntry, header map[string][]string) error {
	entry, err := wire.VerifyEntry(e.Head, g.cfg.Manifest)
	if err != nil {
		return err // a fault of this program
	}
	var conflict error
	_, err = g.cfg.Bus.PublishSlot(g.run.Life(), wire.EntryHeadSubject(e.ID, entry.Generation), e.Head, header,
		func(m bus.Message) bool {
			standing, err := wire.VerifyEntry(m.Data, g.cfg.Manifest)
			if err != nil || standing.ID != e.ID {
				return false
			}
			if !standing.Same(entry) {
				conflict = errConflict
			}
			return true
		})
	if err = errors.Join(err, conflict); err != nil {
		return err
	}
	var writes sync.WaitGroup
	errs, room := make([]error, len(e.Deals)), make(chan struct{}, entryWrites)
	for i, deal := range e.Deals {
		room <- struct{}{}
		writes.Go(func() {
			errs[i] = g.writeDeal(entry, i, deal)
			<-room
		})
	}
	writes.Wait()
	return errors.Join(errs...)
}

func (g *Gateway) writeDeal(entry *wire.Entry, dealer int, deal []byte) error {
	subject := wire.EntryDealSubject(entry.ID, entry.Generation, dealer)
	_, err := g.cfg.Bus.PublishSlot(g.run.Life(), subject, deal, nil, func(m bus.Message) bool {
		return entry.VerifyDeal(dealer, m.Data) == nil
	})
	return err
}
