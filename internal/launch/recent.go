package launch

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/recent"
)

// remembering tells an observer, and remembers how jobs ended for the HTTP API's charts.
type remembering struct {
	gateway.Observer
	ring *recent.Ring
}

// JobDone implements gateway.Observer.
func (r remembering) JobDone(e protocol.JobEnd) {
	r.Observer.JobDone(e)
	end := recent.End{Kind: e.Kind, Items: e.Items, Took: e.Took, Code: string(e.Code)}
	if e.Code.Denial() {
		end.Rule = recent.Rule(e.Reason)
	}
	r.ring.Add(time.Now(), end)
}

// remember is what a gateway's observer is with an HTTP API; nil without one.
func (p *program) remember(g *config.Gateway) (gateway.Observer, *recent.Ring) {
	if !g.HTTPOn() {
		return p.Observe, nil
	}
	ring := new(recent.Ring)
	return remembering{p.Observe, ring}, ring
}
