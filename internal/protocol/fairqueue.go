package protocol

import (
	"slices"
	"time"
)

// fairQueue holds the sign jobs that wait, and gives each client its turn: deficit
// round robin over items (Shreedhar and Varghese, 1995). Many jobs, or large ones,
// delay those of their own client only.
type fairQueue struct {
	turn int // items that a client may begin in its turn, besides what it saved up; a large job waits for several
	ring []*clientQueue
}

// clientQueue is what one client has waiting. It is in the ring while it has some.
type clientQueue struct {
	client  string
	deficit int  // items that it may still begin in this turn
	begun   bool // its turn
	jobs    []*activeSign
}

func (q *fairQueue) of(client string) *clientQueue {
	i := slices.IndexFunc(q.ring, func(c *clientQueue) bool { return c.client == client })
	if i >= 0 {
		return q.ring[i]
	}
	c := &clientQueue{client: client}
	q.ring = append(q.ring, c)
	return c
}

// add has a job wait behind the others of its client.
func (q *fairQueue) add(j *activeSign) {
	c := q.of(j.Signed.Client)
	c.jobs = append(c.jobs, j)
}

// again has a job wait that was begun before: it goes first.
func (q *fairQueue) again(j *activeSign) {
	c := q.of(j.Signed.Client)
	c.jobs = slices.Insert(c.jobs, 0, j)
}

// next takes the job whose turn it is; nil if none waits.
func (q *fairQueue) next() *activeSign { return q.nextOf(func(string) bool { return true }) }

// nextOf takes the job whose turn it is of the clients that are wanted. Only they have
// turns meanwhile.
func (q *fairQueue) nextOf(wanted func(client string) bool) *activeSign {
	if !slices.ContainsFunc(q.ring, func(c *clientQueue) bool { return wanted(c.client) }) {
		return nil
	}
	for {
		c := q.ring[0]
		if wanted(c.client) {
			j := c.jobs[0]
			if !c.begun && len(j.left) > c.deficit {
				c.deficit, c.begun = c.deficit+q.turn, true
			}
			if len(j.left) <= c.deficit {
				c.deficit -= len(j.left)
				q.remove(j)
				return j
			}
		}
		c.begun = false
		q.ring = append(q.ring[1:], c)
	}
}

// remove takes a job out, wherever it stands.
func (q *fairQueue) remove(j *activeSign) {
	c := q.of(j.Signed.Client)
	c.jobs = slices.DeleteFunc(c.jobs, func(other *activeSign) bool { return other == j })
	if len(c.jobs) == 0 {
		q.ring = slices.DeleteFunc(q.ring, func(other *clientQueue) bool { return other == c })
	}
}

// manyTimes is how many times as many jobs another client has waiting that makes one modest.
const manyTimes = 8

// greedy reports whether a client has jobs that wait, and nobody has many times as many.
func (q *fairQueue) greedy(client string) bool {
	own, most := 0, 0
	for _, c := range q.ring {
		if most = max(most, len(c.jobs)); c.client == client {
			own = len(c.jobs)
		}
	}
	return own > 0 && manyTimes*own >= most
}

// oldest is since when the job waits that has waited longest; zero if none waits.
func (q *fairQueue) oldest() (since time.Time) {
	for _, c := range q.ring {
		for _, j := range c.jobs {
			if since.IsZero() || j.queued.Before(since) {
				since = j.queued
			}
		}
	}
	return since
}

// waiting counts the jobs.
func (q *fairQueue) waiting() (count int) {
	for _, c := range q.ring {
		count += len(c.jobs)
	}
	return count
}
