package natsconn

import (
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
	if c.home.answers(t.Context()) {
		t.Error("a server that says nothing answers")
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

// TestFirst: the first server of a list, as nats.go knows it.
func TestFirst(t *testing.T) {
	for list, want := range map[string]string{
		"tls://a:1,tls://b:2": "a:1", " nats://a , nats://b": "a:4222", "a": "a:4222", "a:7,b": "a:7",
		"nats://u:p@a:1": "a:1", "nats://[::1]:4": "[::1]:4", "nats://[::1]": "[::1]:4222", "nats://a:b:c": "",
	} {
		if got := first(list); got != want {
			t.Errorf("%s: %q, want %q", list, got, want)
		}
	}
}
