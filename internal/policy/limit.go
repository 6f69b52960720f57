package policy

import (
	"fmt"
	"time"
)

// window is the time over which a limit counts.
type window struct {
	name   string
	length time.Duration // 0: each job on its own
}

// windows are all windows, shortest first.
var windows = []window{
	{"transaction", 0}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour},
	{"week", 7 * 24 * time.Hour},
}

// parts is how many steps a window slides in. A charge is counted for a window, and for
// up to one step more.
const parts = 24

// step is the length of a step in seconds, rounded up.
func (w window) step() int64 { return (int64(w.length/time.Second) + parts - 1) / parts }

// kept reports whether counters of this window outlive the process. A rate by the minute
// bounds load, not value, and a restart takes longer than what it would remember.
func (w window) kept() bool { return w.length > time.Minute }

// What a limit counts for: each client of the rule, or each key, on its own.
const (
	scopeClient = "client"
	scopeKey    = "key"
)

// limit is one [[rule.limit]].
type limit struct {
	rule   string
	asset  string
	max    uint64
	window window
	scope  string
	id     string // names its counters
}

// newLimit gives a limit the name of its counters: they go on where the amount changes,
// and start anew where anything else does.
func newLimit(l limit) *limit {
	l.id = fmt.Sprintf("%s/%s/%s/%s", l.rule, l.asset, l.window.name, l.scope)
	return &l
}

// block is how much a node may allow before it has it on disk: what counts twice at most
// after a crash.
func (l *limit) block() uint64 { return l.max / blocks }

// blocks is how many blocks a limit has.
const blocks = 16

func (l *limit) String() string {
	if l.window.length == 0 {
		return Amount(l.asset, l.max) + " a transaction"
	}
	an := "a"
	if l.window.name == "hour" {
		an = "an"
	}
	return fmt.Sprintf("%s %s %s for each %s", Amount(l.asset, l.max), an, l.window.name, l.scope)
}
