package directory

import (
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// commit has a directory that nobody runs make changes.
func commit(t *testing.T, d *Directory, changes ...func(*write) error) {
	t.Helper()
	var all []change
	for _, apply := range changes {
		all = append(all, change{apply: apply})
	}
	if err := d.commit(all, false); err != nil {
		t.Fatal(err)
	}
}

// TestSequencesComeTwice: servers that lost the end of KEYS store other batches under its
// sequences. No key is another's then: the file is made anew.
func TestSequencesComeTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	lost := w.entry("alice", jobID(1), wire.Bitcoin, 0, 3, true)
	w.settled(d.Directory)
	before, err := d.Key("alice", lost+".1")
	if err != nil {
		t.Fatal(err)
	}
	h := wire.BatchHeader{Client: "alice", Digest: w.digest("alice", jobID(2)), Suite: suiteOf(wire.Bitcoin), K: 3}
	deals := [][]byte{w.fleet.Deal(h, 8), w.fleet.Deal(h, 9), w.fleet.Deal(h, 10)}
	e, err := wire.VerifyEntry(w.fleet.EntryOf(h, deals, publicKeys(wire.Bitcoin, "others", 3)), w.fleet.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	file := d.file.Load()
	d.Entry(e, bus.Message{Seq: 1, Time: time.Now()})
	w.eventually("the file is made anew", func() bool { return d.file.Load() != file && d.Ready() == nil })
	if k, err := d.Key("alice", lost+".1"); err != nil || k.Address != before.Address {
		t.Errorf("%+v, %v, want %+v", k, err, before)
	}
}

// TestNoteInStreamMadeAnew: a remark is there once Note has returned, also where LABELS counts
// from one again and the directory has not heard of it.
func TestNoteInStreamMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	batch := w.entry("alice", jobID(1), wire.Bitcoin, 0, 1, true)
	w.settled(d.Directory)
	for _, label := range []string{"first", "second"} {
		w.note(d.Directory, Remark{Client: "alice", Key: batch + ".0", Label: label, By: "x"})
	}
	if err := w.bus.Delete(w.ctx, bus.Labels); err != nil {
		t.Fatal(err)
	}
	if err := w.bus.Apply(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.note(d.Directory, Remark{Client: "alice", Key: batch + ".0", Label: "new", By: "x"})
	if k, err := d.Key("alice", batch+".0"); err != nil || k.Label != "new" {
		t.Errorf("%+v, %v", k, err)
	}
}

// TestBegun: a job that nobody noted before its result came has begun when its id says, if that
// may be; ids of clients whose clocks are elsewhere say nothing.
func TestBegun(t *testing.T) {
	t.Parallel()
	d := alone(t)
	stored := time.Now().UTC().Truncate(time.Millisecond)
	id := func(at time.Time, version byte) string {
		var u uuid.UUID
		ms := at.UnixMilli()
		for i := range 6 {
			u[i] = byte(ms >> (8 * (5 - i)))
		}
		u[6], u[8], u[15] = version<<4, 0x80, byte(at.UnixNano())
		return u.String()
	}
	for name, c := range map[string]struct {
		id   string
		want time.Time
	}{
		"a moment ago": {id(stored.Add(-3*time.Second), 7), stored.Add(-3 * time.Second)},
		"ahead":        {id(stored.Add(time.Second), 7), stored},
		"long ago":     {id(stored.Add(-2*storedLife), 7), stored},
		"no time":      {id(stored.Add(-4*time.Second), 8), stored},
		"1970":         {id(time.UnixMilli(0), 7), stored},
		"year 10889":   {"ffffffff-ffff-7fff-8000-000000000000", stored},
	} {
		ref := wire.JobRef{Client: "alice", Job: c.id}
		commit(t, d, func(w *write) error {
			return w.takeAnswer(ref, answer{Kind: wire.KindSign, Status: wire.StatusDone}, rankResult, stored)
		})
		j, err := d.Job("alice", c.id)
		if err != nil || !j.Created.Equal(c.want) || !j.Ended.Equal(stored) {
			t.Errorf("%s: %+v, %v, want created %v", name, j, err, c.want)
		}
	}
	if page, err := d.Jobs(JobQuery{Limit: 10}); err != nil || len(page.Jobs) != 6 {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestIDAgain: the id of an idempotency key that was forgotten is another job's, whichever of
// the streams tells of it, and before that nothing changes what has ended.
func TestIDAgain(t *testing.T) {
	t.Parallel()
	d := alone(t)
	start := time.Now().Add(-3 * 24 * time.Hour)
	request := func(after time.Duration) func(*write) error {
		r := Request{Client: "alice", Job: jobID(1), Kind: wire.KindSign, Count: 1}
		return func(w *write) error { return w.takeRequest(r, start.Add(after).UnixNano()) }
	}
	result := func(after time.Duration, status wire.Status) func(*write) error {
		return func(w *write) error {
			return w.takeAnswer(wire.JobRef{Client: "alice", Job: jobID(1)}, answer{Kind: wire.KindSign, Status: status},
				rankResult, start.Add(after))
		}
	}
	is := func(what string, state State, created time.Duration) {
		t.Helper()
		j, err := d.Job("alice", jobID(1))
		if err != nil || j.State != state || !j.Created.Equal(start.Add(created)) {
			t.Errorf("%s: %+v, %v", what, j, err)
		}
		if page, err := d.Jobs(JobQuery{Client: "alice", Limit: 10}); err != nil || len(page.Jobs) != 1 || d.Stats().Jobs != 1 {
			t.Errorf("%s: %+v, %v", what, page, err)
		}
	}
	commit(t, d, request(0), result(time.Second, wire.StatusDone))
	commit(t, d, request(time.Minute)) // a note that came late
	is("at once", Done, 0)
	commit(t, d, request(25*time.Hour))
	is("the next day", Accepted, 25*time.Hour)
	commit(t, d, result(25*time.Hour+time.Second, wire.StatusFailed))
	is("its end", Failed, 25*time.Hour)
	commit(t, d, result(50*time.Hour, wire.StatusDenied)) // its request was not read
	is("a later result", Denied, 25*time.Hour)
	commit(t, d, result(25*time.Hour+time.Second, wire.StatusFailed))
	is("read once more", Denied, 25*time.Hour)
}

// TestKindThatIsNone: the result of a job that could not be read takes no kind away.
func TestKindThatIsNone(t *testing.T) {
	t.Parallel()
	d := alone(t)
	commit(t, d, func(w *write) error {
		r := Request{Client: "alice", Job: jobID(1), Kind: wire.KindSign, Count: 1}
		return w.takeRequest(r, time.Now().UnixNano())
	}, func(w *write) error {
		a := answer{Kind: "<script>", Status: wire.StatusFailed, Code: wire.CodeMalformedJob}
		return w.takeAnswer(wire.JobRef{Client: "alice", Job: jobID(1)}, a, rankResult, time.Now())
	})
	if j, err := d.Job("alice", jobID(1)); err != nil || j.Kind != wire.KindSign || j.State != Failed {
		t.Errorf("%+v, %v", j, err)
	}
}

// TestFarTimes: until the end of time, and since before there was one.
func TestFarTimes(t *testing.T) {
	t.Parallel()
	d := alone(t)
	commit(t, d, func(w *write) error {
		return w.takeRequest(Request{Client: "alice", Job: jobID(1), Kind: wire.KindSign}, time.Now().UnixNano())
	})
	far, early := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
	for _, client := range []string{"", "alice"} {
		for name, c := range map[string]struct {
			q    JobQuery
			want int
		}{
			"until 9999": {JobQuery{Until: far}, 1}, "since the year 1": {JobQuery{Since: early}, 1},
			"since 9999": {JobQuery{Since: far}, 0}, "until the year 1": {JobQuery{Until: early}, 0},
		} {
			c.q.Client, c.q.Limit = client, 10
			if page, err := d.Jobs(c.q); err != nil || len(page.Jobs) != c.want || page.Next != "" {
				t.Errorf("%q %s: %+v, %v", client, name, page, err)
			}
		}
	}
}

// TestOneJobOfManyBatches: whoever writes entries may say that all are of one job. What a page and
// a line cost stays bounded, and pages have each key once.
func TestOneJobOfManyBatches(t *testing.T) {
	t.Parallel()
	d := alone(t)
	const batches = maxBatchesAPage + wire.MaxJobKeys
	key := publicKeys(wire.Solana, "one", 1)[0]
	suite, _ := wire.ChainSuite(wire.Solana)
	commit(t, d, func(w *write) error {
		for i := range batches {
			b := &batch{Client: "alice", Suite: uint8(suite), Created: w.now.UnixNano(), Job: jobID(1), Keys: key, seq: uint64(i + 1)}
			if _, err := hex.Decode(b.ID[:], fmt.Appendf(nil, "%032x", i+1)); err != nil {
				return err
			}
			if err := w.takeBatch(b); err != nil {
				return err
			}
		}
		return w.takeRemark(Remark{Client: "alice", Job: jobID(1), Label: "all"})
	})
	if j, err := d.Job("alice", jobID(1)); err != nil || j.Done > wire.MaxJobKeys {
		t.Errorf("%+v, %v", j, err)
	}
	for _, q := range []KeyQuery{{Client: "alice", Label: "all"}, {Text: "AL"}, {Client: "alice", Job: jobID(1)},
		{Client: "alice", Label: "all", Chain: wire.Bitcoin}} {
		seen, pages := map[string]bool{}, 0
		for q.Limit = MaxPage; ; pages++ {
			page, err := d.Keys(q)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range page.Keys {
				if seen[k.ID] {
					t.Fatalf("%s is on two pages", k.ID)
				}
				seen[k.ID] = true
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		want := batches
		if q.Chain != "" {
			want = 0
		}
		if len(seen) != want || pages < batches/maxBatchesAPage {
			t.Errorf("%+v: %d keys on %d pages", q, len(seen), pages)
		}
	}
}

// TestCursorsOfOthers: a cursor is no key to what another client has.
func TestCursorsOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	for i, client := range []string{"alice", "bob"} {
		batch := w.entry(client, jobID(i), wire.Bitcoin, 0, 3, true)
		w.settled(d.Directory)
		w.note(d.Directory, Remark{Client: client, Job: jobID(i), Label: "same", By: "x"})
		w.note(d.Directory, Remark{Client: client, Key: batch + ".1", Label: "same", By: "x"})
	}
	for _, q := range []KeyQuery{{Limit: 1}, {Limit: 1, Label: "same"}, {Limit: 1, Text: "a"}} {
		for {
			page, err := d.Keys(q)
			if err != nil {
				t.Fatal(err)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
			mine := q
			mine.Client, mine.Limit = "alice", MaxPage
			page, err = d.Keys(mine)
			for _, k := range page.Keys {
				if k.Client != "alice" {
					t.Errorf("%+v", k)
				}
			}
			if err != nil && !errors.Is(err, ErrCursor) {
				t.Error(err)
			}
		}
	}
}
