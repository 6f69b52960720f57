package buswatch

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/bus"
)

// leaderless is how long a stream or a consumer may be without an answer or a
// leader before this process says that it can't work: an election takes seconds.
const leaderless = 10 * time.Second

// problem is what is wrong with a stream or a consumer.
type problem struct {
	since time.Time
	err   error
	sure  bool // it does not pass by itself
}

// What there is to do.
const (
	doApply = "the administrator runs: frostctl bus apply"
	doNATS  = "look at the NATS servers and their logs"
)

var errNoLeader = errors.New("it has no leader")

// judge says what an answer about a stream or a consumer means for this process.
func (w *Watcher) judge(q *question, cluster *jetstream.ClusterInfo) {
	err, sure := q.err, false
	if err == nil && cluster != nil && cluster.Leader == "" {
		err = errNoLeader
	}
	if err == nil || w.interrupted(err) {
		delete(w.problems, q.what)
		return
	}
	switch api, _ := errors.AsType[*jetstream.APIError](err); {
	case isOff(err, api):
		err, sure = w.errOff(), true
	case q.what == storageQuestion && api == nil: // servers without a quorum say so
		err = w.errOff()
	case api != nil && (api.ErrorCode == jetstream.JSErrCodeStreamNotFound ||
		api.ErrorCode == jetstream.JSErrCodeConsumerNotFound):
		err, sure = fmt.Errorf("%s is missing: %s", q.what, doApply), true
	default:
		err = fmt.Errorf("%s: %w: %s", q.what, err, doNATS)
	}
	since := q.asked
	if earlier, ok := w.problems[q.what]; ok {
		since = earlier.since
	}
	w.problems[q.what] = problem{since, err, sure}
}

// errOff says which server it is that answers pings, and no question to JetStream.
func (w *Watcher) errOff() error {
	return fmt.Errorf("JetStream of server %s is off: was its disk full? Make room and restart it",
		w.bus.Conn().ConnectedServerName())
}

// isOff: nobody on this side of the bus has JetStream, or this account has none any
// more.
func isOff(err error, api *jetstream.APIError) bool {
	return errors.Is(err, nats.ErrNoResponders) || api != nil &&
		(api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabled ||
			api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabledForAccount)
}

// broken is the first problem that keeps this process from its work, in the order of
// the declarations; nil if there is none.
func (w *Watcher) broken(now time.Time) error {
	whats := []string{storageQuestion}
	for _, d := range w.declared {
		if d.Stream == bus.DeadLetter || d.New {
			continue // nothing waits for it; and what needs one that is new says so itself
		}
		whats = append(whats, streamQuestion(d.Stream))
		for _, durable := range d.Durables {
			whats = append(whats, consumerQuestion(durable))
		}
	}
	for _, what := range whats {
		if p, ok := w.problems[what]; ok && (p.sure || now.Sub(p.since) >= leaderless) {
			return p.err
		}
	}
	return nil
}

// replicas are how many copies of a stream there should be, and how many are there,
// the leader's among them, and complete.
func replicas(info *jetstream.StreamInfo) (want, current int) {
	current = 1
	if c := info.Cluster; c != nil {
		if c.Leader == "" {
			return info.Config.Replicas, 0
		}
		for _, r := range c.Replicas {
			if r.Current && !r.Offline {
				current++
			}
		}
	}
	return info.Config.Replicas, current
}

// Streams returns what keeps this process from its work on the bus: a stream or a
// consumer that is missing, has had no leader for 10 s, or a server without
// JetStream; nil if nothing does, or if Run does not run.
func (w *Watcher) Streams() error {
	t, _ := w.fresh()
	return t.broken
}
