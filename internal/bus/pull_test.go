package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// An answer that waits to be read, and a server that is away, are no lost request.
func TestLostRequest(t *testing.T) {
	b, s := newTestBus(t)
	p := &pulling{c: &Consumer{b: b}, msgs: make(chan *nats.Msg, 1)}
	if !p.isLost(testContext(t)) {
		t.Error("the server answers, and sent nothing")
	}
	if must[*nats.Subscription](t)(b.nc.ChanSubscribe("late", p.msgs)); b.nc.Publish("late", nil) != nil {
		t.Fatal("not published")
	}
	if p.isLost(testContext(t)) {
		t.Error("the answer was under way")
	}
	<-p.msgs
	s.Shutdown()
	eventually(t, "losing the connection", func() error {
		if b.Healthy() == nil {
			return errors.New("still connected")
		}
		return nil
	})
	ended, cancel := context.WithCancel(testContext(t))
	cancel()
	if p.isLost(ended) {
		t.Error("without a server nothing is known")
	}
}

// TestRequestsLost: a request of which nothing is heard is made again, until the
// server has it. Here somebody takes the first ones and forgets them, as a leader
// does that dies or hangs.
func TestRequestsLost(t *testing.T) {
	b, s := newTestBus(t)
	nc := rawConn(t, s.URL())
	asked := make(chan *nats.Msg, 64)
	subject := "$JS.API.CONSUMER.MSG.NEXT." + b.names.stream(Jobs) + ".dead"
	must[*nats.Subscription](t)(nc.ChanSubscribe(subject, asked))
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c := &Consumer{b: b, stream: Jobs, durable: "dead", most: 3, done: make(chan struct{}, 3)}
	for range 2 {
		if _, err := c.pull(testContext(t)); !errors.Is(err, errLost) {
			t.Fatalf("the pull ended with %v", err)
		}
		var question struct {
			Batch   int           `json:"batch"`
			Expires time.Duration `json:"expires"`
		}
		m := <-asked
		if err := json.Unmarshal(m.Data, &question); err != nil || question.Batch != 3 || len(asked) > 0 {
			t.Errorf("asked %s and %d more (%v)", m.Data, len(asked), err)
		}
		// What the server delivers to a process that died is late by both.
		wait := time.Duration(declarationOf(b, Jobs).durable(GatewaysDurable("sign")).AckWait)
		if question.Expires <= 0 || question.Expires > wait/4 {
			t.Errorf("a request lives for %s, and a delivery without an answer for %s", question.Expires, wait)
		}
	}
}

// TestLateDeliveries: what the server sent before it knew that an inbox is given up
// goes to idle handlers, and back where there is none.
func TestLateDeliveries(t *testing.T) {
	b, _ := newTestBus(t)
	publishJobs(t, b, 5)
	attempts := make(chan int, 8)
	c := &Consumer{b: b, stream: Jobs, durable: GatewaysDurable("sign"), most: 3, done: make(chan struct{}, 3),
		handler: func(d Delivery) {
			attempts <- d.Attempt()
			_ = d.Ack(context.Background())
		}}
	p := &pulling{c: c, inbox: b.nc.NewInbox(), msgs: make(chan *nats.Msg, 64), silent: time.NewTimer(patience)}
	p.sub = must[*nats.Subscription](t)(b.nc.ChanSubscribe(p.inbox, p.msgs))
	c.most = 5
	if err := p.ask(); err != nil {
		t.Fatal(err)
	}
	c.most = 3 // and so two too many come
	eventually(t, "the deliveries", func() error {
		if len(p.msgs) < 5 {
			return fmt.Errorf("%d of 5", len(p.msgs))
		}
		return nil
	})
	p.end(testContext(t))
	c.wg.Wait()
	for range 3 {
		if n := <-attempts; n != 1 {
			t.Errorf("handled at delivery %d", n)
		}
	}
	consume(t, b, Jobs, GatewaysDurable("sign"), 1, func(d Delivery) {
		attempts <- d.Attempt()
		_ = d.Ack(context.Background())
	})
	for range 2 {
		if n := <-attempts; n != 2 {
			t.Errorf("what was given back came as delivery %d", n)
		}
	}
}

// TestRequestsExpire: a server that has nothing to deliver says when a request has
// expired, and none counts as lost.
func TestRequestsExpire(t *testing.T) {
	var log logSink
	b, s := newTestBus(t, func(o *Options) { o.Logger = log.logger() })
	nc := rawConn(t, s.URL())
	asked := make(chan *nats.Msg, 64)
	subject := "$JS.API.CONSUMER.MSG.NEXT." + b.names.stream(Jobs) + "." + GatewaysDurable("sign")
	must[*nats.Subscription](t)(nc.ChanSubscribe(subject, asked))
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	consume(t, b, Jobs, GatewaysDurable("sign"), 4, func(d Delivery) { _ = d.Ack(context.Background()) })
	first := <-asked
	beats := make(chan *nats.Msg, 64)
	must[*nats.Subscription](t)(nc.ChanSubscribe(first.Reply, beats))
	for range 6 {
		if m := <-beats; last(m.Header, hdrStatus) != "408" {
			t.Errorf("%q %v came", m.Data, m.Header)
		}
	}
	if strings.Contains(log.String(), "forgot") {
		t.Errorf("log: %s", log.String())
	}
	for len(asked) > 0 {
		if m := <-asked; m.Reply != first.Reply {
			t.Error("asked anew, though the request was kept")
		}
	}
}

// A program that leaves its server for another one lets its requests run out: what is
// delivered meanwhile goes to another program, at once, and not into the void.
func TestLeave(t *testing.T) {
	b, s := newTestBus(t)
	other := connectTest(t, s.URL())
	took := make(chan string, 64)
	from := func(name string) func(Delivery) {
		return func(d Delivery) {
			took <- fmt.Sprint(name, " at delivery ", d.Attempt())
			_ = d.Ack(context.Background())
		}
	}
	consume(t, b, Jobs, GatewaysDurable("sign"), 64, from("who leaves"))
	publishJobs(t, b, 1)
	<-took
	stay := b.leave(testContext(t))
	consume(t, other, Jobs, GatewaysDurable("sign"), 64, from("the other"))
	publishJobs(t, other, 20)
	for range 20 {
		if who := <-took; who != "the other at delivery 1" {
			t.Error(who)
		}
	}
	stay() // it came back without being told so, maybe before it left
	if b.isLeaving() {
		t.Error("it asks for nothing, and stays")
	}
	b.leave(testContext(t))
	b.onReconnect()
	if b.isLeaving() {
		t.Error("it asks for nothing, and has come back")
	}
}

// TestNotTheServersWord: what a client may write into a job is no heartbeat and no
// change of leaders.
func TestNotTheServersWord(t *testing.T) {
	b, s := newTestBus(t)
	for _, block := range []string{
		"NATS/1.0 100 Idle Heartbeat\r\n\r\n", "NATS/1.0\r\nStatus: 100\r\nDescription: Idle Heartbeat\r\n\r\n",
		"NATS/1.0 409 Leadership Change\r\n\r\n", "NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 9\r\n\r\n",
	} {
		publishRaw(t, s.URL(), "frost.main.job.sign.alice", block)
	}
	var handled atomic.Int32
	consume(t, b, Jobs, GatewaysDurable("sign"), 16, func(d Delivery) {
		if n := d.Attempt(); n != 1 {
			t.Errorf("delivered %d times", n)
		}
		handled.Add(1)
		if err := d.Ack(context.Background()); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "all jobs", func() error {
		if n := handled.Load(); n != 4 {
			return fmt.Errorf("%d of 4", n)
		}
		return nil
	})
	noneLeft(t, b)
}
