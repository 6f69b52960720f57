package gateway

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

func TestPace(t *testing.T) {
	var p pace
	now := time.Now()
	come := func(what, client string, size int, after, want time.Duration) {
		t.Helper()
		if got := p.turn(client, size, now.Add(after)); got != want {
			t.Errorf("%s waits for %v, want %v", what, got, want)
		}
	}
	come("the first", "alice", bulkBytes, 0, 0)
	come("the next", "alice", bulkBytes/4, 0, time.Second)
	come("one more", "alice", 1, 0, 5*time.Second/4)
	come("another client's", "bob", 1, 0, 0)
	come("one that comes later", "alice", 1, 10*time.Second, 0)
	for i := range maxPaced + 1 {
		p.turn(fmt.Sprint("made-up-", i), 1, now)
	}
	if len(p.next) > maxPaced {
		t.Errorf("%d clients are remembered", len(p.next))
	}
}

// TestLargeJunk: large jobs of a client end no faster than their bytes may, so that the
// server refuses what is beyond the client's few. Its other jobs are answered meanwhile.
func TestLargeJunk(t *testing.T) {
	w := newWorld(t)
	w.start()
	const jobs, size = 9, 1<<20 - 4<<10
	junk := func(i int) wire.SignedJob { // of a signature of its own, or it would be one job
		return wire.SignedJob{Kind: wire.KindSign, Client: machinetest.Client, Payload: bytes.Repeat([]byte("x"), size),
			Signature: bytes.Repeat([]byte{byte(i)}, 64)}
	}
	began := time.Now()
	for i := range jobs {
		w.Publish(junk(i))
	}
	unknown := wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{{Key: fmt.Sprintf("%032x.0", 1), Message: []byte("m")}}}
	small, id := w.Job(unknown, 5*time.Minute)
	w.Publish(small)
	if r := w.Result(id); r.Code != wire.CodeUnknownKey {
		t.Errorf("the small job ended with %q: %s", r.Code, r.Error)
	}
	eventually(t, "the junk is rejected", func() bool {
		left, err := w.Bus.Slots(w.Context(), bus.Bulk, "bulk.>")
		return err == nil && len(left) == 0
	})
	least := time.Duration((jobs-1)*size) * time.Second / bulkBytes
	if took := time.Since(began); took < least {
		t.Errorf("%d jobs of %d bytes ended in %v, want at least %v", jobs, size, took, least)
	}
}

// TestJobInBothStreams: a job that was published to JOBS and to BULK is one job, with one
// result, and nothing of it is left in either, whichever copy is answered first.
func TestJobInBothStreams(t *testing.T) {
	w := newWorld(t)
	w.start()
	large := wire.Job{Kind: wire.KindSign}
	for i := range 12 { // of a size that both take
		large.Items = append(large.Items, wire.JobItem{Key: fmt.Sprintf("%032x.%d", 1, i), Message: make([]byte, 2400)})
	}
	for range 8 {
		job, id := w.Job(large, 5*time.Minute)
		if n := len(job.Payload); n <= wire.MaxSmallJob || n > 64<<10-1024 {
			t.Fatalf("a payload of %d bytes", n)
		}
		header := map[string][]string{wire.HeaderClient: {job.Client}, wire.HeaderSignature: {hex.EncodeToString(job.Signature)}}
		for _, subject := range []string{wire.JobSubject(job.Kind, job.Client), wire.SizedJobSubject(job.Kind, job.Client, len(job.Payload))} {
			if _, err := w.Bus.Publish(w.Context(), subject, job.Payload, header); err != nil {
				t.Fatal(err)
			}
		}
		if r := w.Result(id); r.Code != wire.CodeUnknownKey {
			t.Errorf("ended with %q: %s", r.Code, r.Error)
		}
	}
	eventually(t, "nothing is left", func() bool {
		left, err := w.Bus.Slots(w.Context(), bus.Bulk, "bulk.>")
		return err == nil && len(left) == 0 && w.open() == 0
	})
	if stored, err := w.Bus.Slots(w.Context(), bus.Results, "res.>"); err != nil || len(stored) != 8 {
		t.Errorf("%d results of 8 jobs, %v", len(stored), err)
	}
	if l := w.letters(); len(l) != 8 {
		t.Errorf("%d dead letters of 8 jobs", len(l))
	}
}
