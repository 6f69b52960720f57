package webhook

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestTold: a webhook is told of its client's jobs and events, of what is proven, and once.
func TestTold(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.result(gateway, "shop", 99, wire.StatusDone) // before there was a webhook
	mine, denials, all := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
	g := s.gate("a", quick, mine.hook("mine", "shop"), denials.hook("denials", "*", Denied), all.hook("all", "*", Finished, Pending))
	g.delivers(t)
	eventually(t, "turns", func() error {
		if n := strings.Count(g.log.String(), "this gateway delivers"); n < 3 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	s.result(gateway, "shop", 1, wire.StatusDone)
	s.result(gateway, "shop", 2, wire.StatusDenied)
	s.result(gateway, "other", 3, wire.StatusFailed)
	s.result(keyOf(8), "shop", 4, wire.StatusDone) // forged
	s.pending(shop, "shop", 5, 0)
	s.pending(keyOf(8), "shop", 6, 0) // forged
	mine.waitFor(t, 3)
	s.pending(shop, "shop", 5, 1) // an approval came
	s.pending(shop, "shop", 5, 2)
	s.result(gateway, "shop", 7, wire.StatusPartial) // after all others
	mine.waitFor(t, 4)
	denials.waitFor(t, 1)
	all.waitFor(t, 4)
	check := func(r *receiver, want ...string) {
		t.Helper()
		var have []string
		for _, m := range r.seen() {
			have = append(have, m.kind+" "+m.id)
		}
		slices.Sort(have)
		if !slices.Equal(have, want) {
			t.Errorf("told %q, want %q", have, want)
		}
	}
	id := func(client string, n int, state string) string { return client + "." + jobID(n) + "." + state }
	check(mine, "job.denied "+id("shop", 2, "denied"), "job.finished "+id("shop", 1, "done"),
		"job.finished "+id("shop", 7, "partial"), "job.pending "+id("shop", 5, "pending"))
	check(denials, "job.denied "+id("shop", 2, "denied"))
	check(all, "job.finished "+id("other", 3, "failed"), "job.finished "+id("shop", 1, "done"),
		"job.finished "+id("shop", 7, "partial"), "job.pending "+id("shop", 5, "pending"))
	eventually(t, "counts", func() (err error) {
		if n := g.counts.of("mine delivered"); n != 4 || g.counts.of("mine failed") != 0 {
			return fmt.Errorf("%d delivered", n)
		}
		g.Oldest(func(name string, age time.Duration) {
			if age != 0 {
				err = fmt.Errorf("%s: the oldest undelivered event is of %v ago", name, age)
			}
		})
		return err
	})
}

// TestLeavesWhatItWrote: a gateway that leaves gives its turn back also where it does not know
// that its last progress was stored; not where the turn is another's.
func TestLeavesWhatItWrote(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := newWebhooks(Options{Gateway: "a", Manifest: s.manifest, Bus: s.bus, Log: logger(&logSink{})}, quick)
	subject := wire.WebhookSubject("mine")
	for name, after := range map[string]func(*hook) *state{
		"its own": func(h *hook) *state { return h.state("a") },
		"another's": func(*hook) *state {
			return &state{Version: stateVersion, Gateway: "b", Turn: 7, Stream: "x", Open: []string{}, Told: []uint64{}}
		},
	} {
		h := newHook(w, Config{Name: "mine"})
		if _, err := s.bus.Swap(t.Context(), subject, wire.Encode(&state{Version: stateVersion}), h.seq); err != nil {
			t.Fatal(err)
		}
		h.look(t.Context())
		if h.turn == 0 {
			t.Fatal("no turn")
		}
		if _, err := s.bus.Swap(t.Context(), subject, wire.Encode(after(h)), h.seq); err != nil {
			t.Fatal(err)
		}
		h.leave()
		m, _, err := s.bus.LastAtLeader(t.Context(), bus.Webhooks, subject)
		if err != nil {
			t.Fatal(err)
		}
		left, err := parseState(m.Data)
		if err != nil || (left.Gateway == "") != (name == "its own") {
			t.Errorf("%s: it is gateway %q's turn, %v", name, left.Gateway, err)
		}
		if err := s.bus.Delete(t.Context(), bus.Webhooks); err != nil {
			t.Fatal(err)
		}
		eventually(t, "streams", func() error { return s.bus.Apply(t.Context()) })
	}
}

// TestStopDuringWrite: a look that is cut off by the gateway's end leaves no turn behind.
func TestStopDuringWrite(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	w := newWebhooks(Options{Gateway: "a", Manifest: s.manifest, Bus: s.bus, Log: logger(&logSink{})}, quick)
	h := newHook(w, Config{Name: "mine"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.look(ctx)
	if h.turn == 0 {
		t.Fatal("what was to be written was cut off")
	}
	h.leave()
}

// TestTwoGateways: one delivers, the other one only when that one leaves; each event is told once.
func TestTwoGateways(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newReceiver(t, nil)
	hook := r.hook("mine", "shop")
	a := s.gate("a", quick, hook)
	a.delivers(t)
	b := s.gate("b", quick, hook)
	for n := range 40 {
		s.result(gateway, "shop", n, wire.StatusDone)
	}
	r.waitFor(t, 40)
	a.stop()
	b.delivers(t)
	for n := range 10 {
		s.result(gateway, "shop", 40+n, wire.StatusDone)
	}
	r.waitFor(t, 50)
	for job, n := range r.jobs() {
		if n != 1 {
			t.Errorf("job %s was told of %d times", job, n)
		}
	}
	eventually(t, "counts", func() error {
		if x, y := a.counts.of("mine delivered"), b.counts.of("mine delivered"); x != 40 || y != 10 {
			return fmt.Errorf("a delivered %d, b %d", x, y)
		}
		return nil
	})
}

// TestKilled: a gateway that is gone in the midst of it, as kill -9 leaves it, loses nothing.
// What comes twice has the same id and says the same.
func TestKilled(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	hang := make(chan struct{})
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request, n int) bool {
		if n > 5 && n <= 5+maxAtOnce {
			select {
			case <-hang:
			case <-req.Context().Done():
				return false
			}
		}
		return true
	})
	defer close(hang)
	short := quick
	short.turn = time.Second
	hook := r.hook("mine", "shop")
	a := s.gate("a", short, hook)
	a.delivers(t)
	for n := range 30 {
		s.result(gateway, "shop", n, wire.StatusDone)
	}
	r.waitFor(t, 5)
	eventually(t, "requests that hang", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.asked < 5+maxAtOnce {
			return fmt.Errorf("%d requests", r.asked)
		}
		return nil
	})
	a.bus.Conn().Close() // it can say nothing more to anybody
	b := s.gate("b", short, hook)
	r.waitFor(t, 30)
	b.delivers(t)
	bodies := map[string]string{}
	for _, m := range r.seen() {
		if before, ok := bodies[m.id]; ok && before != m.body {
			t.Errorf("%s says %s, and said %s", m.id, m.body, before)
		}
		bodies[m.id] = m.body
	}
}

// TestReceivers: what receivers do wrong is tried again, follows nothing, and holds up nobody.
func TestReceivers(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	elsewhere := newReceiver(t, nil)
	fail := func(code, times int) *receiver {
		return newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) bool {
			if n <= times {
				w.Header().Set("Location", elsewhere.URL)
				w.WriteHeader(code)
			}
			return n > times
		})
	}
	broken, moved := fail(500, 3), fail(307, 2)
	slow := newReceiver(t, func(_ http.ResponseWriter, req *http.Request, n int) bool {
		if n == 1 {
			<-req.Context().Done()
		}
		return n > 1
	})
	huge := newReceiver(t, func(w http.ResponseWriter, req *http.Request, _ int) bool {
		for chunk := make([]byte, 64<<10); req.Context().Err() == nil; {
			if _, err := w.Write(chunk); err != nil {
				break
			}
		}
		return true
	})
	good := newReceiver(t, nil)
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	gone := Config{Name: "dead", Client: "*", URL: dead.URL + "/hush", Secrets: [][]byte{secret}}
	short := quick
	short.attempt = time.Second
	g := s.gate("a", short, gone, broken.hook("broken", "*"), moved.hook("moved", "*"), slow.hook("slow", "*"),
		huge.hook("huge", "*"), good.hook("good", "*"))
	eventually(t, "turns", func() error {
		if n := strings.Count(g.log.String(), "this gateway delivers"); n < 6 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	for n := range maxOpen + 20 { // more than the dead one's queue holds
		s.result(gateway, "shop", n, wire.StatusDone)
	}
	good.waitFor(t, maxOpen+20)
	broken.waitFor(t, maxOpen+20)
	moved.waitFor(t, maxOpen+20)
	slow.waitFor(t, maxOpen+20)
	eventually(t, "deliveries to who says too much", func() error {
		if n := g.counts.of("huge delivered"); n < maxOpen+20 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	if n := len(elsewhere.seen()); n != 0 {
		t.Errorf("%d redirections were followed", n)
	}
	if b, d := g.counts.of("broken failed"), g.counts.of("dead delivered"); b < 3 || d != 0 || g.counts.of("dead failed") == 0 {
		t.Errorf("%v", g.counts.seen)
	}
	eventually(t, "that only the dead one lacks events", func() (err error) {
		g.Oldest(func(name string, age time.Duration) {
			if (name == "dead") != (age > 0) {
				err = fmt.Errorf("%s: the oldest undelivered event is of %v ago", name, age)
			}
		})
		return err
	})
	for _, want := range []string{"webhook=dead of=", "the receiver answers 500", "answers 307: redirections are not followed"} {
		if !strings.Contains(g.log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(g.log.String(), "hush") {
		t.Error("the log has a URL's secret in it")
	}
}

// TestNewStream: where RESULTS was made anew, what comes then is told.
func TestNewStream(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newReceiver(t, nil)
	often := quick
	often.turn = time.Second // how often it looks; there is no other gateway
	g := s.gate("a", often, r.hook("mine", "shop"))
	g.delivers(t)
	for n := range 5 {
		s.result(gateway, "shop", n, wire.StatusDone)
	}
	r.waitFor(t, 5)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	config, err := s.bus.Config(ctx, bus.Results)
	if err == nil {
		err = s.bus.Delete(ctx, bus.Results)
	}
	if err == nil {
		err = s.bus.Create(ctx, bus.Results, config)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.result(gateway, "shop", 5, wire.StatusDone)
	r.waitFor(t, 6)
}

// TestSecrets: while a secret is replaced, both sign; what changes counts at once, and a
// webhook goes on where it was.
func TestSecrets(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newReceiver(t, nil)
	hook := r.hook("mine", "shop")
	g := s.gate("a", quick, hook)
	g.delivers(t)
	next := []byte(strings.Repeat("n", 24))
	told := 0
	tell := func() {
		t.Helper()
		s.result(gateway, "shop", told, wire.StatusDone)
		told++
		r.waitFor(t, told)
	}
	tell()
	hook.Secrets = [][]byte{next, secret}
	g.Set([]Config{hook})
	tell()
	r.mu.Lock()
	r.secret = next
	r.mu.Unlock()
	tell()
	hook.Secrets = [][]byte{next}
	g.Set([]Config{hook})
	tell()
	g.Set(nil)
	s.result(gateway, "shop", told, wire.StatusDone)
	told++
	g.Set([]Config{hook})
	r.waitFor(t, told)
	for job, n := range r.jobs() {
		if n != 1 {
			t.Errorf("job %s was told of %d times", job, n)
		}
	}
}

// TestGivenUp: after a day it ends, with a line.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	g := &counts{seen: map[string]int{}}
	log := &logSink{}
	w := newWebhooks(Options{Observe: g, Log: logger(log)}, quick)
	h := newHook(w, Config{Name: "mine"})
	h.begin(&state{})
	for i, age := range []time.Duration{giveUp - time.Hour, giveUp + time.Second} {
		subject := fmt.Sprint("res.shop.", i)
		h.queue.add(subject, &event{subject: subject, at: time.Now().Add(-age)})
		h.queue.due(time.Now())
		h.took(outcome{turn: h.turn, subject: subject, event: h.queue.open[subject].event, err: errors.New("refused")})
	}
	h.queue.add("res.shop.2", nil)
	h.took(outcome{turn: h.turn, subject: "res.shop.2", err: errLost})
	h.queue.add("res.shop.3", nil)
	h.took(outcome{turn: h.turn + 1, subject: "res.shop.3"}) // of an earlier turn
	if len(h.queue.open) != 2 || g.of("mine failed") != 1 || g.of("mine given_up") != 2 || g.of("mine delivered") != 0 {
		t.Errorf("%d open, %v", len(h.queue.open), g.seen)
	}
	if got := strings.Count(log.String(), "given up"); got != 2 {
		t.Errorf("%d lines: %s", got, log)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	q, now := newQueue(5*time.Second), time.Unix(1e9, 0)
	for i := range maxOpen {
		q.add(fmt.Sprint(i), &event{at: now.Add(-time.Duration(i) * time.Second)})
		q.add(fmt.Sprint(i), nil)
	}
	if q.room() != 0 || !q.oldest().Equal(now.Add(-(maxOpen-1)*time.Second)) {
		t.Errorf("room for %d, oldest %v", q.room(), q.oldest())
	}
	first := q.due(now)
	if len(first) != maxAtOnce || first[0] != "0" || len(q.due(now)) != 0 {
		t.Errorf("due %v", first)
	}
	q.done("1")
	q.failed("0", now)
	if again := q.due(now); len(again) != 2 || again[0] != "8" {
		t.Errorf("due %v", again)
	}
	var pauses []time.Duration
	for range 10 {
		pauses = append(pauses, q.open["0"].next.Sub(now))
		q.failed("0", now)
	}
	want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second}
	if !slices.Equal(pauses[:4], want) || pauses[9] != maxPause {
		t.Errorf("pauses %v", pauses)
	}
	q.later("0", now)
	for i := range maxOpen {
		q.done(fmt.Sprint(i))
	}
	if len(q.order) != 0 || !q.oldest().IsZero() || q.room() != maxOpen {
		t.Errorf("%+v", q)
	}
}

// TestState: what is kept fits the stream at its fullest, and bad bytes are an error.
func TestState(t *testing.T) {
	t.Parallel()
	s := state{Version: stateVersion, Gateway: strings.Repeat("g", 64), Turn: 1 << 63, Stream: strings.Repeat("s", 200),
		Position: 1 << 63}
	for i := range maxOpen {
		s.Open = append(s.Open, wire.PendingSubject(strings.Repeat("c", 64), jobID(i)))
	}
	for i := range maxTold {
		s.Told = append(s.Told, 1<<63+uint64(i))
	}
	data := wire.Encode(&s)
	back, err := parseState(data)
	if err != nil || len(data) > maxState || len(back.Open) != maxOpen || back.Told[1] != s.Told[1] {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	for what, change := range map[string]func(*state){
		"a later format": func(s *state) { s.Version++ },
		"too much":       func(s *state) { s.Open = append(s.Open, "res.a.b") },
		"a subject":      func(s *state) { s.Open = []string{"job.sign.a"} },
	} {
		bad := s
		change(&bad)
		if _, err := parseState(wire.Encode(&bad)); err == nil {
			t.Errorf("%s is read", what)
		}
	}
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	line := func(n int) string { return secretMark + base64.StdEncoding.EncodeToString(make([]byte, n)) + "\n" }
	for text, want := range map[string]int{
		line(24): 1, line(64): 1, "\n" + line(32) + line(24): 2, "": 0, line(23): 0, line(65): 0,
		line(24) + line(24) + line(24): 0, strings.TrimPrefix(line(24), secretMark): 0, line(24) + "hush": 0,
		secretMark + "hush\xff": 0,
	} {
		got, err := ParseSecrets([]byte(text))
		if len(got) != want || (err == nil) != (want > 0) || err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %d, %v", text, len(got), err)
		}
	}
}

// TestWith: what is proven counts more than what the directory has.
func TestWith(t *testing.T) {
	t.Parallel()
	at := time.Unix(1e9, 0)
	e := event{job: directory.Job{ID: "1", Client: "shop", Kind: wire.KindSign, State: directory.Failed, Code: "poison",
		Ended: at, Created: at, Gateway: "a"}}
	known := directory.Job{ID: "x", Client: "x", State: directory.Accepted, Count: 7, Done: 3, Created: at.Add(-time.Hour),
		Label: "order 4711", Metadata: map[string]string{"a": "b"}}
	got := e.with(known)
	if got.ID != "1" || got.Client != "shop" || got.State != directory.Failed || got.Code != "poison" || got.Count != 7 ||
		got.Done != 0 || !got.Created.Equal(known.Created) || got.Label != known.Label || got.Gateway != "a" || !got.Ended.Equal(at) {
		t.Errorf("%+v", got)
	}
	if got = e.with(directory.Job{}); !got.Created.Equal(at) {
		t.Errorf("%+v", got)
	}
}

// FuzzState: whatever stands in WEBHOOKS, it is refused, or says the same when encoded again.
func FuzzState(f *testing.F) {
	f.Add(wire.Encode(&state{Version: stateVersion, Gateway: "a", Open: []string{"res.a.b", "pending.a.b"}, Told: []uint64{1}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseState(data)
		if err != nil {
			return
		}
		if again, err := parseState(wire.Encode(s)); err != nil || len(again.Open) != len(s.Open) {
			t.Fatalf("%+v, %v", again, err)
		}
	})
}

// FuzzSecretFile: nothing of it is repeated.
func FuzzSecretFile(f *testing.F) {
	f.Add([]byte(secretMark + base64.StdEncoding.EncodeToString(secret)))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := ParseSecrets(text)
		if (err == nil) == (len(all) == 0) {
			t.Fatalf("%d secrets, %v", len(all), err)
		}
		for _, s := range all {
			if len(s) < minSecret || len(s) > maxSecret {
				t.Fatalf("a secret of %d bytes", len(s))
			}
		}
	})
}

// TestTLS: a certificate that nobody vouches for is an error, which names no URL.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	send := func(roots *x509.CertPool) error {
		return newPoster(roots, "v0", patience).post(t.Context(), server.URL+"/hush", [][]byte{secret}, "id", time.Now(), []byte("{}"))
	}
	if err := send(roots); err != nil {
		t.Error(err)
	}
	if err := send(nil); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("without a root that vouches for it: %v", err)
	}
}

// TestReceiversOfOneHost: a receiver that hangs holds up no other one that has its host.
func TestReceiversOfOneHost(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request, _ int) bool {
		if req.URL.Path == "/hangs" {
			<-req.Context().Done()
			return false
		}
		return true
	})
	hangs := r.hook("hangs", "other")
	hangs.URL = r.URL + "/hangs"
	patient := quick
	patient.attempt = time.Hour
	g := s.gate("a", patient, hangs, r.hook("good", "shop"))
	eventually(t, "turns", func() error {
		if n := strings.Count(g.log.String(), "this gateway delivers"); n < 2 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	for n := range 2 * maxAtOnce {
		s.result(gateway, "other", n, wire.StatusDone)
	}
	eventually(t, "requests that hang", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.asked < maxAtOnce {
			return fmt.Errorf("%d requests", r.asked)
		}
		return nil
	})
	s.result(gateway, "shop", 99, wire.StatusDone)
	r.waitFor(t, 1)
}

// TestLeavesWhatHangs: who ends while its receiver hangs gives the turn back all the same.
func TestLeavesWhatHangs(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	asked := make(chan struct{}, 1)
	r := newReceiver(t, func(_ http.ResponseWriter, req *http.Request, _ int) bool {
		asked <- struct{}{}
		<-req.Context().Done()
		return false
	})
	g := s.gate("a", quick, r.hook("mine", "shop"))
	g.delivers(t)
	s.result(gateway, "shop", 1, wire.StatusDone)
	<-asked
	g.stop()
	m, found, err := s.bus.LastAtLeader(t.Context(), bus.Webhooks, wire.WebhookSubject("mine"))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	kept, err := parseState(m.Data)
	if err != nil || kept.Gateway != "" || !slices.Equal(kept.Open, []string{wire.StoredResultSubject("shop", jobID(1))}) {
		t.Errorf("%+v, %v", kept, err)
	}
}

// TestJobsThatProveNothing: however many of them wait, few are read once more in a look, behind
// those that are new; and each is read again before long.
func TestJobsThatProveNothing(t *testing.T) {
	t.Parallel()
	h := newHook(newWebhooks(Options{Log: logger(&logSink{})}, quick), Config{Name: "mine"})
	h.begin(&state{})
	subjects := []string{"pending.shop.new", "pending.shop.told"}
	h.told[mark(subjects[1])] = true
	for i := range 4 * maxAgain {
		subject := fmt.Sprint("pending.shop.", i)
		subjects, h.skipped[subject] = append(subjects, subject), 1
	}
	read := map[string]bool{}
	for range 1000 {
		all := h.untold(subjects)
		if len(all) != 1+maxAgain || all[0] != "pending.shop.new" {
			t.Fatalf("%d are read, %s first", len(all), all[0])
		}
		for _, subject := range all {
			read[subject] = true
		}
	}
	if len(read) != 1+4*maxAgain || read["pending.shop.told"] {
		t.Errorf("%d are read in all", len(read))
	}
}

// TestProvenLater: a job that waits and proved nothing is told of once it does, once.
func TestProvenLater(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newReceiver(t, nil)
	g := s.gate("a", quick, r.hook("mine", "shop"))
	g.delivers(t)
	s.pending(keyOf(8), "shop", 1, 0)
	eventually(t, "a line", func() error {
		if !strings.Contains(g.log.String(), "it is not proven") {
			return errors.New(g.log.String())
		}
		return nil
	})
	s.pending(shop, "shop", 1, 0)
	r.waitFor(t, 1)
	s.pending(shop, "shop", 2, 0)
	s.pending(shop, "shop", 1, 1)
	r.waitFor(t, 2)
	time.Sleep(5 * quick.list) // what comes too often comes now
	if got := r.jobs(); got[jobID(1)] != 1 {
		t.Errorf("told %v", got)
	}
}

// TestResultsThatAreTooLong: what a gateway that lies may sign is not kept for a receiver that is down.
func TestResultsThatAreTooLong(t *testing.T) {
	t.Parallel()
	access, err := newAccess()
	if err != nil {
		t.Fatal(err)
	}
	m := &wire.Manifest{Fleet: "main", Network: "regtest", N: 3, T: 2}
	long := strings.Repeat("x", maxError+1)
	for what, change := range map[string]func(*wire.Result){
		"nothing": func(*wire.Result) {},
		"a code":  func(r *wire.Result) { r.Code = wire.Code(long) },
		"a kind":  func(r *wire.Result) { r.Kind = wire.Kind(long) },
		"a chain": func(r *wire.Result) { r.Chain = long },
	} {
		r := wire.Result{Job: jobID(1), Client: "shop", Kind: wire.KindSign, Status: wire.StatusFailed, Error: long}
		change(&r)
		payload := r.Encode()
		signature := ed25519.Sign(gateway, wire.ResultSigningInput(m, "shop", r.Job, payload))
		e, err := readResult(m, access, bus.Message{Subject: wire.StoredResultSubject("shop", r.Job), Data: payload,
			Header: map[string][]string{wire.HeaderGateway: {"a"}, wire.HeaderSignature: {hex.EncodeToString(signature)}}})
		if (err == nil) != (what == "nothing") || err == nil && e.job.Error != long[:maxError] {
			t.Errorf("%s: %+v, %v", what, e, err)
		}
	}
}
