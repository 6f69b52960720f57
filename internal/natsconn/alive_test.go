package natsconn

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/test/faultlink"
)

// TestSilence walks through what a watch may see, tick by tick.
func TestSilence(t *testing.T) {
	const tooDeaf, tooMute = int(deafAfter / aliveTick), int(muteAfter / aliveTick)
	for name, test := range map[string]struct {
		tick func(i int, s *sight)
		want int // the tick that gives up; 0: none of 100
	}{
		"well":                     {func(_ int, s *sight) { s.of.read.Add(6); s.answered = true }, 0},
		"deaf":                     {func(int, *sight) {}, tooDeaf},
		"mute":                     {func(_ int, s *sight) { s.of.read.Add(100) }, tooMute},
		"answers at the last tick": {func(i int, s *sight) { s.answered = i%(tooDeaf-1) == 0 && s.of.read.Add(6) > 0 }, 0},
		"slow, and much comes in": {func(i int, s *sight) {
			s.of.read.Add(1 << 20)
			s.answered = i%(tooMute-1) == 0
		}, 0},
		"slow, and much goes out": {func(i int, s *sight) {
			s.waiting, s.arrived = slowQueue, uint64(i/(tooDeaf-1))<<10
		}, 0},
		"much is to go out, and stays": {func(_ int, s *sight) { s.waiting, s.arrived = 1<<20, 7 }, tooDeaf + 1},
		"what goes out arrives where nobody reads": {func(i int, s *sight) {
			s.waiting, s.arrived = slowQueue-1, uint64(i)<<10
		}, tooDeaf},
	} {
		t.Run(name, func(t *testing.T) {
			s, of, gaveUp := new(silence), new(socket), 0
			s.tick(sight{of: of, answered: true}) // the first look
			for i := 1; i <= 100 && gaveUp == 0; i++ {
				now := sight{of: of}
				test.tick(i, &now)
				if how, _ := s.tick(now); how != "" {
					gaveUp = i
				}
			}
			if gaveUp != test.want {
				t.Errorf("given up at tick %d, want %d", gaveUp, test.want)
			}
		})
	}
}

// TestSilenceOfAnother: a new connection starts with a clean sheet.
func TestSilenceOfAnother(t *testing.T) {
	s, of := new(silence), new(socket)
	for range int(deafAfter / aliveTick) {
		s.tick(sight{of: of})
	}
	if how, _ := s.tick(sight{of: new(socket)}); how != "" {
		t.Errorf("a new connection: %s", how)
	}
}

// pair is a connection to the first of two servers, by way of a link.
func pair(t *testing.T, log *lines) (c *Conn, l *faultlink.Link) {
	t.Helper()
	first := run(t, &server.Options{ServerName: "first", MaxPayload: MaxPayload})
	second := run(t, &server.Options{ServerName: "second", MaxPayload: MaxPayload})
	l = faultlink.New(t, strings.TrimPrefix(first, "nats://"))
	return connect(t, Options{URL: "nats://" + l.Addr() + "," + second, InOrder: true, Direct: true, Log: log.logger()}), l
}

// TestServerHangs: a connection that carries nothing any more, in one direction or
// both, is given up for another server, with what waits for an answer.
func TestServerHangs(t *testing.T) {
	for name, cut := range map[string][]faultlink.Direction{
		"inbound": {faultlink.Down}, "outbound": {faultlink.Up}, "both": {faultlink.Up, faultlink.Down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := new(lines)
			c, l := pair(t, log)
			silent := make(chan *nats.Msg, 1) // somebody who never answers
			must[*nats.Subscription](t)(c.ChanSubscribe("q", silent))
			for _, d := range cut {
				l.Cut(d)
			}
			if _, err := c.Ask(t.Context(), "q", nil); !errors.Is(err, ErrDisconnected) {
				t.Errorf("the question ended with %v", err)
			}
			eventually(t, "the other server", func() bool {
				return c.Healthy() == nil && c.ConnectedServerName() == "second"
			})
			if !strings.Contains(log.String(), "the NATS server is silent") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// TestWriteHangs: a write that hangs has nats.go's lock, and ends with the
// connection all the same.
func TestWriteHangs(t *testing.T) {
	log := new(lines)
	c, l := pair(t, log)
	l.Cut(faultlink.Up)
	l.Cut(faultlink.Down)
	big := make([]byte, 1<<20)
	eventually(t, "the other server", func() bool {
		_ = c.Publish("q", big)
		return c.ConnectedServerName() == "second"
	})
	if !strings.Contains(log.String(), "the NATS server is silent") {
		t.Errorf("log: %s", log)
	}
}

// TestWatchEnds: nobody watches a connection that is closed.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Conn{opt: Options{}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { c.watch(ctx); close(done) }()
		time.Sleep(3 * aliveTick)
		cancel()
		<-done
	})
}
