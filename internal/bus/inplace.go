package bus

import "github.com/nats-io/nats.go"

// handledInPlace are the streams whose messages come one by one while somebody waits for a
// signature. What they hold of messages that wait for their handlers is bounded twice:
// by Follower.queued, and by the connection's limits for their subscriptions.
func handledInPlace(s Stream) bool { return s == Work || s == Sign }

// takeInPlace handles a message where it comes in, if it is the next one and nothing
// else is being read.
func (f *Follower) takeInPlace(m *nats.Msg) bool {
	if !f.turn.TryLock() {
		return false
	}
	defer f.turn.Unlock()
	if !f.inPlace {
		return false
	}
	got, err := f.b.stored(m, f.name)
	if err != nil || got.Seq != f.next {
		return false
	}
	f.handle(got)
	return true
}

// readAgain has run read the stream.
func (f *Follower) readAgain() {
	select {
	case f.nudge <- struct{}{}:
	default:
	}
}

// receive runs on the connection's side, one message after the other. What does not fit,
// here or at the connection, is dropped and read from the stream later.
func (f *Follower) receive(m *nats.Msg) {
	if !f.takeInPlace(m) {
		f.queue(m)
	}
	if n, err := m.Sub.Dropped(); err == nil && n != f.dropped {
		f.dropped = n
		f.readAgain()
	}
}

// queue has run handle a message.
func (f *Follower) queue(m *nats.Msg) {
	if n := int64(m.Size()); f.queued.Add(n) <= int64(f.opt.MaxBytes) || f.queued.Load() == n {
		select {
		case f.live <- m:
			return
		default:
		}
	}
	f.queued.Add(-int64(m.Size()))
	f.readAgain()
}
