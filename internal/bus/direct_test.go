package bus

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/natsconn"
)

func heard(at map[string]*atomic.Int32) (n int32) {
	for _, one := range at {
		n += one.Load()
	}
	return n
}

// testRolesAsk: a gateway, or the administrator, asks a node, and that node's answer
// comes. Nobody else hears the question, or answers for the node.
func testRolesAsk(t *testing.T, url string, seeds map[string]string) {
	hears := func(b *Bus, subject string) *atomic.Int32 {
		t.Helper()
		n := new(atomic.Int32)
		l, err := b.Listen(subject, func(got string, data []byte) {
			if string(data) == "hello" && strings.HasSuffix(got, ".0") {
				n.Add(1)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Stop)
		return n
	}
	worker0, worker1 := connectAs(t, url, seeds["worker-0"], "worker-0"), connectAs(t, url, seeds["worker-1"], "worker-1")
	alice := connectAs(t, url, seeds["client-alice"], "client-alice")
	at1 := hears(worker1, "ask.0")
	asked := map[string]*atomic.Int32{ // nobody but the administrator can fill its place
		"gateway-a": hears(worker0, "ask.0"), "administrator": hears(worker0, "adminask.0"),
	}
	for user, at0 := range asked {
		asker := connectAs(t, url, seeds[user], user)
		answers := hears(asker, "held.token.*")
		if _, err := asker.Ping(testContext(t)); err != nil {
			t.Fatal(err)
		}
		before, all := at0.Load(), heard(asked)
		for _, say := range []struct {
			by      *Bus
			subject string
		}{
			{asker, "ask.0"}, {worker0, "held.token.0"}, // and what must not arrive:
			{worker1, "held.token.0"}, {alice, "held.token.0"}, {alice, "ask.0"}, {worker1, "ask.0"},
			{asker, "adminask.0"}, {worker1, "adminask.0"}, {alice, "adminask.0"},
		} {
			if err := say.by.Tell(say.subject, []byte("hello")); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "question and answer", func() error {
			if at0.Load() > before && answers.Load() > 0 {
				return nil
			}
			return errors.New("not yet")
		})
		ctx, cancel := context.WithTimeout(testContext(t), 100*time.Millisecond)
		if err := asker.Call(ctx, "ask.0", nil); !errors.Is(err, context.DeadlineExceeded) { // nobody answers
			t.Errorf("%s: asked somebody who listens: %v", user, err)
		}
		cancel()
		if at0.Load() != before+1 || heard(asked) != all+1 || answers.Load() != 1 || at1.Load() != 0 {
			t.Errorf("%s: node 0 heard %d questions, node 1 %d, and %d answers came",
				user, at0.Load()-before, at1.Load(), answers.Load())
		}
	}
	if err := worker0.Tell("held.token.0", make([]byte, natsconn.MaxPayload+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large a message: %v", err)
	}
}
