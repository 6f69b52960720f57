package launch

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/natsserver"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newCarrier(t *testing.T) *carrier {
	t.Helper()
	server, err := natsserver.Start(natsserver.Config{StoreDir: t.TempDir(), Port: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	b, err := bus.Connect(t.Context(), bus.Options{Fleet: "test", Nodes: 3, URL: server.URL(), Name: "test", Replicas: 1})
	if err == nil {
		err = b.Apply(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	return &carrier{b, "gateway0"}
}

func (c *carrier) last(t *testing.T, stream bus.Stream, subject string) bus.Message {
	t.Helper()
	m, found, err := c.bus.LastAtLeader(t.Context(), stream, subject)
	if err != nil || !found {
		t.Fatalf("nothing on %s: %v", subject, err)
	}
	return m
}

// TestCarrier: what others signed stands where they would have left it, byte for byte; freezes
// under the gateway's own subject.
func TestCarrier(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	job := wire.SignedJob{Client: "shop", Kind: wire.KindSign, Payload: []byte("a job"), Signature: bytes.Repeat([]byte{1}, 64),
		Approvals: []wire.Approval{{Name: "erin", Signature: bytes.Repeat([]byte{2}, 64), Time: 5}}, Trace: trace}
	if err := c.Job(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	m := c.last(t, bus.Jobs, "job.sign.shop")
	read := wire.ReadJob(wire.KindSign, "shop", m.Data, m.Header)
	if string(read.Payload) != "a job" || !bytes.Equal(read.Signature, job.Signature) || len(read.Approvals) != 1 ||
		m.Header["traceparent"][0] != trace {
		t.Errorf("%+v %v", read, m.Header)
	}
	job.Payload = bytes.Repeat([]byte{' '}, wire.MaxSmallJob+1)
	if err := c.Job(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	c.last(t, bus.Bulk, "bulk.sign.shop")
	given := wire.Given{Version: wire.GivenVersion, Client: "shop", Job: "0198c0de-7a10-7cc3-98c4-dc0c0c07398f",
		Approval: wire.Approval{Name: "erin", Signature: bytes.Repeat([]byte{2}, 64), Time: 5}}
	if err := c.Approval(t.Context(), "erin", given); err != nil {
		t.Fatal(err)
	}
	m = c.last(t, bus.Approvals, "approve.erin")
	if got, err := wire.DecodeGiven(m.Subject, m.Data); err != nil || got.Job != given.Job {
		t.Errorf("%+v, %v", got, err)
	}
	if err := c.Freeze(t.Context(), "carol", []byte("said")); err != nil {
		t.Fatal(err)
	}
	m = c.last(t, bus.Control, "carried.gateway0")
	if subject, data := wire.Uncarry(m.Subject, m.Data); subject != "control.carol" || string(data) != "said" {
		t.Errorf("%s %q", subject, data)
	}
}

// TestCarrierRefuses: what there is no room for is said at once, and what is too large for its
// stream.
func TestCarrierRefuses(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	job := wire.SignedJob{Client: "shop", Kind: wire.KindKeygen, Payload: []byte("a job"), Signature: make([]byte, 64)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var busy *client.BusyError
	var err error
	for n := 0; err == nil && n < 1000; n++ {
		err = c.Job(ctx, job)
	}
	if !errors.As(err, &busy) || busy.RetryAfter <= 0 {
		t.Errorf("the stream is full: %v", err)
	}
	var large *client.JobError
	job.Client, job.Payload = "other", []byte(strings.Repeat(" ", 100<<10))
	if err := c.Job(ctx, job); !errors.As(err, &large) || large.Code != client.CodeTooLarge {
		t.Errorf("a keygen job of 100 KiB: %v", err)
	}
	if err := c.Freeze(ctx, "carol", make([]byte, wire.MaxFreeze)); !errors.As(err, &large) {
		t.Errorf("a large freeze: %v", err)
	}
}

// TestCarrierPending: jobs that wait are read as their clients published them.
func TestCarrierPending(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	for _, of := range []string{"shop", "other"} {
		job := wire.PendingJob{SignedJob: wire.SignedJob{Client: of, Kind: wire.KindSign, Payload: []byte(of),
			Signature: make([]byte, 64)}, Given: []wire.Approval{{Name: "erin", Signature: make([]byte, 64), Time: 1}}}
		_, err := c.bus.Publish(t.Context(), wire.PendingSubject(of, "0198c0de-7a10-7cc3-98c4-dc0c0c07398f"), job.Payload, job.Headers())
		if err != nil {
			t.Fatal(err)
		}
	}
	for of, want := range map[string]int{"": 2, "shop": 1, "nobody": 0} {
		all, err := c.Pending(t.Context(), of)
		if err != nil || len(all) != want {
			t.Errorf("of %q: %+v, %v", of, all, err)
		}
		for _, p := range all {
			if string(p.Payload) != p.Client || len(p.Given) != 1 {
				t.Errorf("%+v", p)
			}
		}
	}
}
