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

// observer records what a program's parts report.
type observer interface {
	bus.Observer
	gateway.Observer
	keyprovider.Observer
	worker.Observer
}

// observer returns a program's metrics, unless a benchmark asks what they cost.
func (o Options) observer(m *telemetry.Metrics) observer {
	if o.Unobserved {
		return nopObserver{}
	}
	return m
}

// nopObserver records nothing.
type nopObserver struct{ keyprovider.NopObserver }

func (nopObserver) Published(bus.Stream, string, time.Duration) {}
func (nopObserver) Delivered(string, bool)                      {}
func (nopObserver) Reconnected()                                {}
func (nopObserver) Report(protocol.Report)                      {}
func (nopObserver) Round(protocol.Round)                        {}
func (nopObserver) JobDone(protocol.JobEnd)                     {}
