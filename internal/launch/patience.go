package launch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// The pause between two tries to open a device that may come, doubling.
const (
	firstReopen = time.Second
	lastReopen  = 30 * time.Second
)

// sameAgain is how long a reason is not logged again.
const sameAgain = 10 * time.Minute

// patience is how a node waits for a device that does not open: a KMS or an HSM
// that is away, or whose key was switched off, ends no program. Who mends it
// finds the node waiting, with the PIN that somebody gave it.
type patience struct {
	log  *slog.Logger
	told func(error) // hears why, each time

	pause  time.Duration
	reason keyprovider.Reason // logged last
	logged time.Time
}

// endures tells whether the failure may pass, or somebody can mend it from
// outside.
func endures(err error) bool {
	reason := keyprovider.ReasonOf(err)
	return reason.Temporary() || reason.Refused()
}

// tell tells why the node waits: readiness and metrics each time, the log
// rarely.
func (p *patience) tell(err error, do string) {
	p.told(err)
	if reason := keyprovider.ReasonOf(err); reason != p.reason || time.Since(p.logged) >= sameAgain {
		p.reason, p.logged = reason, time.Now()
		p.log.Error("the key provider does not open; the node waits", "err", err, "do", do)
	}
}

// next is when to try again.
func (p *patience) next() <-chan time.Time {
	p.pause = min(max(2*p.pause, firstReopen), lastReopen)
	return time.After(p.pause)
}

// openPatiently opens a device, and waits while that fails for a reason that it
// endures. Without patience it tries once.
func openPatiently(ctx context.Context, o ProviderOptions, open func(context.Context) (keyprovider.Provider, error)) (keyprovider.Provider, error) {
	waits := patience{log: o.Log, told: o.Waiting}
	for {
		p, err := open(ctx)
		if err == nil || !o.Unlock || !endures(err) {
			return p, err
		}
		waits.tell(err, "mend it; it is tried again by itself")
		select {
		case <-waits.next():
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}
