package protocol

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// clockwork lets a fleet's time pass: ticks and timers come when they are due, and
// what nodes publish is there at once, but for what a test delays.
type clockwork struct {
	aged
	due []dueEvent
}

type dueEvent struct {
	at time.Time
	do func()
}

func newClockwork(f aged) *clockwork {
	c := &clockwork{aged: f}
	f.step = func(who string, ev Event, step func(Event) []Effect) []Effect {
		effects := step(ev)
		for _, e := range effects {
			if after, ok := e.(After); ok && who == "gateway" {
				c.at(after.Delay, func() { f.desk.do(after.Timer) })
			}
		}
		return effects
	}
	c.tick()
	return c
}

func (c *clockwork) at(delay time.Duration, do func()) {
	c.due = append(c.due, dueEvent{c.now.Add(delay), do})
}

func (c *clockwork) tick() {
	c.desk.do(Tick{c.now})
	for _, a := range c.nodes {
		a.do(Tick{c.now})
	}
	c.at(time.Second, c.tick)
}

// run lets time pass until a job has ended, or so long.
func (c *clockwork) run(most time.Duration, ended func() bool) {
	c.drain()
	for end := c.now.Add(most); !ended() && !c.now.After(end); {
		next := slices.MinFunc(c.due, func(a, b dueEvent) int { return a.at.Compare(b.at) })
		i := slices.IndexFunc(c.due, func(d dueEvent) bool { return d.at.Equal(next.at) })
		c.due = slices.Delete(c.due, i, i+1)
		c.now = next.at
		next.do()
		c.drain()
	}
}

// jobFor is a sign job that lives an hour.
func (c *clockwork) jobFor(n int) wire.SignedJob {
	return c.job("alice", wire.KindSign, mustJSON(wire.Job{
		ID: jobID(n), Kind: wire.KindSign, Expires: c.now.Add(time.Hour), Items: []wire.JobItem{item(c.btc, 0, "x")},
	}))
}
