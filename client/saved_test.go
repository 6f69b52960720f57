package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// interrupted asks for keys, one a job and one job at a time, and is interrupted before the
// stub answers job number answered, counted from 0. It returns the jobs that were saved and
// the keys of those that were answered.
func interrupted(t *testing.T, s *gatewayStub, count, answered int) (saved []SavedJob, keys []Key, err error) {
	t.Helper()
	c := s.connect(Config{URL: s.url, MaxInFlight: 1})
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	n := 0
	s.onJob(func(job wire.SignedJob) {
		if n == answered {
			interrupt()
			return
		}
		n++
		s.store(s.result(job))
	})
	save := func(job SavedJob) error {
		saved = append(saved, job)
		return nil
	}
	got, err := c.Keygen(ctx, KeygenRequest{Chain: "solana", Count: count, JobKeys: 1, OnJob: save})
	s.onJob(nil)
	return saved, got.Keys, err
}

// TestSaveFirst: a job that can't be saved is not published.
func TestSaveFirst(t *testing.T) {
	s, c := start(t)
	full := errors.New("the disk is full")
	save := func(job SavedJob) error {
		again, err := ParseSavedJob(job.Payload)
		if err != nil || again != job || job.Count != 1 || job.Chain != "solana" {
			t.Errorf("saved %+v, read %+v, %v", job, again, err)
		}
		return full
	}
	_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 3, JobKeys: 1, OnJob: save})
	if !errors.Is(err, full) || s.published() != 0 {
		t.Errorf("%v, %d jobs published", err, s.published())
	}
}

// TestResume: what was published is neither lost nor made twice, whether its answer came
// while nobody waited or never.
func TestResume(t *testing.T) {
	for name, later := range map[string]func(s *gatewayStub, open wire.SignedJob){
		"answered meanwhile": func(s *gatewayStub, open wire.SignedJob) { s.store(s.result(open)) },
		"lost":               func(*gatewayStub, wire.SignedJob) {},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := start(t)
			saved, first, err := interrupted(t, s, 5, 2)
			if len(saved) != 3 || len(first) != 2 || !errors.Is(err, context.Canceled) {
				t.Fatalf("%d jobs saved, %d keys, %v", len(saved), len(first), err)
			}
			open := s.last()
			later(s, open)
			before := s.published()

			var fresh []SavedJob
			c := s.connect(Config{URL: s.url})
			got, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 5, JobKeys: 1, Resume: saved,
				OnJob: func(job SavedJob) error { fresh = append(fresh, job); return nil }})
			if err != nil || len(got.Keys) != 5 || len(fresh) != 2 {
				t.Fatalf("%d keys, %d new jobs, %v; want 5, 2", len(got.Keys), len(fresh), err)
			}
			if got.Keys[0].ID != first[0].ID || got.Keys[1].ID != first[1].ID {
				t.Errorf("keys %v, before the interruption %v", got.Keys, first)
			}
			again := s.published() - before - len(fresh)
			if want := map[string]int{"answered meanwhile": 0, "lost": 1}[name]; again != want {
				t.Errorf("%d jobs were published again, want %d", again, want)
			}
			if name == "lost" && string(s.jobs[before].Payload) != string(open.Payload) {
				t.Errorf("%s was published again as %s", open.Payload, s.jobs[before].Payload)
			}
		})
	}
}

// saveKeygen is a key generation that was saved before it was published.
func saveKeygen(t *testing.T, job wire.Job) SavedJob {
	t.Helper()
	job.Kind = wire.KindKeygen
	payload, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := ParseSavedJob(string(payload))
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// TestResumeGivenUp: for jobs that have no keys, others are made.
func TestResumeGivenUp(t *testing.T) {
	s, c := start(t)
	c.grace = 0
	job := func(id string, expires time.Time) SavedJob {
		return saveKeygen(t, wire.Job{ID: id, Expires: expires, Chain: "bitcoin", Count: 2})
	}
	expired := job("0198c0de-0000-7000-8000-000000000001", time.Now().Add(-time.Hour))
	failed := job("0198c0de-0000-7000-8000-000000000002", time.Now().Add(time.Minute))
	s.onJob(func(job wire.SignedJob) {
		if wire.PeekJobID(job.Payload) == failed.ID {
			s.store(s.failure(job, wire.CodeKeygenFailed))
			return
		}
		s.store(s.result(job))
	})
	if _, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 4, Resume: []SavedJob{failed, failed}}); err == nil ||
		!strings.Contains(err.Error(), "resumed twice") {
		t.Errorf("one job twice: %v", err)
	}
	got, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 4, Resume: []SavedJob{expired, failed}})
	if err != nil || len(got.Keys) != 4 || s.published() != 2 {
		t.Errorf("%d keys of %d jobs, %v; want 4 of 2", len(got.Keys), s.published(), err)
	}
}

// TestUnfinished: whoever stops waiting is told how far it came, and which jobs are open.
func TestUnfinished(t *testing.T) {
	s, c := start(t)
	saved, _, err := interrupted(t, s, 5, 2)
	unfinished := (*UnfinishedError)(nil)
	if !errors.As(err, &unfinished) || unfinished.Done != 2 || unfinished.Total != 5 ||
		!slices.Equal(unfinished.Open, []string{saved[2].ID}) {
		t.Fatalf("%v: %+v", err, unfinished)
	}
	// The end may come before the last job's acknowledgement: then it says that as well.
	want := "2 of 5 keys are done, no answer yet to job " + saved[2].ID + ": "
	if says := err.Error(); !strings.HasPrefix(says, want) || !strings.Contains(says, "context canceled") {
		t.Errorf("says %q, want %q", says, want+"context canceled")
	}

	keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.onJob(func(wire.SignedJob) { cancel() })
	item := SignItem{Key: keys.Keys[0].ID, Message: message(1)}
	_, err = c.Sign(ctx, SignRequest{Items: []SignItem{item}})
	if !errors.As(err, &unfinished) || unfinished.What != "signatures" || unfinished.Total != 1 ||
		len(unfinished.Open) != 1 {
		t.Errorf("%v", err)
	}
}

// TestOnKeys: keys that are handed over one job at a time are not collected as well.
func TestOnKeys(t *testing.T) {
	_, c := start(t)
	n := 0
	take := func(keys []Key, p Proof) error {
		proven, err := p.Verify(c.Manifest())
		if err != nil || fmt.Sprint(proven) != fmt.Sprint(keys) {
			t.Errorf("keys %v, proven %v, %v", keys, proven, err)
		}
		n += len(keys)
		return nil
	}
	got, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 7, JobKeys: 3, OnKeys: take})
	if err != nil || n != 7 || len(got.Keys)+len(got.Proofs) != 0 {
		t.Errorf("%d keys handed over, %+v returned, %v", n, got, err)
	}
}

// TestFetchKeygen: a stored result is fetched and checked by whoever has the job.
func TestFetchKeygen(t *testing.T) {
	s, _ := start(t)
	saved, _, _ := interrupted(t, s, 1, 0)
	c := s.connect(Config{URL: s.url})
	_, err := c.FetchKeygen(t.Context(), saved[0])
	if !errors.Is(err, ErrNoResult) || !strings.Contains(err.Error(), saved[0].ID) {
		t.Errorf("no result yet: %v", err)
	}
	s.store(s.result(s.last()))
	got, err := c.FetchKeygen(t.Context(), saved[0])
	if err != nil || len(got.Keys) != 1 || !s.has(got.Keys[0].ID) {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := got.Proofs[0].Verify(c.Manifest()); err != nil {
		t.Error(err)
	}
	other := saved[0]
	other.Payload = strings.Replace(other.Payload, `"count":1`, `"count":2`, 1)
	if _, err := c.FetchKeygen(t.Context(), other); !errors.Is(err, ErrNoResult) {
		t.Errorf("another job of the same id: %v", err)
	}
	if n := s.published(); n != 1 {
		t.Errorf("%d jobs were published", n)
	}

	saved, _, _ = interrupted(t, s, 1, 0)
	lie := s.result(s.last())
	lie.Keys[0].Address = "bc1qqqq"
	s.store(lie)
	proof := (*ProofError)(nil)
	if _, err := c.FetchKeygen(t.Context(), saved[0]); !errors.As(err, &proof) {
		t.Errorf("a false address: %v", err)
	}
}

// TestFetchSign: so are signatures, under the keys that the caller expects.
func TestFetchSign(t *testing.T) {
	s, c := start(t)
	for _, chain := range []string{"bitcoin", "solana"} {
		keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: chain, Count: 2})
		if err != nil {
			t.Fatal(err)
		}
		item := SignItem{Key: keys.Keys[0].ID, PublicKey: keys.Keys[0].PublicKey, Message: message(7)}
		if chain == "bitcoin" {
			item.ScriptRoot = message(8)
		}
		want, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{item}})
		if err != nil {
			t.Fatal(err)
		}
		payload := string(s.last().Payload)
		items, err := SavedItems(payload)
		if err != nil || len(items) != 1 {
			t.Fatalf("%v, %v", items, err)
		}
		for _, public := range [][]byte{nil, keys.Keys[0].PublicKey} {
			items[0].PublicKey = public
			got, err := c.FetchSign(t.Context(), payload, items)
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: %+v, %v; want %+v", chain, got, err, want)
			}
		}
		items[0].PublicKey = keys.Keys[1].PublicKey
		proof := (*ProofError)(nil)
		if _, err := c.FetchSign(t.Context(), payload, items); !errors.As(err, &proof) {
			t.Errorf("%s: under another key: %v", chain, err)
		}
		if _, err := ParseSavedJob(payload); err == nil {
			t.Error("a sign job is read as a keygen job")
		}
	}
}

// TestFetchSignInPart: a job that any client made may have items that this package would not
// ask for. The fleet refused these, and the others' signatures are there.
func TestFetchSignInPart(t *testing.T) {
	s, c := start(t)
	keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: "bitcoin", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	k, long := keys.Keys[0], strings.Repeat("x", 100)
	bad := map[int]SignItem{
		0: {Key: k.ID, Path: "0'/17", Message: message(1)},
		2: {Key: long, Message: message(1)},
		3: {Key: k.ID, ScriptRoot: []byte{1}, Message: message(1)},
		4: {Key: k.ID, Message: []byte{1}},
	}
	job := wire.Job{
		Kind: wire.KindSign, Expires: time.Now().Add(time.Minute).UTC(), Items: make([]wire.JobItem, 5),
	}
	for i, it := range bad {
		job.Items[i] = it.wire()
	}
	job.Items[1] = SignItem{Key: k.ID, Path: "0/17", Message: message(1)}.wire()
	fetch := func(change func(*wire.Result)) (*SignResult, error) {
		job.ID = uuid.NewString()
		payload, err := json.Marshal(&job)
		if err != nil {
			t.Fatal(err)
		}
		whole := job
		whole.Items = job.Items[1:2]
		r := s.base(c.sign(wire.KindSign, payload))
		s.sign(r, &whole)
		signed := r.Sigs[0]
		r.Sigs = make([]wire.Signed, len(job.Items))
		r.Status, r.Code, r.Error = wire.StatusPartial, wire.CodeBadPath, "item 0 and others"
		for i, it := range bad {
			r.Sigs[i] = wire.Signed{Key: wire.ShortKey(it.Key), Code: wire.CodeBadPath, Error: "..."}
		}
		r.Sigs[1] = signed
		change(r)
		s.store(r)
		items, err := SavedItems(string(payload))
		if err != nil {
			t.Fatal(err)
		}
		for i := range items {
			items[i].PublicKey, items[i].ChainCode = k.PublicKey, k.ChainCode
		}
		return c.FetchSign(t.Context(), string(payload), items)
	}
	got, err := fetch(func(*wire.Result) {})
	refused, ok := errors.AsType[*ItemsError](err)
	if !ok || got == nil || len(refused.Items) != len(bad) || got.Signatures[1].Signature == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, it := range refused.Items {
		if _, ok := bad[it.Item]; !ok || got.Signatures[it.Item].Signature != nil {
			t.Errorf("item %d: %+v, %v", it.Item, got.Signatures[it.Item], it)
		}
	}
	_, err = fetch(func(r *wire.Result) { // the root's signature where no child is
		whole := job
		whole.Items = []wire.JobItem{{Key: k.ID, Message: message(1)}}
		root := &wire.Result{}
		s.sign(root, &whole)
		r.Sigs[0] = root.Sigs[0]
		r.Sigs[0].Path = "0'/17"
	})
	if _, ok := errors.AsType[*ProofError](err); !ok || !strings.Contains(err.Error(), "hardened") {
		t.Errorf("signed under no path: %v", err)
	}
}

// FuzzParseSavedJob: what is read is a job that this client could have made.
func FuzzParseSavedJob(f *testing.F) {
	const head = `{"job":"0198c0de-0000-7000-8000-000000000001","kind":"keygen",`
	f.Add(head + `"expires":"2026-01-31T12:30:00Z","chain":"bitcoin","count":3}`)
	f.Add(head + `"expires":"0001-01-01T00:00:00Z","chain":"solana","count":5001}`)
	f.Add(`{"kind":"sign","items":[]}`)
	f.Add(``)
	f.Fuzz(func(t *testing.T, payload string) {
		job, err := ParseSavedJob(payload)
		if err != nil {
			if job != (SavedJob{}) {
				t.Errorf("%+v beside %v", job, err)
			}
			return
		}
		if job.Payload != payload || job.Count < 1 || job.Count > MaxJobKeys || len(job.ID) != 36 {
			t.Errorf("%+v", job)
		}
	})
}

// TestNothingAfterAFailure: a write that failed may have left half a line in a file. What
// is asked for at the same time must not be written behind it.
func TestNothingAfterAFailure(t *testing.T) {
	full := errors.New("the disk is full")
	t.Run("of jobs", func(t *testing.T) {
		s, c := start(t)
		calls := 0
		save := func(SavedJob) error {
			calls++
			time.Sleep(200 * time.Millisecond) // all others wait for their turn
			return full
		}
		_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 8, JobKeys: 1, OnJob: save})
		if !errors.Is(err, full) || s.published() != 0 || calls != 1 {
			t.Errorf("%v, %d jobs published, %d saved", err, s.published(), calls)
		}
	})
	t.Run("of keys", func(t *testing.T) {
		s, c := start(t)
		var jobs []wire.SignedJob
		s.onJob(func(job wire.SignedJob) {
			if jobs = append(jobs, job); len(jobs) < 4 {
				return
			}
			for _, job := range jobs {
				s.store(s.result(job))
			}
		})
		calls := 0
		take := func([]Key, Proof) error { calls++; return full }
		_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 4, JobKeys: 1, OnKeys: take})
		if !errors.Is(err, full) || calls != 1 {
			t.Errorf("%v, %d jobs' keys were handed over", err, calls)
		}
	})
}

// TestResumeUnread: where the stored result of a job can't be read, nobody knows that it has
// no keys. Others must not be made in their place: the job would be forgotten with its keys.
func TestResumeUnread(t *testing.T) {
	s, _ := start(t)
	c := s.connect(Config{URL: s.url})
	expired := time.Now().Add(-time.Hour).UTC()
	saved := saveKeygen(t, wire.Job{ID: uuid.NewString(), Expires: expired, Chain: "solana", Count: 1})
	if err := s.bus.Conn().JS.DeleteStream(t.Context(), c.stream("RESULTS")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.onJob(func(wire.SignedJob) { cancel() }) // it would be for ever without an answer
	_, err := c.Keygen(ctx, KeygenRequest{Chain: "solana", Count: 1, Resume: []SavedJob{saved}})
	unfinished, ok := errors.AsType[*UnfinishedError](err)
	if !ok || !slices.Equal(unfinished.Open, []string{saved.ID}) || !errors.Is(err, errNoDirectGet) {
		t.Errorf("resumed: %v", err)
	}
	if n := s.published(); n != 0 {
		t.Errorf("%d jobs were published in its place", n)
	}
	if _, err := c.FetchKeygen(t.Context(), saved); errors.Is(err, ErrNoResult) || !errors.Is(err, errNoDirectGet) {
		t.Errorf("fetched: %v", err)
	}
}

// TestResumeChanged: a saved job that was damaged, or changed, is not the one that was
// published. That one's keys must not be forgotten for it.
func TestResumeChanged(t *testing.T) {
	for name, expired := range map[string]bool{"open": false, "expired": true} {
		t.Run(name, func(t *testing.T) {
			s, c := start(t)
			c.grace = 0
			expires := time.Now().Add(time.Minute)
			if expired {
				expires = time.Now().Add(-time.Minute)
			}
			job := wire.Job{ID: uuid.NewString(), Kind: wire.KindKeygen, Expires: expires.UTC(), Chain: "solana", Count: 1}
			payload, err := json.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			s.store(s.result(c.sign(wire.KindKeygen, payload)))
			saved, err := ParseSavedJob(strings.Replace(string(payload), `"count":1`, `"count":3`, 1))
			if err != nil {
				t.Fatal(err)
			}
			s.onJob(func(again wire.SignedJob) {
				if wire.PeekJobID(again.Payload) != job.ID {
					s.store(s.result(again))
					return
				}
				r := s.failure(again, wire.CodeJobIDReused)
				r.Rejected = again.Signature
				s.announce(r)
			})
			got, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1, Resume: []SavedJob{saved}})
			refused, _ := errors.AsType[*JobError](err)
			if err == nil || len(got.Keys) != 0 || !strings.Contains(err.Error(), job.ID) {
				t.Errorf("%d other keys are made, %v", len(got.Keys), err)
			}
			if reused := refused != nil && refused.Code == CodeJobIDReused; reused == expired {
				t.Errorf("%v", err)
			}
			if last := s.published(); last > 0 && !strings.Contains(string(s.last().Payload), job.ID) {
				t.Errorf("another job was published: %s", s.last().Payload)
			}
		})
	}
}

// TestFetchSignOthers: who fetches the signatures of other items than the job's has made a
// mistake, and no gateway has.
func TestFetchSignOthers(t *testing.T) {
	s, c := start(t)
	keys, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	item := SignItem{Key: keys.Keys[0].ID, Message: message(7)}
	if _, err := c.Sign(t.Context(), SignRequest{Items: []SignItem{item}}); err != nil {
		t.Fatal(err)
	}
	payload := string(s.last().Payload)
	for name, items := range map[string][]SignItem{
		"none":            nil,
		"more":            {item, item},
		"another key":     {{Key: keys.Keys[1].ID, Message: item.Message}},
		"another message": {{Key: item.Key, Message: message(8)}},
		"another path":    {{Key: item.Key, Message: item.Message, Path: "0"}},
		"a script root":   {{Key: item.Key, Message: item.Message, ScriptRoot: message(1)}},
	} {
		_, err := c.FetchSign(t.Context(), payload, items)
		if _, unproven := errors.AsType[*ProofError](err); err == nil || unproven {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := c.FetchSign(t.Context(), payload, []SignItem{item}); err != nil || len(got.Signatures) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
