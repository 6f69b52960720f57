package chaos

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/fleet"
	core "github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/chaos/history"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// A clone is what a machine restored from an image is: a process with the storage, keys,
// credentials and configuration of one that runs, or that stands still and goes on later.

// cloned is the node whose processes are copied.
const cloned = 0

// body is a process that runs as a node.
type body struct {
	*process
	dir  string // below the fleet's
	port int    // of its health
}

func (s *Stand) original() *body {
	return &body{s.proc(nodeName(cloned)), filepath.Dir(fleet.NodeFile(cloned)), s.httpPort(nodeName(cloned))}
}

// image copies a body's files as they are now. Only the port is another one, as both are on
// one machine here.
func (s *Stand) image(of *body) *body {
	s.t.Helper()
	s.copies++
	name := fmt.Sprint("clone", s.copies)
	c := &body{dir: name, port: freeport.New(s.t)}
	s.must(os.CopyFS(filepath.Join(s.dir, name), os.DirFS(filepath.Join(s.dir, of.dir))))
	s.private(name)
	file := filepath.Join(name, filepath.Base(fleet.NodeFile(cloned)))
	s.edit(file, func(text string) string {
		return s.replaced(text, fmt.Sprintf("port = %d #", of.port), fmt.Sprintf("port = %d #", c.port))
	})
	c.process = newProcess(filepath.Dir(s.procs[0].log), name, s.dir, nil,
		filepath.Join(s.bin, "frost-worker"), "run", "--config", file)
	s.t.Cleanup(func() {
		c.kill()
		s.must(os.RemoveAll(filepath.Join(s.dir, name)))
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", c.name, c.tail(25))
		}
	})
	return c
}

// awaitBody waits for a body to be ready.
func (s *Stand) awaitBody(b *body) {
	s.t.Helper()
	s.await(b.name+" gets ready", func() error {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", b.port))
		if err != nil {
			return fmt.Errorf("%w; it says %s", err, b.tail(2))
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("not ready: %s", b.tail(2))
		}
		return nil
	})
}

// fenced waits for a process to end because of another one, which it has to name.
func (s *Stand) fenced(loser, winner *body) (at time.Time) {
	s.t.Helper()
	code, err := loser.exit(patience)
	at = time.Now()
	s.must(err)
	host, err := os.Hostname()
	s.must(err)
	want := fmt.Sprintf("another process runs under presence.node.%d (host %q, pid %d", cloned, host, winner.pid())
	said := strings.ReplaceAll(loser.tail(5), `\"`, `"`)
	if code != 1 || !strings.Contains(said, want) {
		s.t.Errorf("%s ended with %d and does not say %s:\n%s", loser.name, code, want, said)
	}
	return at
}

// cloneBeside clones a process that runs and starts the clone, which has to end without a word.
func (s *Stand) cloneBeside(of *body) (took time.Duration) {
	s.t.Helper()
	before := s.voicesOf(cloned)
	c := s.image(of)
	began := time.Now()
	s.must(c.start())
	took = s.fenced(c, of).Sub(began)
	for voice := range s.voicesOf(cloned) {
		if _, known := before[voice]; !known { // a session key that the other one has taken since then, or the clone's
			s.await("a new voice is heard again", func() error { return s.heardAfter(voice, began.Add(took)) })
		}
	}
	s.awaitBody(of)
	s.Event("a clone beside a running worker ended after %.2f s", took.Seconds())
	return took
}

// cloneOfFrozen has a process stand still until its clone has taken its place, and go on then. It
// returns the clone, and how long the two ran beside each other.
func (s *Stand) cloneOfFrozen(of *body, within time.Duration) (c *body, took time.Duration) {
	s.t.Helper()
	s.must(of.pause())
	paused := time.Now()
	old := s.voicesOf(cloned)
	c = s.image(of)
	s.must(c.start())
	s.awaitBody(c)
	s.Event("a clone of a worker that stands still is ready %.1f s after that", time.Since(paused).Seconds())
	resumed := time.Now()
	s.must(of.resume())
	ended := s.fenced(of, c)
	s.awaitNewVoice(old, ended)
	h := history.Handover{Node: cloned, Resumed: resumed, Within: within, Old: map[string]bool{}}
	for voice := range old {
		h.Old[voice] = true
	}
	s.mu.Lock()
	s.seen.Handovers = append(s.seen.Handovers, h)
	s.mu.Unlock()
	took = ended.Sub(resumed)
	var last time.Duration
	for voice, at := range s.voicesOf(cloned) {
		if h.Old[voice] {
			last = max(last, at.Sub(resumed))
		}
	}
	s.Event("a worker that went on beside its clone ended after %.2f s; its last message came after %.2f s (0: none came)",
		took.Seconds(), last.Seconds())
	return c, took
}

// heardAfter reports whether a voice of the node was heard after a time.
func (s *Stand) heardAfter(voice string, t time.Time) error {
	if !s.voicesOf(cloned)[voice].After(t) {
		return fmt.Errorf("nothing was heard of it since %s", t)
	}
	return nil
}

// awaitNewVoice waits until the node speaks under a session key that is not one of those. As
// gateways do without a node that failed them, another one stands still meanwhile.
func (s *Stand) awaitNewVoice(old map[string]time.Time, since time.Time) {
	s.t.Helper()
	other := s.proc(nodeName(device))
	s.must(other.pause())
	s.await("the clone signs", func() error {
		for voice, last := range s.voicesOf(cloned) {
			if _, was := old[voice]; !was && last.After(since) {
				return nil
			}
		}
		return fmt.Errorf("nothing was heard of node %d since", cloned)
	})
	s.must(other.resume())
}

// voicesOf is when each session key of a node spoke last in SIGN, by what SIGN has.
func (s *Stand) voicesOf(node int) map[string]time.Time {
	s.t.Helper()
	s.readSign()
	s.mu.Lock()
	defer s.mu.Unlock()
	last := map[string]time.Time{}
	for _, u := range s.seen.Spoken {
		if u.Node == node && u.At.After(last[u.Voice]) {
			last[u.Voice] = u.At
		}
	}
	return last
}

// readSign reads what SIGN has recorded and what was not read before: whatever a server
// passed on to nobody is there too.
func (s *Stand) readSign() {
	s.t.Helper()
	for {
		var part []bus.Message
		var more bool
		s.await("SIGN is read", func() (err error) {
			part, more, err = s.admin.Part(s.t.Context(), bus.Sign, s.signRead+1, "sign.>")
			return err
		})
		for _, m := range part {
			s.signRead = m.Seq
			s.saw(m.Subject, m.Data)
			if u, ok := utteranceOf(m); ok {
				s.mu.Lock()
				s.seen.Spoken = append(s.seen.Spoken, u)
				s.mu.Unlock()
			}
		}
		if !more {
			return
		}
	}
}

// utteranceOf is who said a message of SIGN, and when it was stored.
func utteranceOf(m bus.Message) (u history.Utterance, ok bool) {
	slot, err := core.ParseSlot(m.Subject)
	var e core.Envelope
	if err != nil || core.Decode(m.Data, core.MaxMessageSize, &e) != nil || len(e.Delegation) == 0 {
		return u, false
	}
	return history.Utterance{Node: slot.Node, Voice: fingerprint(e.Delegation), At: m.Time}, true
}

// clones has a node cloned while it runs and while it stands still, so many times, and
// returns how long it took until one of two had ended. within is how long both may be heard.
func (s *Stand) clones(rounds int, within time.Duration) (running, frozen []time.Duration) {
	s.t.Helper()
	now := s.original()
	for range rounds {
		running = append(running, s.cloneBeside(now))
		next, took := s.cloneOfFrozen(now, within)
		frozen = append(frozen, took)
		now = next
	}
	s.must(now.end()) // the original comes back
	s.whole()
	s.awaitReady()
	s.readSign()
	return running, frozen
}

// fenceTime is how long both may be heard on a machine that has time for them, and
// fenceTimeBusy on one that has not.
const (
	fenceTime     = 2 * time.Second
	fenceTimeBusy = 10 * time.Second
)

// cloneRounds of the long form.
const cloneRounds = 20

func clonedWorkers(m *measuring) {
	l := m.loadOf(m.user)
	running, frozen := m.clones(cloneRounds, fenceTime)
	l.stopLoad()
	m.Event("a clone beside a running worker: %s", spread(running))
	m.Event("a worker that goes on beside its clone: %s", spread(frozen))
	m.figure("a clone beside a running worker: longest time until it has ended", slices.Max(running).Seconds())
	m.figure("a worker that goes on beside its clone: longest time until it has ended", slices.Max(frozen).Seconds())
}

// spread of measured times, for people.
func spread(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("%d times, %.2f to %.2f s, half in %.2f s", len(all), all[0].Seconds(),
		all[len(all)-1].Seconds(), all[len(all)/2].Seconds())
}
