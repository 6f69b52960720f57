package gateway

import (
	"maps"
	"strings"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/register"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// writeEntry stores a batch's entry in KEYS, and tells the machine once all of it is
// acknowledged. It goes on for as long as the gateway lives: until then the keys are
// not announced.
func (g *Gateway) writeEntry(e protocol.WriteEntry) {
	span := g.run.ChildSpan(e.Trace, "register")
	known := g.Lineage()
	entry, err := register.NewEntry(known, e.Head, e.Deals)
	if err == nil { // else a fault of this program
		header := map[string][]string{}
		if _, id, ok := strings.Cut(e.Job, "/"); ok {
			header[wire.HeaderJob] = []string{id}
		}
		maps.Copy(header, tracing.Header(span.Trace()))
		err = register.Store(g.run.Life(), g.cfg.Bus, known, entry, header)
	}
	span.End(err)
	if g.run.Life().Err() != nil {
		return
	}
	if err != nil {
		g.log.Error("entry not written", "batch", e.ID, "generation", e.Generation, "err", err)
	}
	g.run.Step(protocol.EntryWritten{ID: e.ID, Generation: e.Generation, Job: e.Job, Trace: e.Trace, Err: err})
}
