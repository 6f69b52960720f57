package protocol

import "time"

// Work that nobody waits for any more is not done. A gateway gives an attempt
// attemptLife from when WORK shows it the task. A node counts the same from when WORK
// stored the task, which is no later, and by its own clock: a gateway can't make the
// time longer or shorter. Past it the node leaves the session without a word, before
// it computes and before it publishes. That a node is too early costs a retry, and
// that it is too late costs work; neither has it answer twice.
//
// To count from the stream's time on its own clock a node must know how the two
// differ. Its program measures that every few seconds from questions to the server
// that leads WORK: of the last eight answers the quickest counts, as its error is half
// its round trip at most (the clock filter of NTP, RFC 5905 section 10). So the bound
// is half the least round trip of 40 seconds, and what the clocks drift meanwhile, a
// millisecond or so. After the server's clock was set, or another server leads, it is
// their difference until the next measurement; when stream times go back that shows,
// and the measurement counts no more. The own clock being set changes nothing: time
// goes on from the measurement by the monotonic clock. What was not measured is not
// dropped, and a measurement counts for half a minute: so a node that has no answers for
// longer does not drop what is in time by the clock of a server that leads since.

// streamClock is what a node knows of the clock that dates tasks.
type streamClock struct {
	at, stream time.Time // showed the own clock and this one at once; zero: not measured, or it counts no more
	newest     time.Time // stream time of the last task
	doubted    time.Time // measurements from before then do not count
}

// stepBack is more than stream times go back without anybody having set a clock.
const stepBack = time.Second

// measuredFor is how long a measurement counts: some of them may fail.
const measuredFor = 30 * time.Second

// measure takes a measurement.
func (c *streamClock) measure(at, stream time.Time) {
	if at.After(c.doubted) {
		c.at, c.stream = at, stream
	}
}

// saw takes the stream time of a task, in the order of the stream.
func (c *streamClock) saw(stored, now time.Time) {
	if stored.Add(stepBack).Before(c.newest) {
		c.at, c.doubted = time.Time{}, now
	}
	if now.Sub(c.at) > measuredFor {
		c.at = time.Time{}
	}
	c.newest = stored
}

// own is when the own clock shows, or showed, a time of the stream's; zero if that is
// not known.
func (c *streamClock) own(stream time.Time) time.Time {
	if c.at.IsZero() {
		return time.Time{}
	}
	return c.at.Add(stream.Sub(c.stream))
}

// deadline is when nobody waits any more for an attempt whose task was stored at a time,
// by the own clock; zero if that is not known.
func (c *streamClock) deadline(stored time.Time, items int) time.Time {
	own := c.own(stored)
	if own.IsZero() {
		return own
	}
	return own.Add(attemptLife(items))
}

func past(deadline, now time.Time) bool { return !deadline.IsZero() && now.After(deadline) }
