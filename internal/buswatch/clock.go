package buswatch

import "time"

// reading is one comparison of this machine's clock with the server's, from a
// question and an answer that has the server's time. That time was between
// the two, so the error is at most half the round trip.
type reading struct {
	offset time.Duration // this clock minus the server's
	rtt    time.Duration
}

func newReading(asked time.Time, rtt time.Duration, server time.Time) reading {
	return reading{offset: asked.Add(rtt / 2).Sub(server), rtt: rtt}
}

// clockReadings is how many readings count, one of each sample.
const clockReadings = 8

// clock keeps the last readings. The quickest answer is the most exact.
type clock struct{ last []reading }

func (c *clock) add(r reading) {
	if best, ok := c.best(); ok && (r.offset-best.offset).Abs() > (r.rtt+best.rtt)/2 {
		c.last = nil // both can't be right: a clock was set in between
	}
	if len(c.last) == clockReadings {
		c.last = append(c.last[:0], c.last[1:]...)
	}
	c.last = append(c.last, r)
}

func (c *clock) best() (best reading, ok bool) {
	for _, r := range c.last {
		if !ok || r.rtt < best.rtt {
			best, ok = r, true
		}
	}
	return best, ok
}

// offset is 0 if it is less than its error.
func (c *clock) offset() time.Duration {
	best, _ := c.best()
	if best.offset.Abs() <= best.rtt/2 {
		return 0
	}
	return best.offset
}
