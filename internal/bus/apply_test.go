package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/test/freeport"
)

func TestApplyThenCheck(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	if err := b.Check(ctx); err != nil {
		t.Fatalf("freshly applied: %v", err)
	}
	if err := b.Apply(ctx); err != nil {
		t.Fatalf("applied again: %v", err)
	}
}

// An operator may give a stream more room, and not take its bound away.
func TestRaisedLimits(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	for _, test := range []struct {
		stream Stream
		bytes  int64
		drift  bool
	}{
		{Keys, 100 << 30, false}, {RoundsOf(1), 2 << 30, false}, {Keys, 1 << 30, true}, {RoundsOf(1), -1, true},
	} {
		name := b.names.stream(test.stream)
		c := must[*jetstream.StreamConfig](t)(b.streamConfig(ctx, name))
		c.MaxBytes = test.bytes
		if _, err := b.nc.JS.UpdateStream(ctx, *c); err != nil {
			t.Fatal(err)
		}
		if err := b.Check(ctx); (err != nil) != test.drift {
			t.Errorf("%s of %d bytes: %v", test.stream, test.bytes, err)
		}
		if err := b.Apply(ctx); err != nil {
			t.Fatal(err)
		}
		c = must[*jetstream.StreamConfig](t)(b.streamConfig(ctx, name))
		if (c.MaxBytes == test.bytes) == test.drift {
			t.Errorf("%s has %d bytes after apply", test.stream, c.MaxBytes)
		}
	}
}

// Each node has rounds of its own, which take its subjects and nobody else's, and are
// full by themselves.
func TestRounds(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	c := must[*jetstream.StreamConfig](t)(b.streamConfig(ctx, b.names.stream(RoundsOf(2))))
	c.MaxBytes = 100 << 10
	_, err := b.nc.JS.UpdateStream(ctx, *c)
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, 40<<10)
	var full *BusyError
	for i := 0; !errors.As(err, &full); i++ { // one attempt each: Publish tries until it is given up
		m, stream, invalid := b.outgoing(roundSubject("dkg", "deal", fmt.Sprintf("%032x", i), 2), junk, nil)
		if invalid != nil {
			t.Fatal(invalid)
		}
		if _, err = b.store(ctx, stream, m.Subject, m); i > 10 || ctx.Err() != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	for _, subject := range []string{roundSubject("dkg", "deal", testBatch, 1), deal(t, 0)} {
		if _, err := b.Publish(ctx, subject, junk, nil); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
	var col collector
	if _, err := b.Follow(ctx, RoundsOf(1), 1, col.options()); err != nil {
		t.Fatal(err)
	}
	checkGapless(t, col.waitFor(t, 1), 1)
	if _, err := b.Publish(ctx, roundSubject("dkg", "cert", testBatch, 1), nil, nil); err != nil {
		t.Fatal(err)
	}
	checkGapless(t, col.waitFor(t, 2), 1)
}

func TestCheckMissing(t *testing.T) {
	s := startTest(t, t.TempDir(), -1)
	b := connectTest(t, s.URL())
	var drift *DriftError
	if err := b.Check(testContext(t)); !errors.As(err, &drift) {
		t.Fatalf("want a DriftError, have %v", err)
	}
	if len(drift.Drifts) != len(b.streams()) || !strings.Contains(drift.Error(), "frostctl bus apply") {
		t.Errorf("every stream is missing: %v", drift)
	}
}

// TestStreamsOfTheReleaseBefore: programs start with streams that lack what this release has
// added, and with no others; for the administrator these are no streams of this release.
func TestStreamsOfTheReleaseBefore(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	for i := range b.streams() {
		d := &b.streams()[i]
		if len(d.Added) == 0 {
			continue
		}
		for _, s := range d.Added {
			if !slices.Contains(d.Subjects, s) {
				t.Fatalf("%s: %s is added to subjects that it is not among", d.Name, s)
			}
		}
		c := d.config(b.names, 0)
		c.Subjects = slices.DeleteFunc(c.Subjects, func(s string) bool {
			relative, _ := b.names.relative(s)
			return slices.Contains(d.Added, relative)
		})
		if _, err := b.nc.JS.UpdateStream(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	for name, err := range map[string]error{"gateway": b.CheckServing(ctx), "worker": b.CheckStreams(ctx)} {
		if err != nil {
			t.Errorf("a %s does not start: %v", name, err)
		}
	}
	if b.Check(ctx) == nil {
		t.Error("the administrator hears of nothing")
	}
	c := must[*jetstream.StreamConfig](t)(b.streamConfig(ctx, b.names.stream(Keys)))
	c.Subjects = append(c.Subjects[:0:0], c.Subjects[1:]...) // what the release before had, too
	if _, err := b.nc.JS.UpdateStream(ctx, *c); err != nil {
		t.Fatal(err)
	}
	if b.CheckServing(ctx) == nil || b.CheckStreams(ctx) == nil {
		t.Error("a program starts with a stream that lacks what it always had")
	}
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(ctx); err != nil {
		t.Error(err)
	}
}

// TestBatchesAreOptional: programs start whether a stream takes batches or not; the
// administrator has it as declared, which is without where there are replicas.
func TestBatchesAreOptional(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	for _, d := range b.streams() {
		if d.AllowAtomic != (d.Name == Results) {
			t.Errorf("%s takes batches: %v", d.Name, d.AllowAtomic)
		}
		if d.config(b.names, 3).AllowAtomicPublish {
			t.Errorf("%s takes batches with three replicas", d.Name)
		}
	}
	c := must[*jetstream.StreamConfig](t)(b.streamConfig(ctx, b.names.stream(Results)))
	if !c.AllowAtomicPublish {
		t.Error("RESULTS takes no batches")
	}
	c.AllowAtomicPublish = false // as the release before has it
	if _, err := b.nc.JS.UpdateStream(ctx, *c); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"gateway": b.CheckServing(ctx), "worker": b.CheckStreams(ctx)} {
		if err != nil {
			t.Errorf("a %s does not start: %v", name, err)
		}
	}
	var drift *DriftError
	if err := b.Check(ctx); !errors.As(err, &drift) || len(drift.Drifts) != 1 || drift.Drifts[0].Field != "allow_atomic" {
		t.Errorf("the administrator hears of %v", err)
	}
	if _, err := b.Publish(ctx, "res.alice.j", []byte("x"), nil); err != nil {
		t.Error(err)
	}
	if err := b.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(ctx); err != nil {
		t.Error(err)
	}
}

func TestCheckReportsEveryDrift(t *testing.T) {
	tests := []struct {
		stream Stream
		field  string
		change func(*jetstream.StreamConfig)
	}{
		{Jobs, "max_msgs_per_subject", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1000 }},
		{Jobs, "max_age", func(c *jetstream.StreamConfig) { c.MaxAge = time.Minute }},
		{Sign, "max_bytes", func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 }},
		{Keys, "allow_rollup_hdrs", func(c *jetstream.StreamConfig) { c.AllowRollup = true; c.DenyPurge = false }},
		{Keys, "discard", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }},
		{Keys, "allow_msg_ttl", func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true }},
		{Results, "republish", func(c *jetstream.StreamConfig) { c.RePublish = nil }},
		{Results, "discard_new_per_subject", func(c *jetstream.StreamConfig) { c.DiscardNewPerSubject = false }},
		{DeadLetter, "subjects", func(c *jetstream.StreamConfig) {
			c.Subjects = c.Subjects[:0]
			c.Subjects = append(c.Subjects, "elsewhere")
		}},
		// Overrides sync_interval: always.
		{Jobs, "persist_mode", func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }},
		{Work, "allow_direct", func(c *jetstream.StreamConfig) { c.AllowDirect = false }},
	}
	for _, test := range tests {
		t.Run(string(test.stream)+" "+test.field, func(t *testing.T) {
			s := startTest(t, t.TempDir(), -1)
			b := connectTest(t, s.URL())
			ctx := testContext(t)
			for i := range b.streams() {
				c := b.streams()[i].config(b.names, 1)
				if b.streams()[i].Name == test.stream {
					test.change(&c)
				}
				if _, err := b.nc.JS.CreateStream(ctx, c); err != nil {
					t.Fatal(err)
				}
			}
			var drift *DriftError
			if err := b.Check(ctx); !errors.As(err, &drift) {
				t.Fatalf("want a DriftError, have %v", err)
			}
			found := false
			for _, d := range drift.Drifts {
				found = found || d.Field == test.field && d.Stream == b.names.stream(test.stream) && d.Want != d.Have
			}
			if !found {
				t.Errorf("%s is not reported: %v", test.field, drift)
			}
			if err := b.Apply(ctx); err != nil {
				if !slices.Contains([]string{"allow_msg_ttl", "persist_mode"}, test.field) { // the server can't take them back
					t.Fatalf("mending: %v", err)
				}
				return
			}
			if err := b.Check(ctx); err != nil {
				t.Errorf("after mending: %v", err)
			}
		})
	}
}

func TestCheckReplicas(t *testing.T) {
	b, s := newTestBus(t)
	three := connectTest(t, s.URL(), func(o *Options) { o.Replicas = 3 })
	err := three.Check(testContext(t))
	for _, part := range []string{"num_replicas: want 3, have 1 (--replicas 3, ", "set replicas = 1 under [bus]"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("want a drift of replicas, have %v", err)
		}
	}
	if err := b.Check(testContext(t)); err != nil {
		t.Errorf("unspecified replicas: %v", err)
	}
}

func TestFleetsShareAServer(t *testing.T) {
	b, s := newTestBus(t)
	other := connectTest(t, s.URL(), func(o *Options) { o.Fleet = "other-2" })
	if err := other.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Publish(testContext(t), deal(t, 0), []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := b.Last(testContext(t), Keys, deal(t, 0)); err != nil || ok {
		t.Errorf("fleet main sees the other fleet's message: %v %v", ok, err)
	}
}

func TestKeysAreForEver(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	seq, err := b.Publish(ctx, deal(t, 0), []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := must[jetstream.Stream](t)(b.nc.JS.Stream(ctx, b.names.stream(Keys)))
	if err := s.DeleteMsg(ctx, seq); err == nil {
		t.Error("a message of KEYS was deleted")
	}
	if err := s.Purge(ctx); err == nil {
		t.Error("KEYS was purged")
	}
	config := s.CachedInfo().Config
	config.DenyDelete = false
	if _, err := b.nc.JS.UpdateStream(ctx, config); err == nil {
		t.Error("deny_delete was taken back")
	}
}

// A server without replicas forgets memory streams when it restarts. This is
// what Restore is for; if it fails, Restore is not needed any more.
func TestRestore(t *testing.T) {
	dir, port := t.TempDir(), freeport.New(t)
	s := startTest(t, dir, port)
	b := connectTest(t, s.URL(), func(o *Options) { o.RestoreMemory = true })
	plain := connectTest(t, s.URL())
	if err := plain.Apply(testContext(t)); err != nil {
		t.Fatal(err)
	}
	s.Shutdown()
	startTest(t, dir, port)
	eventually(t, "memory streams", func() error { return plain.Check(testContext(t)) })
	if err := b.Healthy(); err != nil {
		t.Error(err)
	}
}

// An earlier version had one consumer of JOBS for all kinds. Apply takes it away
// and loses no job; a gateway that finds none makes them as declared.
func TestApplyReplacesOldConsumers(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	stream, err := b.nc.JS.Stream(ctx, b.names.stream(Jobs))
	if err != nil {
		t.Fatal(err)
	}
	removeBoth := func() {
		t.Helper()
		for _, kind := range []string{"keygen", "sign"} {
			if err := stream.DeleteConsumer(ctx, GatewaysDurable(kind)); err != nil {
				t.Fatal(err)
			}
		}
	}
	removeBoth()
	if _, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: "gateways", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	publishJobs(t, b, 3)
	for range 2 {
		if err := b.Apply(ctx); err != nil {
			t.Fatal(err)
		}
	}
	removeBoth()
	for _, kind := range []string{"sign", "keygen"} {
		consume(t, b, Jobs, GatewaysDurable(kind), 16, func(d Delivery) {
			if kind != "sign" {
				t.Errorf("%s came to the consumer of %s", d.Message().Subject, kind)
			}
			if err := d.Ack(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	noneLeft(t, b)
}

// TestNewStreamsMayBeMissing: programs of this release begin before the administrator has made what
// the release before did not have, also where the servers do not let them ask for it yet. They say so.
func TestNewStreamsMayBeMissing(t *testing.T) {
	b, _ := newTestBus(t)
	ctx := testContext(t)
	for _, stream := range []Stream{Requests, Labels} {
		if err := b.Delete(ctx, stream); err != nil {
			t.Fatal(err)
		}
	}
	for name, check := range map[string]func(context.Context) error{
		"gateway": b.CheckServing, "worker": b.CheckStreams,
	} {
		if err := check(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var drift *DriftError
	if err := b.Check(ctx); !errors.As(err, &drift) || len(drift.Drifts) != 2 {
		t.Errorf("the administrator is told: %v", err)
	}
	if err := b.Delete(ctx, Results); err != nil {
		t.Fatal(err)
	}
	if err := b.CheckServing(ctx); !errors.As(err, &drift) || len(drift.Drifts) != 1 {
		t.Errorf("a stream that is not new: %v", err)
	}
}
