package pool

import (
	"sync"
	"time"
)

// queue holds functions that wait, each a client's. They go first come, first served,
// until that is too late for all: while a client's oldest has waited for behindAfter,
// its newest goes in its oldest's turn. Whose turn it is does not change by that, so no
// client gets more than before.
type queue struct {
	turns []string // clients, in the order in which their functions came
	waits map[string][]waiting
	came  sync.Cond // a function was pushed, or none will be run any more
}

// waiting is a function, and since when it waits.
type waiting struct {
	f     func()
	since time.Time
}

const behindAfter = 500 * time.Millisecond

func (q *queue) len() int { return len(q.turns) }

// push adds a function; client "" is nobody, whose functions keep their order.
func (q *queue) push(client string, f func()) {
	if q.waits == nil {
		q.waits = map[string][]waiting{}
	}
	q.turns = append(q.turns, client)
	q.waits[client] = append(q.waits[client], waiting{f, time.Now()})
}

// pop takes the next function. There must be one.
func (q *queue) pop() func() {
	client := q.turns[0]
	q.turns = q.turns[1:]
	all := q.waits[client]
	taken := 0
	if client != "" && time.Since(all[0].since) > behindAfter {
		taken = len(all) - 1
	}
	f := all[taken].f
	all[taken] = waiting{}
	if taken == 0 {
		all = all[1:]
	} else {
		all = all[:taken]
	}
	if q.waits[client] = all; len(all) == 0 {
		delete(q.waits, client)
	}
	return f
}
