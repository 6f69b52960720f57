package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/freeport"
)

func TestKeygen(t *testing.T) {
	s, c := start(t)
	for _, chain := range []string{"bitcoin", "solana"} {
		t.Run(chain, func(t *testing.T) {
			var progress []int
			got, err := c.Keygen(t.Context(), KeygenRequest{
				Chain: chain, Count: 7, JobKeys: 3,
				Progress: func(done, total int) { progress = append(progress, done, total) },
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Keys) != 7 || len(got.Proofs) != 3 {
				t.Fatalf("%d keys, %d proofs; want 7, 3", len(got.Keys), len(got.Proofs))
			}
			if n := len(progress); n != 6 || progress[n-2] != 7 || progress[n-1] != 7 {
				t.Errorf("progress %v", progress)
			}
			for _, k := range got.Keys {
				if !s.has(k.ID) || k.Chain != chain || k.Address == "" || !bytes.Equal(k.ChainCode, stubChainCode(k.ID)) {
					t.Errorf("key %+v is not the stub's", k)
				}
			}
			checkSaved(t, stated(s.manifest), got)
		})
	}
}

// checkSaved writes proofs as frostctl does and verifies what it reads back.
func checkSaved(t *testing.T, m *Manifest, want *KeygenResult) {
	t.Helper()
	var ids, back []string
	for _, p := range want.Proofs {
		line, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var read Proof
		if err := json.Unmarshal(line, &read); err != nil {
			t.Fatal(err)
		}
		keys, err := read.Verify(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			back = append(back, fmt.Sprintf("%s %s %x", k.ID, k.Address, k.ChainCode))
		}
	}
	for _, k := range want.Keys {
		ids = append(ids, fmt.Sprintf("%s %s %x", k.ID, k.Address, k.ChainCode))
	}
	if fmt.Sprint(ids) != fmt.Sprint(back) {
		t.Errorf("saved proofs give keys %v, want %v", back, ids)
	}
}

func TestSign(t *testing.T) {
	_, c := start(t)
	for _, chain := range []string{"bitcoin", "solana"} {
		t.Run(chain, func(t *testing.T) {
			keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: chain, Count: 2})
			if err != nil {
				t.Fatal(err)
			}
			var items []SignItem
			for i := range MaxJobItems + 5 {
				k := keys.Keys[i%2]
				items = append(items, SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message(byte(i))})
				if chain == "bitcoin" && i%3 == 0 {
					items[i].ScriptRoot = message(9)
				}
			}
			var done int
			got, err := c.Sign(t.Context(), SignRequest{Items: items, Progress: func(n, _ int) { done = n }})
			if err != nil {
				t.Fatal(err)
			}
			if done != len(items) {
				t.Errorf("progress ended at %d of %d", done, len(items))
			}
			for i, sig := range got.Signatures {
				if sig.Key != items[i].Key || VerifySignature(got.Suite, sig.PublicKey, items[i].Message, sig.Signature) != nil {
					t.Fatalf("signature %d is not that of item %d", i, i)
				}
			}
			items[0].PublicKey = keys.Keys[1].PublicKey
			_, err = c.Sign(t.Context(), SignRequest{Items: items[:1]})
			if proof := (*ProofError)(nil); !errors.As(err, &proof) {
				t.Errorf("signature of another key than expected: %v, want a *ProofError", err)
			}
		})
	}
}

// TestSubmit: the handle's job is answered, and published again it is the same
// job.
func TestSubmit(t *testing.T) {
	s, c := start(t)
	req := KeygenRequest{Chain: "solana", Count: 1, Expires: time.Now().Add(time.Minute), JobID: "0198c0de-0000-7000-8000-000000000001"}
	first, err := c.SubmitKeygen(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if first.Job() != req.JobID {
		t.Errorf("job %s, want %s", first.Job(), req.JobID)
	}
	want, err := first.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.onJob(func(job wire.SignedJob) { // as a gateway does: the stored result, announced again
		m, ok, err := s.bus.Last(t.Context(), "RESULTS", "res."+stubClient+"."+req.JobID)
		if err != nil || !ok {
			t.Error(ok, err)
			return
		}
		s.announceRaw(req.JobID, m.Data, m.Header)
	})
	second, err := c.SubmitKeygen(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := second.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Keys[0].ID != want.Keys[0].ID {
		t.Errorf("the same job gave key %s, then %s", want.Keys[0].ID, got.Keys[0].ID)
	}
	if _, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: MaxJobKeys + 1, JobID: req.JobID}); !errors.Is(err, errOneJob) {
		t.Errorf("a large request with a job id: %v", err)
	}
}

func TestRefusedBeforePublishing(t *testing.T) {
	s, c := start(t)
	key := "00112233445566778899aabbccddeeff.0"
	tests := []struct {
		name string
		ask  func() error
		code Code
	}{
		{"no keys", func() error {
			_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin"})
			return err
		}, CodeEmptyBatch},
		{"unknown chain", func() error {
			_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "dogecoin", Count: 1})
			return err
		}, CodeUnknownChain},
		{"too many for one job", func() error {
			_, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: MaxJobKeys + 1})
			return err
		}, CodeTooLarge},
		{"expired", func() error {
			_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1, Expires: time.Now().Add(-time.Second)})
			return err
		}, CodeExpired},
		{"nothing to sign", func() error { _, err := c.Sign(t.Context(), SignRequest{}); return err }, CodeEmptyBatch},
		{"bad key id", func() error {
			_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{{Key: "x", Message: message(1)}}})
			return err
		}, CodeUnknownKey},
		{"short hash", func() error {
			_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{{Key: key, Message: []byte{1}, PublicKey: append([]byte{2}, message(1)...)}}})
			return err
		}, CodeBadMessage},
		{"empty message", func() error {
			_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{{Key: key}}})
			return err
		}, CodeBadMessage},
		{"script root on ed25519", func() error {
			_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{{Key: key, Message: message(1), ScriptRoot: message(1), PublicKey: message(1)}}})
			return err
		}, CodeBadTweak},
		{"hardened path", func() error {
			_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{{Key: key, Path: "0'", Message: message(1)}}})
			return err
		}, CodeBadPath},
		{"deep path", func() error {
			_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{{Key: key, Path: "0/0/0/0/0/0/0/0/0", Message: message(1)}}})
			return err
		}, CodeBadPath},
		{"path without a chain code", func() error {
			_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{{Key: key, Path: "0", Message: message(1), PublicKey: message(1)}}})
			return err
		}, CodeBadPath},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var refused *JobError
			if err := tt.ask(); !errors.As(err, &refused) || refused.Code != tt.code || refused.Gateway != "" {
				t.Errorf("got %v, want %s from this side", err, tt.code)
			}
		})
	}
	if n := s.published(); n != 0 {
		t.Errorf("%d jobs were published", n)
	}
}

// TestFailedAndRejected: a failure is a *JobError, whether it was stored or, as
// a rejection, only announced.
func TestFailedAndRejected(t *testing.T) {
	s, c := start(t)
	reject := func(job wire.SignedJob) {
		r := s.failure(job, wire.CodeJobIDReused)
		r.Rejected = job.Signature
		s.announce(r)
	}
	for name, answer := range map[string]func(wire.SignedJob){
		"failed":   func(job wire.SignedJob) { s.store(s.failure(job, wire.CodeJobIDReused)) },
		"rejected": reject,
	} {
		t.Run(name, func(t *testing.T) {
			s.onJob(answer)
			_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
			var failed *JobError
			if !errors.As(err, &failed) || failed.Code != CodeJobIDReused || failed.Message != "the stub says so" || failed.Gateway != stubGateway {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestItemsRefused: where a fleet refuses items, the others' signatures are there, checked,
// in whatever jobs they were, and the error says which are missing.
func TestItemsRefused(t *testing.T) {
	s, c := start(t)
	s.onJob(func(job wire.SignedJob) {
		r := s.result(job)
		for i := range r.Sigs {
			if i%2 == 1 {
				r.Status, r.Code, r.Error = wire.StatusPartial, wire.CodeNotOwner, "the stub says so"
				r.Sigs[i] = wire.Signed{Key: r.Sigs[i].Key, Code: wire.CodeNotOwner, Error: "item's own"}
			}
		}
		s.store(r)
	})
	keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	var items []SignItem
	for i := range MaxJobItems + 3 {
		items = append(items, SignItem{Key: keys.Keys[0].ID, PublicKey: keys.Keys[0].PublicKey, Message: message(byte(i))})
	}
	const want = MaxJobItems/2 + 1
	progress := 0
	got, err := c.Sign(t.Context(), SignRequest{Items: items, Progress: func(done, _ int) { progress = done }})
	refused, ok := errors.AsType[*ItemsError](err)
	failed, isJob := errors.AsType[*JobError](err)
	if !ok || !isJob || failed.Code != CodeNotOwner || len(refused.Items) != want || refused.Of != len(items) {
		t.Fatalf("error %v, and %d items of %d are refused", err, len(refused.Items), refused.Of)
	}
	if progress != len(items)-want {
		t.Errorf("%d items are said to be done", progress)
	}
	missing := map[int]bool{}
	for _, it := range refused.Items {
		missing[it.Item] = true
		if it.Code != CodeNotOwner || it.Message != "item's own" || it.Key != items[0].Key || it.Gateway != stubGateway || it.Job == "" {
			t.Fatalf("refused %+v", it)
		}
	}
	for i, sig := range got.Signatures {
		if place := i % MaxJobItems; missing[i] != (place%2 == 1) || missing[i] != (sig.Signature == nil) {
			t.Fatalf("item %d: refused %t, signature %x", i, missing[i], sig.Signature)
		}
	}
	h, err := c.SubmitSign(t.Context(), SignRequest{Items: items[:2]})
	if err != nil {
		t.Fatal(err)
	}
	one, err := h.Wait(t.Context())
	if refused, ok = errors.AsType[*ItemsError](err); !ok || one == nil || one.Signatures[0].Signature == nil || refused.Items[0].Item != 1 {
		t.Errorf("%+v, %v", one, err)
	}
}

// TestPartial: what was generated before an error is returned with it.
func TestPartial(t *testing.T) {
	s, _ := start(t)
	c := s.connect(Config{URL: s.url, MaxInFlight: 1})
	var n atomic.Int32
	s.onJob(func(job wire.SignedJob) {
		if n.Add(1) == 3 {
			s.store(s.failure(job, wire.CodeKeygenFailed))
			return
		}
		s.store(s.result(job))
	})
	got, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 10, JobKeys: 1})
	var failed *JobError
	if !errors.As(err, &failed) || len(got.Keys) != 2 || n.Load() != 3 {
		t.Errorf("%d keys after %d jobs, error %v; want 2 keys after 3 jobs", len(got.Keys), n.Load(), err)
	}
	if _, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1, OnKeys: func([]Key, Proof) error { return io.ErrShortWrite }}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("error of OnKeys came back as %v", err)
	}
}

func TestBusy(t *testing.T) {
	server := startServer(t, t.TempDir(), -1)
	s := newStub(t, server.URL())
	c := s.connect(Config{URL: server.URL()})
	var open []*Handle[KeygenResult]
	for {
		h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
		if busy := (*BusyError)(nil); errors.As(err, &busy) {
			if busy.RetryAfter <= 0 {
				t.Errorf("no hint in %v", busy)
			}
			break
		}
		if err != nil || len(open) > 1000 {
			t.Fatalf("after %d open jobs: %v", len(open), err)
		}
		open = append(open, h)
	}
	busyUntil := func(limit time.Duration) bool {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := c.Keygen(ctx, KeygenRequest{Chain: "solana", Count: 1})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Keygen gave up with %v, want the deadline", err)
		}
		return errors.As(err, new(*BusyError))
	}
	for limit := 200 * time.Millisecond; !busyUntil(limit); limit *= 2 { // there must be time to hear that it is busy
		if limit > patience {
			t.Fatal("Keygen does not say that it is busy")
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
		done <- err
	}()
	time.Sleep(100 * time.Millisecond) // long enough to find it busy
	s.listen(s.bus)
	if err := <-done; err != nil {
		t.Errorf("once there is room: %v", err)
	}
	for _, h := range open {
		if _, err := h.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestLostSubscription: the announcement never arrives, the stored result is
// found.
func TestLostSubscription(t *testing.T) {
	s, _ := start(t)
	c := s.connect(Config{URL: s.url, PollAfter: 50 * time.Millisecond})
	if err := c.sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	got, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 2})
	if err != nil || len(got.Keys) != 2 {
		t.Fatalf("%d keys, %v", len(got.Keys), err)
	}
}

// TestReconnect: the result is stored while the client is away and never
// announced to it; reconnecting makes it look.
func TestReconnect(t *testing.T) {
	dir := t.TempDir()
	port := freeport.New(t)
	first := startServer(t, dir, port)
	s := newStub(t, first.URL())
	c := s.connect(Config{URL: first.URL(), PollAfter: time.Hour})
	h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { _, err := h.Wait(t.Context()); answered <- err }()
	time.Sleep(100 * time.Millisecond) // Wait is listening
	first.Shutdown()

	away := startServer(t, dir, -1)
	s.bus = connectBus(t, away.URL())
	s.store(s.result(h.p.job.SignedJob))
	away.Shutdown()
	startServer(t, dir, port)
	select {
	case err := <-answered:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("no answer after the reconnection")
	}
}

func TestNoAnswer(t *testing.T) {
	server := startServer(t, t.TempDir(), -1)
	s := newStub(t, server.URL())
	c := s.connect(Config{URL: server.URL()})
	c.grace = 0
	_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1, Expires: time.Now().Add(3 * time.Second)})
	if !errors.Is(err, ErrNoAnswer) {
		t.Errorf("got %v, want ErrNoAnswer", err)
	}
	h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	s.store(s.result(h.p.job.SignedJob))
	if _, err := h.Wait(t.Context()); err != nil {
		t.Errorf("waiting again: %v", err)
	}
	if len(c.waiting.jobs) != 0 {
		t.Errorf("%d jobs still waited for", len(c.waiting.jobs))
	}
}

func TestClose(t *testing.T) {
	server := startServer(t, t.TempDir(), -1)
	s := newStub(t, server.URL())
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := s.connect(Config{Conn: nc})
	h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { _, err := h.Wait(t.Context()); answered <- err }()
	c.Close()
	c.Close()
	if err := <-answered; !errors.Is(err, ErrClosed) {
		t.Errorf("who waits hears %v, want ErrClosed", err)
	}
	if _, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1}); !errors.Is(err, ErrClosed) {
		t.Errorf("submit after Close: %v, want ErrClosed", err)
	}
	if nc.IsClosed() {
		t.Error("Close closed the caller's connection")
	}
}

// TestCloseWhileBusy: a request that waits until the fleet has room ends with the
// client, also on a connection that stays.
func TestCloseWhileBusy(t *testing.T) {
	server := startServer(t, t.TempDir(), -1)
	s := newStub(t, server.URL())
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := s.connect(Config{Conn: nc})
	for err = nil; err == nil; {
		_, err = c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	}
	if !errors.As(err, new(*BusyError)) {
		t.Fatal(err)
	}
	before := c.registered()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Keygen(ctx, KeygenRequest{Chain: "solana", Count: 1})
		ended <- err
	}()
	for c.registered() == before {
		time.Sleep(time.Millisecond)
	}
	c.Close()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("it ended with %v, want ErrClosed", err)
	}
}

// registered counts the jobs that are waited for.
func (c *Client) registered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting.jobs)
}

func TestNoStream(t *testing.T) {
	server := startServer(t, t.TempDir(), -1)
	s := &gatewayStub{t: t, gateway: newKey(t), client: newKey(t)}
	s.manifest, s.nodes = newManifest(t)
	c := s.connect(Config{URL: server.URL()})
	if _, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1}); !errors.Is(err, ErrNoStream) {
		t.Errorf("got %v, want ErrNoStream at once", err)
	}
	c.starting = 0
	_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if !errors.Is(err, ErrNoStream) || !strings.Contains(err.Error(), "frostctl bus apply") {
		t.Errorf("got %v, want ErrNoStream with the remedy", err)
	}
}

// TestNoLeader: streams that were there and are away are no missing streams. Servers
// that elect a leader look so, and a patient request waits for them.
func TestNoLeader(t *testing.T) {
	s, c := start(t)
	request := KeygenRequest{Chain: "solana", Count: 1}
	if _, err := c.Keygen(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	c.starting = 0
	js, jobs := s.bus.Conn().JS, "FROST_"+strings.ToUpper(stubFleet)+"_JOBS"
	await(t, "the job's acknowledgement", func(context.Context) error { // comes after its answer
		if s.acked.Load() == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	if err := js.DeleteStream(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := c.SubmitKeygen(t.Context(), request); !errors.As(err, &busy) || errors.Is(err, ErrNoStream) {
		t.Errorf("got %v, want BusyError", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Keygen(t.Context(), request)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(time.Second):
	}
	if err := s.bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNoBulk: a fleet that never stored a large job may lack the stream of large jobs, or the
// client the right to publish there. Who asks hears of it, also if smaller jobs were stored.
func TestNoBulk(t *testing.T) {
	s, c := start(t)
	if _, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.bus.Conn().JS.DeleteStream(t.Context(), c.stream("BULK")); err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("%032x.0", 1)
	request := SignRequest{}
	for range 20 {
		request.Items = append(request.Items, SignItem{Key: key, Message: make([]byte, 2000)})
	}
	var busy *BusyError
	_, err := c.SubmitSign(t.Context(), request)
	if !errors.Is(err, ErrNoStream) || errors.As(err, &busy) || !strings.Contains(err.Error(), ".bulk.sign.") {
		t.Errorf("got %v, want ErrNoStream on bulk.sign", err)
	}
}

// TestStartingFleet: a client that starts together with its fleet waits for
// the streams.
func TestStartingFleet(t *testing.T) {
	server := startServer(t, t.TempDir(), -1)
	s := &gatewayStub{t: t, url: server.URL(), gateway: newKey(t), client: newKey(t), keys: map[string]any{}}
	s.manifest, s.nodes = newManifest(t)
	c := s.connect(Config{URL: server.URL()})
	c.starting = time.Hour
	tried := make(chan struct{}, 1)
	watch, err := c.nc.Subscribe("frost.*.job.>", func(*nats.Msg) {
		select {
		case tried <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
		done <- err
	}()
	<-tried // without a stream
	if err := watch.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	s.bus = connectBus(t, server.URL())
	if err := s.bus.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.listen(s.bus)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestKeygenBound: a count beyond reason is refused before anything is made
// of it.
func TestKeygenBound(t *testing.T) {
	_, c := start(t)
	for _, count := range []int{MaxRequestKeys + 1, 100_000_000_000} {
		_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: count, JobKeys: 1})
		if err == nil || !strings.Contains(err.Error(), "at most 1000000") {
			t.Errorf("%d keys: %v", count, err)
		}
	}
	for _, tt := range []struct{ count, each, size, jobs int }{
		{MaxRequestKeys, 0, MaxJobKeys, MaxRequestKeys / MaxJobKeys}, {MaxJobKeys + 1, 0, MaxJobKeys, 2}, {7, 3, 3, 3}, {6, 3, 3, 2}, {0, 3, 3, 1}, {-5, 3, 3, 1},
	} {
		if size, jobs, err := (KeygenRequest{Count: tt.count, JobKeys: tt.each}).cut(); size != tt.size || jobs != tt.jobs || err != nil {
			t.Errorf("%+v: %d jobs of %d, %v", tt, jobs, size, err)
		}
	}
}

// TestCodes: the codes are the fleet's, all of them.
func TestCodes(t *testing.T) {
	ours := []Code{CodeUnknownClient, CodeBadSignature, CodeKindNotAllowed, CodeMalformedJob, CodeTooLarge, CodeEmptyBatch,
		CodeExpired, CodeExpiryTooFar, CodeJobIDReused, CodeUnknownChain, CodeUnknownKey, CodeNotOwner, CodeBadMessage,
		CodeBadTweak, CodeBadPath, CodeKeygenFailed, CodeSigningFailed, CodePoison, CodeInternal, CodeRegisterIncomplete,
		CodeFrozen, CodeBadPSBT, CodeBadTransaction, CodeNoInput, CodeMissingAmount, CodeBadInput, CodeNotUnderstood,
		CodePolicyDenied, CodeApprovalRequired, CodeTooManyPending}
	var theirs []Code
	for _, code := range wire.JobCodes {
		theirs = append(theirs, Code(code))
	}
	if !slices.Equal(ours, theirs) {
		t.Errorf("%v, the fleet has %v", ours, theirs)
	}
}

// TestDenied: a missing permission is an error at once, not a time-out.
func TestDenied(t *testing.T) {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
		Users: []*server.User{{Username: "alice", Password: "x",
			Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"frost.>"}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	if !srv.ReadyForConnections(patience) {
		t.Fatal("server did not start")
	}
	s := &gatewayStub{t: t, gateway: newKey(t), client: newKey(t)}
	s.manifest, s.nodes = newManifest(t)
	at := strings.Replace(srv.ClientURL(), "nats://", "nats://alice:x@", 1)
	c := s.connect(Config{URL: at})
	_, err = c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if !errors.Is(err, ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
	cfg := Config{URL: strings.Replace(at, ":x@", ":y@", 1), Manifest: stated(s.manifest), Name: stubClient, Key: s.client,
		Gateways: map[string]ed25519.PublicKey{stubGateway: s.gateway.Public().(ed25519.PublicKey)}}
	if _, err := New(t.Context(), cfg); !errors.Is(err, nats.ErrAuthorization) || strings.Contains(err.Error(), ":y@") {
		t.Errorf("wrong password: %v, want a refusal without the password in it", err)
	}
}

func TestConfig(t *testing.T) {
	m, _ := newManifest(t)
	key := newKey(t)
	good := Config{Manifest: stated(m), Name: stubClient, Key: key, Gateways: map[string]ed25519.PublicKey{stubGateway: key.Public().(ed25519.PublicKey)}}
	broken := append(ed25519.PrivateKey{}, key...)
	broken[40] ^= 1
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no manifest", func(c *Config) { c.Manifest = nil }, "manifest.json"},
		{"manifest not parsed", func(c *Config) { c.Manifest = &Manifest{} }, "ParseManifest"},
		{"no gateways", func(c *Config) { c.Gateways = nil }, "no gateways"},
		{"bad name", func(c *Config) { c.Name = "a.b" }, "name"},
		{"no key", func(c *Config) { c.Key = nil }, "private key has 0 bytes"},
		{"broken key", func(c *Config) { c.Key = broken }, "do not belong together"},
		{"half of TLS", func(c *Config) { c.TLSCert = "x" }, "tls_key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good
			tt.change(&cfg)
			if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want something about %q", err, tt.want)
			}
		})
	}
	if _, err := New(t.Context(), Config{}); err == nil || strings.Count(err.Error(), "\n") < 3 {
		t.Errorf("an empty config gives %v, want every error at once", err)
	}
}

// TestConfigRedacted: no way to print a Config shows the key.
func TestConfigRedacted(t *testing.T) {
	cfg := Config{Name: stubClient, Key: newKey(t)}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "config", cfg, "pointer", &cfg)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "config", cfg, "pointer", &cfg)
	encoded, err := json.Marshal(struct{ C Config }{cfg})
	if err != nil {
		t.Fatal(err)
	}
	log.Write(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb, cfg, &cfg)
	}
	for _, secret := range []string{fmt.Sprintf("%x", []byte(cfg.Key[:8])), fmt.Sprintf("%d %d", cfg.Key[0], cfg.Key[1]), stubClient} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q shows in %s", secret, log.String())
		}
	}
}

// TestNoFurtherJobs: after an error, or the end of ctx, no job starts.
func TestNoFurtherJobs(t *testing.T) {
	c := &Client{width: 1}
	started := 0
	fail := func(context.Context, int) (*Handle[SignResult], error) { started++; return nil, io.ErrShortWrite }
	if err := doAll(t.Context(), c, 10, fail, nil); !errors.Is(err, io.ErrShortWrite) || started != 1 {
		t.Errorf("%v after %d jobs", err, started)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := doAll(ended, c, 10, fail, nil); !errors.Is(err, context.Canceled) || started != 1 {
		t.Errorf("%v, %d jobs started", err, started-1)
	}
}

// TestSubmitSignKeepsItsItems: a handle answers for what was asked, whatever the caller
// does with the bytes of its request meanwhile. A gateway would be blamed for it.
func TestSubmitSignKeepsItsItems(t *testing.T) {
	_, c := start(t)
	keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	k := keys.Keys[0]
	items := []SignItem{{Key: k.ID, PublicKey: k.PublicKey, Message: message(1), ScriptRoot: message(2)}}
	h, err := c.SubmitSign(t.Context(), SignRequest{Items: items})
	if err != nil {
		t.Fatal(err)
	}
	copy(items[0].Message, message(3))
	copy(items[0].ScriptRoot, message(3))
	items[0].Key, items[0].PublicKey[5] = "another", items[0].PublicKey[5]^1
	if got, err := h.Wait(t.Context()); err != nil || len(got.Signatures) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
