package fleettest

import (
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// silent is a launch.Observer that records nothing.
type silent struct{ keyprovider.NopObserver }

func (silent) Published(bus.Stream, string, time.Duration) {}
func (silent) Delivered(string, bool)                      {}
func (silent) Reconnected()                                {}
func (silent) Report(protocol.Report)                      {}
func (silent) Round(protocol.Round)                        {}
func (silent) JobDone(protocol.JobEnd)                     {}
