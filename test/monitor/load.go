package monitor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/loadgen"
)

// Load is what the stand's users ask for, in jobs a second. A rate below zero
// is none, and zero the default.
type Load struct {
	Sign   float64 // one message
	Bulk   float64 // bulkItems messages
	Keygen float64 // keygenKeys keys
}

const (
	bulkItems  = 100
	keygenKeys = 4
	loadTime   = 365 * 24 * time.Hour // until the stand ends
	jobTime    = 2 * time.Minute      // for an answer
	loadWidth  = 128                  // jobs of a kind under way: half of what a client may have open
)

var chains = []string{"bitcoin", "solana"}

func (l Load) withDefaults() Load {
	for _, rate := range []struct {
		value   *float64
		unasked float64
	}{{&l.Sign, 5}, {&l.Bulk, .2}, {&l.Keygen, .5}} {
		if *rate.value == 0 {
			*rate.value = rate.unasked
		}
	}
	return l
}

// load is one kind of job. Do is told how many came before it.
type load struct {
	name string
	rate float64
	do   func(ctx context.Context, i int) error
}

// startLoad generates keys to sign with, and has users ask until the test ends
// or Pause.
func (s *Stand) startLoad() {
	s.t.Helper()
	c := s.Client()
	keys := map[string][]client.Key{}
	for _, chain := range chains {
		made, err := c.Keygen(s.t.Context(), client.KeygenRequest{Chain: chain, Count: bulkItems})
		if err != nil {
			s.t.Fatal(err)
		}
		keys[chain] = made.Keys
	}
	sign := func(count int) func(context.Context, int) error {
		return func(ctx context.Context, i int) error {
			_, err := c.Sign(ctx, client.SignRequest{Items: items(keys[chains[i%len(chains)]], i, count)})
			return err
		}
	}
	keygen := func(ctx context.Context, i int) error {
		_, err := c.Keygen(ctx, client.KeygenRequest{Chain: chains[i%len(chains)], Count: keygenKeys})
		return err
	}
	s.users = users{t: s.t, loads: []load{
		{"sign", s.load.Sign, sign(1)}, {"bulk", s.load.Bulk, sign(bulkItems)}, {"keygen", s.load.Keygen, keygen},
	}}
	s.t.Cleanup(s.users.Pause)
	s.users.Resume()
}

// items asks for count signatures of fresh messages.
func items(keys []client.Key, i, count int) []client.SignItem {
	asked := make([]client.SignItem, count)
	for n := range asked {
		message := make([]byte, 32)
		rand.Read(message) // never fails
		k := keys[(i+n)%len(keys)]
		asked[n] = client.SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message}
	}
	return asked
}

// users put the loads on.
type users struct {
	t     interface{ Context() context.Context }
	loads []load

	mu      sync.Mutex
	running sync.WaitGroup
	stop    context.CancelFunc // nil: paused
	said    map[string]loadgen.Snapshot
}

// Resume starts the loads, unless they run.
func (u *users) Resume() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(u.t.Context())
	u.stop, u.said = stop, map[string]loadgen.Snapshot{}
	for _, l := range u.loads {
		if l.rate > 0 {
			u.running.Go(func() { u.run(ctx, l) })
		}
	}
}

func (u *users) run(ctx context.Context, l load) {
	_, _ = loadgen.Run(ctx, loadgen.Load{ // what fails is in the snapshots; the rest is the end of ctx
		Rate: l.rate, Duration: loadTime, Workers: loadWidth,
		Do: func(ctx context.Context, i int) (int, error) {
			ctx, cancel := context.WithTimeout(ctx, jobTime)
			defer cancel()
			return 1, l.do(ctx, i)
		},
		Busy: func(err error) bool { return errors.As(err, new(*client.BusyError)) },
		Progress: func(s loadgen.Snapshot) {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.said[l.name] = s
		},
	})
}

// Pause ends the loads and what is under way, unless they are paused.
func (u *users) Pause() {
	u.mu.Lock()
	stop := u.stop
	u.stop = nil
	u.mu.Unlock()
	if stop != nil {
		stop()
		u.running.Wait()
	}
}

// Failed counts the jobs that failed since the last Resume.
func (u *users) Failed() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	failed := 0
	for _, said := range u.said {
		failed += said.Failed
	}
	return failed
}

// Said tells how the loads are answered since the last Resume.
func (u *users) Said() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	text := ""
	for _, l := range u.loads {
		said := u.said[l.name]
		text += fmt.Sprintf(
			"%s: %d jobs asked for, %d done, %d failed, %d turned away\n",
			l.name,
			said.Started,
			said.Done,
			said.Failed,
			said.Busy,
		)
	}
	return text
}
