package bus

import (
	"log/slog"
	"time"

	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// Options say how to reach the bus. The zero value of each field is usable
// but Fleet.
type Options struct {
	Fleet string
	Nodes int    // of the fleet: each has a stream of its own. 0: those are neither read, written nor checked
	URL   string // one or more, separated by commas; natsconn.DefaultURL if empty
	Name  string // shown in the server's monitoring

	InOrder bool // the servers are tried in the order of URL: natsconn.Options

	natsconn.Files

	// InboxPrefix is where answers arrive. If empty it is "_INBOX_<Name>" for a
	// Name that is a token, so that a permission can keep others from reading
	// along (nats/server.conf), and "_INBOX" otherwise.
	InboxPrefix string

	// Embedded connects within the process, without a socket.
	Embedded natsconn.Server

	Waiting func(error)  // called with the reason while Connect has no connection; may be nil
	Logger  *slog.Logger // nil: silent
	Observe Observer     // may be nil

	// Replicas of each stream. 0: Apply creates with 1 and keeps what is there, Check does not look.
	Replicas int

	// RestoreMemory calls Restore after each reconnection (gateways).
	RestoreMemory bool

	// CutPatience is for how long a stream has to end before a follower's position,
	// in every answer, until that counts as a loss; 15 s if 0.
	CutPatience time.Duration

	MaxInFlight int           // publishes waiting for their acknowledgement, 256 if 0
	AckTimeout  time.Duration // one attempt of a publish or read, 5 s if 0
}

func (o *Options) setDefaults() error {
	if err := CheckFleet(o.Fleet); err != nil {
		return err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = nopObserver{}
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 256
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = 5 * time.Second
	}
	if o.CutPatience <= 0 {
		o.CutPatience = 15 * time.Second
	}
	if o.InboxPrefix == "" && CheckToken(o.Name) == nil {
		o.InboxPrefix = "_INBOX_" + o.Name
	}
	return nil
}
