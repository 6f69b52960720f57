package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/machinetest"
)

// inWork waits until the gateway works on n jobs.
func inWork(t testing.TB, g *Gateway, n int) {
	t.Helper()
	eventually(t, "the jobs are in work", func() bool { jobs, _ := g.Stats(); return jobs == n })
}

// TestStopGivesJobsBack: each job in work is there for the next gateway, one
// delivery older and no more, and is finished once there is a node.
func TestStopGivesJobsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const n = 20
	g, stop := w.start()
	var ids []string
	for range n {
		job, id := w.newJob(time.Minute)
		w.Publish(job)
		ids = append(ids, id)
	}
	inWork(t, g, n)
	start := time.Now()
	stop()
	if took := time.Since(start); took > machine.DrainTime+machinetest.WaitLimit {
		t.Errorf("the gateway took %s to stop", took)
	}
	for _, d := range w.take(n) {
		if d.Attempt() != 2 {
			t.Errorf("a job was delivered %d times, want 2", d.Attempt())
		}
		if err := d.Nak(0); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	w.startNode()
	left := map[string]bool{}
	for _, id := range ids {
		left[id] = true
	}
	for len(left) > 0 {
		select {
		case m := <-w.Results:
			ref, err := wire.ParseResult(m.Subject)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(m.Data, []byte(`"status":"done"`)) {
				t.Fatalf("a job ended with %s", m.Data)
			}
			delete(left, ref.Job)
		case <-time.After(machinetest.WaitLimit):
			t.Fatalf("%d jobs have no end", len(left))
		}
	}
	eventually(t, "every job is acknowledged", func() bool { return w.open() == 0 })
}

// TestSecondMessageOfAJob: a client that publishes its job twice, as after a
// lost answer, has it done once, and neither message goes round.
func TestSecondMessageOfAJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, _ := w.start()
	job, id := w.newJob(time.Minute)
	w.Publish(job)
	inWork(t, g, 1)
	w.Publish(job)
	eventually(t, "the older message is acknowledged", func() bool { return w.open() == 1 })
	inWork(t, g, 1)
	w.startNode()
	if r := w.Result(id); r.Status != wire.StatusDone {
		t.Fatalf("%s: %s", r.Code, r.Error)
	}
	eventually(t, "the younger message is acknowledged", func() bool { return w.open() == 0 })

	w.Publish(job) // once more, after the end
	if r := w.Result(id); r.Status != wire.StatusDone {
		t.Fatalf("%s: %s", r.Code, r.Error)
	}
	eventually(t, "the third message is acknowledged", func() bool { return w.open() == 0 })
	g.held.mu.Lock()
	defer g.held.mu.Unlock()
	if len(g.held.held) != 0 {
		t.Errorf("%d deliveries are still held", len(g.held.held))
	}
}

// TestCopyWhileTheResultIsStored: a copy of a job that comes while its result is on the
// way to RESULTS waits for that, and the job is not begun again. One whose result was not
// stored in the end is.
func TestCopyWhileTheResultIsStored(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{true, false} {
		t.Run(fmt.Sprint(stored), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			g, _ := w.start()
			job, id := w.newJob(time.Minute)
			digest := job.Digest(w.Manifest)
			result := &wire.Result{Job: id, Client: machinetest.Client, Kind: job.Kind, Digest: digest[:], Status: wire.StatusDone}
			end := g.endings.begin(protocol.Finish{Token: 1 << 60, Result: result})
			w.Publish(job)
			eventually(t, "the copy is held", func() bool { return len(g.held.tokens()) == 1 })
			time.Sleep(time.Second / 2) // it has looked for a result
			inWork(t, g, 0)
			if stored {
				data := result.Encode()
				w.store(wire.StoredResultSubject(machinetest.Client, id), data,
					w.signed(machinetest.Gateway, w.GatewayKey, id, data))
			}
			end()
			if !stored {
				inWork(t, g, 1)
				return
			}
			eventually(t, "the copy is acknowledged", func() bool { return w.open() == 0 })
			tasks, err := w.Bus.Slots(t.Context(), bus.Work, "work.>")
			if err != nil || len(tasks) > 0 {
				t.Errorf("%d tasks, %v", len(tasks), err)
			}
		})
	}
}

// inWork starts a gateway with one job in work, and gives where its result goes.
func (w *world) inWork() (job wire.SignedJob, id, subject string) {
	w.Helper()
	g, _ := w.start()
	job, id = w.newJob(time.Minute)
	w.Publish(job)
	inWork(w, g, 1)
	return job, id, wire.StoredResultSubject(machinetest.Client, id)
}

// store puts something where a result goes.
func (w *world) store(subject string, data []byte, header map[string][]string) {
	w.Helper()
	if _, err := w.Bus.Publish(w.Context(), subject, data, header); err != nil {
		w.Fatal(err)
	}
}

// TestOtherContentUnderStoredID: a job whose place another job's result took
// meanwhile is told so, and the result stays.
func TestOtherContentUnderStoredID(t *testing.T) {
	t.Parallel()
	for name, standing := range map[string][]byte{
		"another job's result": []byte(`{"job":"x","digest":"00ff"}`),
		"junk":                 []byte("junk"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job, id, subject := w.inWork()
			w.store(subject, standing, w.signed(machinetest.Gateway, w.GatewayKey, id, standing))
			<-w.Results // its announcement
			w.startNode()
			r := w.Result(id)
			if r.Code != wire.CodeJobIDReused || !bytes.Equal(r.Rejected, job.Signature) {
				t.Fatalf("ended with %s: %s", r.Code, r.Error)
			}
			eventually(t, "the job is acknowledged", func() bool { return w.open() == 0 })
			stored, _, err := w.Bus.Last(t.Context(), bus.Results, subject)
			if err != nil || !bytes.Equal(stored.Data, standing) {
				t.Fatalf("the stored result is %s, %v", stored.Data, err)
			}
		})
	}
}

// TestStandingResultCounts: a result that this gateway finds stored counts if it
// is its own, whose acknowledgement was lost, and not if another gateway has
// counted it.
func TestStandingResultCounts(t *testing.T) {
	t.Parallel()
	for by, counts := range map[string]int{machinetest.Gateway: 1, "gateway1": 0} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			keys := map[string]ed25519.PrivateKey{machinetest.Gateway: w.GatewayKey, "gateway1": w.list("gateway1")}
			job, id, subject := w.inWork()
			digest := job.Digest(w.Manifest)
			stored := (&wire.Result{
				Job: id, Client: machinetest.Client, Kind: job.Kind, Digest: digest[:], Status: wire.StatusDone,
			}).Encode()
			w.store(subject, stored, w.signed(by, keys[by], id, stored))
			w.startNode() // the job is done here as well
			eventually(t, "the job is acknowledged", func() bool { return w.open() == 0 })
			if ends := w.Seen.Ends(); len(ends) != counts {
				t.Errorf("counted %d times, want %d", len(ends), counts)
			}
		})
	}
}

// TestDeadLetters: what was given up is kept with its payload and the reason,
// whoever sent it.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	expired, expiredID := w.newJob(5 * time.Second)
	forged, forgedID := w.newJob(time.Minute)
	forged.Signature = bytes.Repeat([]byte{1}, 64)
	unnamed := wire.SignJob(w.ClientKey, w.Manifest, wire.KindKeygen, machinetest.Client, []byte(`{}`))
	w.Publish(expired)
	w.Publish(forged)
	w.Publish(unnamed)
	if r := w.Result(forgedID); r.Code != wire.CodeBadSignature {
		t.Errorf("forged: %s", r.Code)
	}
	if r := w.Result(expiredID); r.Code != wire.CodeKeygenFailed ||
		!strings.Contains(r.Error, "expired before any node dealt") {
		t.Errorf("expired: %s: %s", r.Code, r.Error)
	}
	eventually(t, "every job is acknowledged", func() bool { return w.open() == 0 })
	want := map[wire.Code]wire.SignedJob{
		wire.CodeKeygenFailed: expired, wire.CodeBadSignature: forged, wire.CodeMalformedJob: unnamed,
	}
	for _, l := range w.letters() {
		job, ok := want[l.Code]
		if !ok || !bytes.Equal(l.Payload, job.Payload) || l.Client != machinetest.Client ||
			l.Kind != wire.KindKeygen || l.Error == "" {
			t.Errorf("letter %+v", l)
		}
		delete(want, l.Code)
	}
	if len(want) > 0 {
		t.Errorf("no letters for %v", want)
	}
	if ends := w.Seen.Ends(); len(ends) != 3 {
		t.Errorf("metrics saw %v", ends)
	}
}

// TestLettersOfOneClient: whatever a client sends, its letters stay small, and so
// does their number; each is still about its job.
func TestLettersOfOneClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	const n, most = 200, 128
	large, sent := bytes.Repeat([]byte{'x'}, 50<<10), 0
	for i := range n {
		job := wire.SignJob(w.ClientKey, w.Manifest, wire.KindKeygen, machinetest.Client, append(large, byte(i)))
		w.Publish(job)
		sent += len(job.Payload)
	}
	eventually(t, "every job is acknowledged", func() bool { return w.open() == 0 })
	letters, stored := w.letters(), 0
	for _, l := range letters {
		stored += len(l.Encode())
		if l.Code != wire.CodeMalformedJob || l.Size != len(large)+1 || len(l.SHA256) != 64 ||
			!bytes.Equal(l.Payload, large[:wire.MaxLetterPayload]) {
			t.Fatalf("letter %.200s", l.Encode())
		}
	}
	if len(letters) != most || stored > most*2*wire.MaxLetterPayload {
		t.Errorf("%d letters of %d bytes for %d jobs of %d bytes", len(letters), stored, n, sent)
	}
}

// TestEverythingIsAnswered: whatever was stored under a client's subject has an
// answer there, under the job's id or one that follows from the payload, and names
// the publication that it turns away.
func TestEverythingIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	const bad = "0198C0DE-0000-7000-8000-00000000000"
	for name, test := range map[string]struct {
		payload string
		signed  bool
		code    wire.Code
		id      string // of the answer; empty: one that follows from the payload
	}{
		"no JSON":               {"{", true, wire.CodeMalformedJob, ""},
		"empty":                 {"", true, wire.CodeMalformedJob, ""},
		"no id":                 {"{}", true, wire.CodeMalformedJob, ""},
		"id of another kind":    {`{"job":7}`, true, wire.CodeMalformedJob, ""},
		"id that is no subject": {`{"job":"*"}`, true, wire.CodeMalformedJob, ""},
		"id that is no UUID":    {`{"job":"order-17"}`, true, wire.CodeMalformedJob, "order-17"},
		"byte-order mark":       {"\xef\xbb\xbf" + `{"job":"` + bad + `1"}`, true, wire.CodeMalformedJob, bad + "1"},
		"not a number":          {`{"job":"` + bad + `2","count":NaN}`, true, wire.CodeMalformedJob, bad + "2"},
		"cut off":               {`{"job":"` + bad + `3","count":`, true, wire.CodeMalformedJob, bad + "3"},
		"cut off, no signature": {`{"job":"` + bad + `4","count":`, false, wire.CodeBadSignature, bad + "4"},
		"binary":                {string([]byte{0, 0xff, '.', '*'}), true, wire.CodeMalformedJob, ""},
		"no id, no signature":   {`{"x":1}`, false, wire.CodeBadSignature, ""},
	} {
		job := wire.SignJob(w.ClientKey, w.Manifest, wire.KindSign, machinetest.Client, []byte(test.payload))
		rejected := job.Signature
		if !test.signed {
			job.Signature, rejected = nil, []byte{0}
		}
		w.Publish(job)
		id := cmp.Or(test.id, wire.AnswerID(job.Payload))
		if test.id == "" && !strings.HasPrefix(id, "unnamed-") {
			t.Errorf("%s: answered under %q", name, id)
		}
		for answered := false; !answered; {
			select {
			case m := <-w.Results:
				ref, err := wire.ParseResult(m.Subject)
				if err != nil || ref.Job != id {
					t.Fatalf("%s: answer on %s, %v", name, m.Subject, err)
				}
				sig, err := hex.DecodeString(m.Header[wire.HeaderSignature][0])
				if err != nil {
					t.Fatal(err)
				}
				err = w.Access.VerifyResult(w.Manifest, machinetest.Gateway, machinetest.Client, id, m.Data, sig)
				var r wire.Result
				if err = errors.Join(err, json.Unmarshal(m.Data, &r)); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if r.Code != test.code || r.Job != test.id || !bytes.Equal(r.Rejected, rejected) {
					t.Errorf("%s: %s, job %q, rejected %x", name, r.Code, r.Job, []byte(r.Rejected))
				}
				answered = true
			case <-time.After(machinetest.WaitLimit):
				t.Fatalf("%s: no answer", name)
			}
		}
	}
	eventually(t, "every job is acknowledged", func() bool { return w.open() == 0 })
}

// TestResultTooLarge: a result that no message can hold ends its job all the
// same.
func TestResultTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, _ := w.start()
	job, id := w.newJob(time.Minute)
	w.Publish(job)
	inWork(t, g, 1)
	digest := job.Digest(w.Manifest)
	result := &wire.Result{
		Job: id, Client: machinetest.Client, Kind: job.Kind, Digest: digest[:],
		Fleet: machinetest.Name, Status: wire.StatusDone,
		Keys: []wire.Key{{Address: strings.Repeat("x", natsconn.MaxPayload)}},
	}
	g.finish(protocol.Finish{Token: 1, Job: job, Result: result})
	if r := w.Result(id); r.Code != wire.CodeTooLarge || r.Status != wire.StatusFailed ||
		!bytes.Equal(r.Digest, digest[:]) {
		t.Errorf("ended with %s: %s", r.Code, r.Error)
	}
	eventually(t, "the job is acknowledged", func() bool { return w.open() == 0 })
	if l := w.letters(); len(l) != 1 || l[0].Code != wire.CodeTooLarge {
		t.Errorf("letters %+v", l)
	}
}

// TestFinishTwice: whatever ends a delivery a second time finds nothing.
func TestFinishTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, _ := w.start()
	job, _ := w.newJob(time.Minute)
	w.Publish(job)
	inWork(t, g, 1)
	for range 2 {
		g.done(1, &wire.Result{Kind: wire.KindSign})
		g.giveBack(1)
		g.supersede(protocol.Supersede{Old: 1, New: 2})
	}
	eventually(t, "the job is acknowledged", func() bool { return w.open() == 0 })
	if ends := w.Seen.Ends(); len(ends) != 1 {
		t.Errorf("the job ended %d times", len(ends))
	}
}

// TestStoreRefused: what can never be stored is given up at once.
func TestStoreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g, _ := w.start()
	if _, err := g.store(t.Context(), "res.a bad token.x", nil, nil); !errors.Is(err, bus.ErrSubject) {
		t.Errorf("got %v", err)
	}
	if n := w.Lines.Count("not stored"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// TestStopDuringStart: a gateway that is told to end while it reads the log
// ends.
func TestStopDuringStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := New(w.config())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if g.run.Go(func() {}) {
		t.Error("a task begins after the end")
	}
}
