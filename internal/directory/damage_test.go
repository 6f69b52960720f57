package directory

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/wiretest"
)

// TestFileOfNoUse: whatever stands where the file should be, the directory comes to the same.
func TestFileOfNoUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	batch := w.entry("alice", jobID(1), wire.Bitcoin, 0, 100, true)
	w.settled(d.Directory)
	w.note(d.Directory, Remark{Client: "alice", Key: batch + ".7", Label: "seven", By: "x"})
	d.stop()
	path := d.cfg.Path
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() []byte{
		"empty":     func() []byte { return nil },
		"text":      func() []byte { return bytes.Repeat([]byte("no database\n"), 4096) },
		"cut":       func() []byte { return good[:len(good)/2] },
		"cut early": func() []byte { return good[:3*os.Getpagesize()] },
		"zeros behind the first pages": func() []byte {
			return append(bytes.Clone(good[:2*os.Getpagesize()]), make([]byte, len(good)-2*os.Getpagesize())...)
		},
		"another fleet's": func() []byte {
			other := *w
			other.fleet = wiretest.New(t, 2, 3, nil)
			cfg := other.config("other.db")
			o, err := Open(w.ctx, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(cfg.Path)
			if err != nil {
				t.Fatal(err)
			}
			return data
		},
	} {
		if err := os.WriteFile(path, change(), 0o600); err != nil {
			t.Fatal(err)
		}
		again := w.run("directory.db")
		w.settled(again.Directory)
		if k, err := again.Key("alice", batch+".7"); err != nil || k.Label != "seven" {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
		again.stop()
	}
}

// TestDamageWhileItRuns: a record that was changed on the disk is not believed, and the file is made
// anew under those who read it.
func TestDamageWhileItRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	batch := w.entry("alice", jobID(1), wire.Bitcoin, 0, 2, true)
	w.settled(d.Directory)
	before, err := d.Key("alice", batch+".1")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.file.Load().update(func(tx *bolt.Tx) error {
		b, err := batchOf(tx, batchID(wire.KeyID{Batch: batch}))
		if err != nil {
			return err
		}
		data := b.encode()
		data[len(data)-10] ^= 1
		return tx.Bucket(bucketBatches).Put(be64(b.seq), data)
	}); err != nil {
		t.Fatal(err)
	}
	if k, err := d.Key("alice", batch+".1"); !errors.Is(err, errDamaged) {
		t.Fatalf("a key that was changed: %+v, %v", k, err)
	}
	w.note(d.Directory, Remark{Client: "alice", Job: jobID(1), Label: "x", By: "x"})
	w.eventually("the key is back", func() bool {
		k, err := d.Key("alice", batch+".1")
		return err == nil && k.Address == before.Address && k.Label == "x"
	})
	w.eventually("it is ready again", func() bool { return d.Ready() == nil })
}

// TestOneProcess: the file is one directory's.
func TestOneProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	_, err := Open(w.ctx, w.config("directory.db"))
	if err == nil || !strings.Contains(err.Error(), d.cfg.Path) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opened twice: %v", err)
	}
}

// TestStreamMadeAnew: what was said in a LABELS that is gone counts no more, and a KEYS that is
// another has the file made anew.
func TestStreamMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	batch := w.entry("alice", jobID(1), wire.Bitcoin, 0, 2, true)
	w.settled(d.Directory)
	w.note(d.Directory, Remark{Client: "alice", Key: batch + ".0", Label: "old", By: "x"})
	w.note(d.Directory, Remark{Client: "alice", Key: batch + ".1", Label: "old", By: "x"})
	for stopped := range 2 {
		if stopped == 1 {
			d.stop()
		}
		for _, stream := range []bus.Stream{bus.Labels, bus.Keys}[:1+stopped] {
			if err := w.bus.Delete(w.ctx, stream); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.bus.Apply(w.ctx); err != nil {
			t.Fatal(err)
		}
		if stopped == 1 {
			break
		}
		w.note(d.Directory, Remark{Client: "alice", Key: batch + ".1", Label: "new", By: "x"})
		w.eventually("only the new label is left", func() bool {
			first, err := d.Key("alice", batch+".0")
			second, err2 := d.Key("alice", batch+".1")
			return err == nil && err2 == nil && first.Label == "" && second.Label == "new"
		})
	}
	again := w.run("directory.db")
	if page, err := again.Keys(KeyQuery{}); err != nil || len(page.Keys) > 0 {
		t.Errorf("keys of a KEYS that is gone: %+v, %v", page, err)
	}
}

// TestWhatProvesNothing changes nothing: results that no gateway of the list signed, or of
// another job; remarks about keys of others; a second entry of a batch has its keys hidden.
func TestWhatProvesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	mine := w.entry("alice", jobID(1), wire.Bitcoin, 0, 1, true)
	other := wiretest.New(t, 2, 3, nil)
	real := w.fleet.Gateway
	w.fleet.Gateway = other.Gateway
	w.result(&wire.Result{Job: jobID(1), Client: "alice", Kind: wire.KindKeygen, Status: wire.StatusFailed})
	w.fleet.Gateway = real
	r := &wire.Result{Job: jobID(2), Client: "alice", Kind: wire.KindKeygen, Status: wire.StatusDone}
	if err := w.answer(wire.StoredResultSubject("alice", jobID(3)), r); err != nil {
		t.Fatal(err)
	}
	w.note(d.Directory, Remark{Client: "bob", Key: mine + ".0", Label: "bob's", By: "x"})
	w.junk("alice", jobID(4))
	w.settled(d.Directory)
	if j, err := d.Job("alice", jobID(1)); err != nil || j.State != Accepted || j.Done != 1 {
		t.Errorf("%+v, %v", j, err)
	}
	for _, id := range []string{jobID(2), jobID(3), jobID(4)} {
		if j, err := d.Job("", id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v, %v", j, err)
		}
	}
	if k, err := d.Key("alice", mine+".0"); err != nil || k.Label != "" {
		t.Errorf("%+v, %v", k, err)
	}
	if page, err := d.Keys(KeyQuery{Text: "bob"}); err != nil || len(page.Keys) > 0 {
		t.Errorf("%+v, %v", page, err)
	}
	h := wire.BatchHeader{Client: "alice", Digest: w.digest("alice", jobID(1)), Suite: 1, K: 1}
	h.Suite = suiteOf(wire.Bitcoin)
	deals := [][]byte{w.fleet.Deal(h, 1), w.fleet.Deal(h, 2), w.fleet.Deal(h, 3)}
	w.publish(wire.EntryHeadSubject(mine, 0), w.fleet.EntryOf(h, deals, publicKeys(wire.Bitcoin, "another", 1)), nil)
	w.eventually("the keys of a batch with two entries are hidden", func() bool {
		_, err := d.Key("alice", mine+".0")
		return errors.Is(err, ErrNotFound)
	})
}

func suiteOf(chain string) uint8 {
	suite, _ := wire.ChainSuite(chain)
	return uint8(suite)
}

// TestManyWatch: thousands watch one job, and each hears how it ends; no more than 10,000 may.
func TestManyWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	request := Request{Client: "alice", Job: jobID(1), Kind: wire.KindSign, By: "x", Expires: time.Now(), Time: time.Now()}
	if _, _, err := d.Claim(w.ctx, request); err != nil {
		t.Fatal(err)
	}
	w.settled(d.Directory)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all []<-chan Job
	for range maxWatchers {
		lines, err := d.Watch(ctx, "", jobID(1))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, lines)
	}
	if _, err := d.Watch(t.Context(), "alice", jobID(1)); !errors.Is(err, ErrWatchers) {
		t.Errorf("one more: %v", err)
	}
	if _, err := d.Watch(t.Context(), "bob", jobID(1)); !errors.Is(err, ErrNotFound) {
		t.Errorf("another's: %v", err)
	}
	w.result(&wire.Result{Job: jobID(1), Client: "alice", Kind: wire.KindSign, Status: wire.StatusDenied, Code: "policy_denied"})
	for _, lines := range all {
		var last Job
		for j := range lines {
			last = j
		}
		if last.State != Denied {
			t.Fatalf("%+v", last)
		}
	}
	d.watch.mu.Lock()
	if d.watch.n != 0 || len(d.watch.of) != 0 {
		t.Errorf("%d watchers are left", d.watch.n)
	}
	d.watch.mu.Unlock()
	lines, err := d.Watch(ctx, "alice", jobID(1)) // it has ended
	if err != nil {
		t.Fatal(err)
	}
	if j, ok := <-lines; !ok || j.State != Denied {
		t.Errorf("%+v", j)
	}
	if _, ok := <-lines; ok {
		t.Error("a second line of a job that has ended")
	}
}

// TestPrune: old jobs go, and of too many the oldest.
func TestPrune(t *testing.T) {
	t.Parallel()
	d := alone(t)
	now := time.Now()
	d.cfg.Now = func() time.Time { return now }
	put := func(n int, at time.Time) change {
		return change{apply: func(w *write) error {
			return w.takeAnswer(wire.JobRef{Client: "alice", Job: jobID(n)}, answer{
				Kind: wire.KindKeygen, Status: wire.StatusDone, Digest: bytes.Repeat([]byte{byte(n)}, 32),
			}, rankResult, at)
		}}
	}
	if err := d.commit([]change{
		put(1, now.Add(-jobLife-time.Second)), put(2, now.Add(-jobLife+time.Minute)), put(3, now), put(4, now.Add(time.Second)),
	}, false); err != nil {
		t.Fatal(err)
	}
	listed := func() (ids string) {
		for _, j := range allJobs(t, d, JobQuery{Limit: 2}) {
			ids += j.ID[len(j.ID)-1:]
		}
		return ids
	}
	if got := listed(); got != "432" {
		t.Errorf("at first: %s", got)
	}
	now = now.Add(time.Hour)
	prune := func(most int) {
		if err := d.commit([]change{{apply: func(w *write) error { return w.prune(most) }}}, false); err != nil {
			t.Fatal(err)
		}
	}
	if prune(10); listed() != "43" {
		t.Errorf("an hour later: %s", listed())
	}
	if prune(1); listed() != "4" || d.Stats().Jobs != 1 {
		t.Errorf("of one: %s, %+v", listed(), d.Stats())
	}
	if err := d.file.Load().view(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketJobs, bucketWhen, bucketOwned, bucketDigests} {
			if n := tx.Bucket(name).Stats().KeyN; n != 1 {
				t.Errorf("%s has %d", name, n)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	d := alone(t)
	for _, after := range []string{"?", "AA", strings.Repeat("A", 800), "AAAAAAAAAAAAAAAA="} {
		if _, err := d.Keys(KeyQuery{After: after}); !errors.Is(err, ErrCursor) {
			t.Errorf("keys after %.20q: %v", after, err)
		}
		if _, err := d.Jobs(JobQuery{After: after}); !errors.Is(err, ErrCursor) {
			t.Errorf("jobs after %.20q: %v", after, err)
		}
	}
}

// TestNotesAreAudited: who said what of a key or a job is in the audit log of the gateway that took it.
func TestNotesAreAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	log, err := audit.Open(audit.Config{Dir: dir, By: "gw", Role: "gateway", Manifest: strings.Repeat("0", 64)})
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.config("directory.db")
	cfg.Audit = log
	d := w.runConfig(cfg)
	w.note(d.Directory, Remark{Client: "alice", Job: jobID(1), Label: "Cold", By: "shop", Time: time.Now()})
	if err := d.Note(w.ctx, Remark{Client: "alice", Job: jobID(1), Label: "\n", By: "shop"}); !errors.Is(err, ErrRemark) {
		t.Errorf("a remark that is none: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "audit-000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), `"event":"label"`); n != 1 || !strings.Contains(string(text), `"reason":"shop says`) ||
		!strings.Contains(string(text), "Cold") || !strings.Contains(string(text), jobID(1)) {
		t.Errorf("%s", text)
	}
}
