package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// collecting is a client that puts single requests together as soon as a job is full.
func collecting(t *testing.T) (s *gatewayStub, c *Client, keys map[string]Key) {
	t.Helper()
	s, plain := start(t)
	c = s.connect(Config{URL: s.url, CollectFor: time.Hour})
	keys = map[string]Key{}
	for _, chain := range []string{"bitcoin", "solana"} {
		got, err := plain.Keygen(t.Context(), KeygenRequest{Chain: chain, Count: 1})
		if err != nil {
			t.Fatal(err)
		}
		keys[chain] = got.Keys[0]
	}
	return s, c, keys
}

// signTogether has each of two chains' keys sign a full job of messages, each in a call of its own.
func signTogether(t *testing.T, c *Client, keys map[string]Key, after func(k Key, i int, r *SignResult, err error)) {
	t.Helper()
	var calls sync.WaitGroup
	for _, k := range keys {
		for i := range defaultCollected {
			calls.Go(func() {
				item := SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message(byte(i + 1))}
				r, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{item}})
				after(k, i, r, err)
			})
		}
	}
	calls.Wait()
}

// TestCollect: concurrent requests of one item each are one job for each suite, and each
// caller gets the signature of its own message.
func TestCollect(t *testing.T) {
	s, c, keys := collecting(t)
	before := s.published()
	signTogether(t, c, keys, func(k Key, i int, r *SignResult, err error) {
		if err != nil || len(r.Signatures) != 1 || r.Signatures[0].Key != k.ID {
			t.Errorf("%s, message %d: %+v, %v", k.Chain, i, r, err)
			return
		}
		sig := r.Signatures[0]
		if err := VerifySignature(r.Suite, sig.PublicKey, message(byte(i+1)), sig.Signature); err != nil {
			t.Errorf("%s, message %d: %v", k.Chain, i, err)
		}
	})
	if n := s.published() - before; n != 2 {
		t.Errorf("%d jobs, want one for each suite", n)
	}
}

// TestCollectItems: a job holds no more than it may, and the largest that it may hold fits.
func TestCollectItems(t *testing.T) {
	s, _, keys := collecting(t)
	c := s.connect(Config{URL: s.url, CollectFor: time.Hour, CollectItems: maxCollected})
	before, k := s.published(), keys["solana"]
	var calls sync.WaitGroup
	for i := range maxCollected {
		calls.Go(func() {
			long := bytes.Repeat([]byte{byte(i)}, frost.MaxMessage)
			item := SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: long}
			if _, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{item}}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := s.published() - before; n != 1 {
		t.Errorf("%d jobs, want one", n)
	}
	cfg := Config{CollectItems: maxCollected + 1}
	if err := cfg.check(); err == nil || !strings.Contains(err.Error(), "CollectItems is 101") {
		t.Errorf("got %v", err)
	}
}

// TestCollectTime: a job that is not full is sent off when its time is up.
func TestCollectTime(t *testing.T) {
	s, _, keys := collecting(t)
	c := s.connect(Config{URL: s.url, CollectFor: time.Millisecond})
	k := keys["solana"]
	item := SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message(1)}
	for range 2 {
		r, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{item}})
		if err != nil || r.Signatures[0].Signature == nil {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// TestCollectFaults: what is wrong with one caller's item fails that caller's request only,
// and what is wrong with the fleet fails all.
func TestCollectFaults(t *testing.T) {
	s, c, keys := collecting(t)
	refuse := func(code wire.Code) {
		s.onJob(func(job wire.SignedJob) {
			var j wire.Job
			if err := json.Unmarshal(job.Payload, &j); err != nil {
				t.Error(err)
			}
			for _, it := range j.Items {
				if it.Message[0] == 3 {
					s.store(s.failure(job, code))
					return
				}
			}
			s.store(s.result(job))
		})
	}
	count := func(code Code) (failed, done int) {
		var mu sync.Mutex
		signTogether(t, c, keys, func(_ Key, i int, r *SignResult, err error) {
			mu.Lock()
			defer mu.Unlock()
			var refused *JobError
			var others *ItemsError // is nobody's business who asked for one item
			switch {
			case err == nil && r.Signatures[0].Signature != nil:
				done++
			case errors.As(err, &refused) && !errors.As(err, &others) && refused.Code == code && len(r.Signatures) == 1:
				failed++
			default:
				t.Errorf("message %d: %+v, %v", i, r, err)
			}
		})
		return failed, done
	}
	refuse(wire.CodeNotOwner)
	if failed, done := count(CodeNotOwner); failed != 2 || done != 2*(defaultCollected-1) {
		t.Errorf("one item of a key that is another's: %d failed, %d done", failed, done)
	}
	// A fleet refuses such an item alone.
	before := s.published()
	s.onJob(func(job wire.SignedJob) {
		r := s.result(job)
		var j wire.Job
		if err := json.Unmarshal(job.Payload, &j); err != nil {
			t.Error(err)
		}
		for i, it := range j.Items {
			if it.Message[0] == 3 {
				r.Status, r.Code, r.Error = wire.StatusPartial, wire.CodeNotOwner, "one of them"
				r.Sigs[i] = wire.Signed{Key: it.Key, Code: wire.CodeNotOwner, Error: "this one"}
			}
		}
		s.store(r)
	})
	if failed, done := count(CodeNotOwner); failed != 2 || done != 2*(defaultCollected-1) {
		t.Errorf("one item is refused: %d failed, %d done", failed, done)
	}
	if n := s.published() - before; n != 2 {
		t.Errorf("%d jobs, want none again", n)
	}
	refuse(wire.CodeSigningFailed)
	if failed, done := count(CodeSigningFailed); failed != 2*defaultCollected || done != 0 {
		t.Errorf("the nodes are away: %d failed, %d done", failed, done)
	}
	k := keys["bitcoin"]
	for code, bad := range map[Code]SignItem{
		CodeBadMessage: {Key: k.ID, PublicKey: k.PublicKey, Message: []byte{1}},
		CodeBadPath:    {Key: k.ID, PublicKey: k.PublicKey, Message: message(1), Path: "0'", ChainCode: k.ChainCode},
		CodeUnknownKey: {Key: "x", PublicKey: k.PublicKey, Message: message(1)},
	} {
		var refused *JobError
		_, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{bad}})
		if !errors.As(err, &refused) || refused.Code != code {
			t.Errorf("a bad item waits for others: %v, want %s", err, code)
		}
	}
}

// TestCollectLeave: a caller who stops waiting leaves the others' job as it is, and is not
// signed for if that has not gone.
func TestCollectLeave(t *testing.T) {
	s, c, keys := collecting(t)
	k := keys["solana"]
	ask := func(ctx context.Context, fill byte) <-chan error {
		done := make(chan error, 1)
		go func() {
			item := SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message(fill)}
			_, err := c.Sign(ctx, SignRequest{Items: []SignItem{item}})
			done <- err
		}()
		return done
	}
	waiting := func(n int) { // until so many do
		for {
			c.collect.mu.Lock()
			job := c.collect.open[len(k.PublicKey)]
			if job == nil && n == 0 || job != nil && len(job.calls) == n {
				c.collect.mu.Unlock()
				return
			}
			c.collect.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var unfinished *UnfinishedError
	leaves := func(left <-chan error) {
		t.Helper()
		err := <-left
		if !errors.Is(err, context.Canceled) || !errors.As(err, &unfinished) || len(unfinished.Open) != 0 {
			t.Errorf("left with %v", err)
		}
	}
	alone := ask(ctx, 98)
	waiting(1)
	cancel()
	leaves(alone)
	waiting(0)

	ctx, cancel = context.WithCancel(t.Context())
	first := ask(ctx, 99)
	waiting(1)
	others := []<-chan error{ask(t.Context(), 1)}
	waiting(2)
	cancel()
	leaves(first)
	waiting(1)
	for i := range byte(defaultCollected - 1) {
		others = append(others, ask(t.Context(), i+2))
	}
	for _, other := range others {
		if err := <-other; err != nil {
			t.Error(err)
		}
	}
	var j wire.Job
	if err := json.Unmarshal(s.last().Payload, &j); err != nil || len(j.Items) != defaultCollected {
		t.Errorf("%d items, %v", len(j.Items), err)
	}
	for _, it := range j.Items {
		if it.Message[0] > defaultCollected {
			t.Errorf("a message of somebody who left is signed: %x", it.Message)
		}
	}
}

// TestCollectTooLate: a request whose time is over before it comes is no part of any job, and
// does not fill one.
func TestCollectTooLate(t *testing.T) {
	s, _, keys := collecting(t)
	c, k := s.connect(Config{URL: s.url, CollectFor: time.Hour, CollectItems: 2}), keys["solana"]
	item := SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message(1)}
	first := &call{item: item, answer: make(chan signed, 1)}
	job := c.collect.join(t.Context(), first)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	item.Message = message(2)
	if _, err := c.Sign(over, SignRequest{Items: []SignItem{item}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	c.collect.mu.Lock()
	open := c.collect.open[len(k.PublicKey)] == job && len(job.calls) == 1
	c.collect.mu.Unlock()
	if !open {
		t.Error("the job of another caller was sent off")
	}
}

// TestCollectOneWrongKey: who expects another key than the one that signs has nobody else's
// signature refused.
func TestCollectOneWrongKey(t *testing.T) {
	_, c, keys := collecting(t)
	k, wrong := keys["solana"], slices.Clone(keys["solana"].PublicKey)
	copy(wrong, message(7)) // a key of that suite, and not this one
	wrong = ed25519.NewKeyFromSeed(wrong).Public().(ed25519.PublicKey)
	var calls sync.WaitGroup
	for i := range defaultCollected {
		calls.Go(func() {
			item := SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: message(byte(i + 1))}
			if i == 4 {
				item.PublicKey = wrong
			}
			r, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{item}})
			var unproven *ProofError
			switch {
			case i == 4 && !errors.As(err, &unproven):
				t.Errorf("the wrong key: %+v, %v", r, err)
			case i != 4 && err != nil:
				t.Errorf("message %d: %v", i, err)
			}
		})
	}
	calls.Wait()
}
