package natsconn

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/frostfleet/frostfleet/test/faultlink"
)

// ordered are three servers in order, each behind a link.
func ordered(t *testing.T) (urls string, links []*faultlink.Link) {
	t.Helper()
	var all []string
	for _, name := range []string{"first", "second", "third"} {
		url := run(t, &server.Options{ServerName: name, MaxPayload: MaxPayload})
		l := faultlink.New(t, strings.TrimPrefix(url, "nats://"))
		all, links = append(all, "nats://"+l.Addr()), append(links, l)
	}
	return strings.Join(all, ","), links
}

func at(c *Conn, name string) func() bool {
	return func() bool { return c.Healthy() == nil && c.ConnectedServerName() == name }
}

// TestInOrder: the servers are tried in the order of the list, and after the last one
// comes the first.
func TestInOrder(t *testing.T) {
	urls, links := ordered(t)
	for range 20 { // at random, all of these are the first once in three billion
		c := connect(t, Options{URL: urls, InOrder: true})
		if got := c.ConnectedServerName(); got != "first" {
			t.Fatalf("connected to %s", got)
		}
		c.Close()
	}
	links[0].Refuse(true)
	if c := connect(t, Options{URL: urls, InOrder: true}); c.ConnectedServerName() != "second" {
		t.Errorf("without the first: connected to %s", c.ConnectedServerName())
	}
	links[0].Refuse(false)
	c := connect(t, Options{URL: urls, InOrder: true})
	for i, next := range []string{"second", "third", "first"} {
		links[i].Refuse(true)
		eventually(t, next+" server", at(c, next))
		links[i].Refuse(false)
	}
}

// TestAnyOrder: without an order every server is tried first by somebody.
func TestAnyOrder(t *testing.T) {
	urls, _ := ordered(t)
	met := map[string]bool{}
	eventually(t, "every server", func() bool {
		c := connect(t, Options{URL: urls})
		met[c.ConnectedServerName()] = true
		c.Close()
		return len(met) == 3
	})
}

// TestGoesHome: a program returns to its first server once that answers, and not while
// only its machine does.
func TestGoesHome(t *testing.T) {
	urls, links := ordered(t)
	log, back := new(lines), make(chan struct{}, 10)
	c := connect(t, Options{URL: urls, InOrder: true, Log: log.logger(), homeTick: 20 * time.Millisecond,
		Reconnected: func() { back <- struct{}{} }})
	links[0].Refuse(true)
	eventually(t, "the second server", at(c, "second"))
	<-back
	links[0].Cut(faultlink.Down)
	links[0].Refuse(false)
	if c.letsIn() {
		t.Error("a server that says nothing lets it in")
	}
	if !at(c, "second")() || strings.Contains(log.String(), "going back") {
		t.Errorf("it left for a server that says nothing: %s", log)
	}
	links[0].Heal(faultlink.Down)
	eventually(t, "the first server", at(c, "first"))
	<-back
	if !strings.Contains(log.String(), "going back") {
		t.Errorf("log: %s", log)
	}
	select {
	case <-back:
		t.Error("it left the first server again")
	case <-time.After(10 * homeTicks * 20 * time.Millisecond):
	}
}

// TestHomeWhileLeaving: a program that comes home on its own, while it puts its affairs in
// order to go there, stays.
func TestHomeWhileLeaving(t *testing.T) {
	urls, links := ordered(t)
	stays, back := make(chan struct{}, 10), make(chan struct{}, 10)
	var c *Conn
	leaving := func(context.Context) (stay func()) {
		links[1].Refuse(true)
		links[2].Refuse(true)
		eventually(t, "the first server", at(c, "first"))
		return func() { stays <- struct{}{} }
	}
	links[0].Refuse(true)
	connected := make(chan struct{})
	c = connect(t, Options{URL: urls, InOrder: true, homeTick: 20 * time.Millisecond,
		Reconnected: func() { back <- struct{}{} },
		Leaving:     func(ctx context.Context) func() { <-connected; return leaving(ctx) }})
	close(connected)
	links[0].Refuse(false)
	<-stays
	<-back
	select {
	case <-back:
		t.Error("it left the first server")
	case <-time.After(10 * homeTicks * 20 * time.Millisecond):
	}
}

// TestRefusedAtHome: a first server that answers and does not let the program in costs it
// no connection: its accounts were changed, or its certificate is another one.
func TestRefusedAtHome(t *testing.T) {
	first := run(t, &server.Options{Username: "somebody", Password: "else", MaxPayload: MaxPayload})
	second := run(t, &server.Options{ServerName: "second", MaxPayload: MaxPayload})
	c := connect(t, Options{URL: first + "," + second, InOrder: true, homeTick: time.Millisecond})
	for range 2 * homeTicks { // meanwhile the program itself asks as well
		if c.letsIn() {
			t.Error("a server that refuses a program lets it in")
		}
	}
	if !at(c, "second")() || c.Stats().Reconnects > 0 {
		t.Errorf("%d reconnections, now at %s", c.Stats().Reconnects, c.ConnectedServerName())
	}
}

// TestHomeByAnotherName: a program is at its first server also under an address that the
// server told it.
func TestHomeByAnotherName(t *testing.T) {
	url := run(t, &server.Options{ServerName: "first", MaxPayload: MaxPayload})
	l := faultlink.New(t, strings.TrimPrefix(url, "nats://"))
	l.Refuse(true)
	c := connect(t, Options{URL: "nats://" + l.Addr() + "," + url, InOrder: true})
	l.Refuse(false)
	if got := c.where(); got != away {
		t.Fatalf("by the addresses it is at %d", got)
	}
	if c.letsIn() {
		t.Error("it would leave a server for the same one")
	}
}

// TestReturnsThatDoNotLast: each return that does not last has the next one wait for
// twice as long, up to a quarter of an hour, and one that lasts has all begin anew.
func TestReturnsThatDoNotLast(t *testing.T) {
	yes, no := func() bool { return true }, func() bool { return false }
	r := new(returns)
	looks := func() (n int) {
		for n = 1; !r.look(away, yes); n++ {
			if n > 2*homeMost {
				t.Fatal("it never returns")
			}
		}
		return n
	}
	for _, want := range []int{3, 6, 12, 24, 48, 96, 96} {
		if got := looks(); got != want {
			t.Errorf("returns after %d looks, want %d", got, want)
		}
		r.look(nowhere, no)
		r.look(atHome, no)
	}
	looks()
	for range homeMost {
		r.look(atHome, no)
	}
	if got := looks(); got != homeTicks {
		t.Errorf("after a return that lasted: %d looks", got)
	}
	for range homeMost { // answers in a row, and not one now and then
		if r.look(away, yes) || r.look(away, no) {
			t.Fatal("it returns to a server that answers every other time")
		}
	}
}

// TestFirst: the first server of a list, as nats.go knows it.
func TestFirst(t *testing.T) {
	for list, want := range map[string]string{
		"tls://a:1,tls://b:2": "a:1", " nats://a , nats://b": "a:4222", "a": "a:4222", "a:7,b": "a:7",
		"nats://u:p@a:1": "a:1", "nats://[::1]:4": "[::1]:4", "nats://[::1]": "[::1]:4222", "nats://a:b:c": "",
		" , a:1": "a:1", "nats://a:": "a:4222", "ws://a": "a:80", "wss://a": "a:443", "nats://u:p@[::1]": "[::1]:4222",
		"nats://A/": "A:4222", "a,a": "a:4222", "tls://[fe80::1%25eth0]:1": "[fe80::1%eth0]:1",
	} {
		var h home
		h.setFirst(list)
		if h.address != want {
			t.Errorf("%s: %q, want %q", list, h.address, want)
		}
	}
}
