package pool

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// drained is the order in which a queue gives out what it holds.
func drained(q *queue, ran *[]string) string {
	for q.len() > 0 {
		q.pop()()
	}
	return strings.Join(*ran, " ")
}

// While a queue keeps up, it is first come, first served. Once a client's oldest waits
// for long, its newest goes first; the turns between clients stay, and what is nobody's
// stays in order.
func TestNewestFirstWhenBehind(t *testing.T) {
	for name, c := range map[string]struct {
		wait time.Duration
		want string
	}{
		"keeps up":  {behindAfter, "a1 a2 b1 n1 a3 n2 b2"},
		"is behind": {behindAfter + time.Millisecond, "a3 a2 b2 n1 a1 n2 b1"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var q queue
				var ran []string
				for _, what := range []string{"a1", "a2", "b1", "n1", "a3", "n2", "b2"} {
					client := what[:1]
					if client == "n" {
						client = ""
					}
					q.push(client, func() { ran = append(ran, what) })
				}
				time.Sleep(c.wait)
				if got := drained(&q, &ran); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
				if len(q.waits) != 0 {
					t.Errorf("it keeps %v", q.waits)
				}
			})
		})
	}
}
