package launch

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/gateway"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/telemetry"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// observer hears all that a program's parts tell.
type observer interface {
	bus.Observer
	gateway.Observer
	keyprovider.Observer
	worker.Observer
}

// observer of a program: its metrics, unless a benchmark asks what they cost.
func (o Options) observer(m *telemetry.Metrics) observer {
	if o.Unobserved {
		return nobody{}
	}
	return m
}

// nobody hears nothing.
type nobody struct{}

func (nobody) Published(bus.Stream, string, time.Duration) {}
func (nobody) Delivered(string, bool)                      {}
func (nobody) Reconnected()                                {}
func (nobody) Report(protocol.Report)                      {}
func (nobody) Round(protocol.Round)                        {}
func (nobody) JobDone(protocol.JobEnd)                     {}
func (nobody) ProviderCall(keyprovider.Call)               {}
func (nobody) ProviderState(error)                         {}
func (nobody) ProviderCached(bool)                         {}
func (nobody) ProviderCoalesced(int)                       {}
