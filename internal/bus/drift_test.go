package bus

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// jsonFields are the names of a configuration's fields in the JetStream API.
func jsonFields(c any) (names []string) {
	for field := range reflect.TypeOf(c).Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// streamChanges change each field of a stream's configuration that is compared. A
// field of nats.go that is missing here, and not harmless, has to be decided on:
// does it touch what a stream keeps, or where a message goes?
var streamChanges = map[string]func(*jetstream.StreamConfig){
	"name":                    nil, // how the stream is found
	"subjects":                func(c *jetstream.StreamConfig) { c.Subjects = []string{c.Subjects[0] + ".more"} },
	"retention":               func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
	"max_consumers":           func(c *jetstream.StreamConfig) { c.MaxConsumers = 7 },
	"max_msgs":                func(c *jetstream.StreamConfig) { c.MaxMsgs = 7 },
	"max_bytes":               func(c *jetstream.StreamConfig) { c.MaxBytes = 7 << 20 },
	"discard":                 func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld; c.DiscardNewPerSubject = false },
	"discard_new_per_subject": func(c *jetstream.StreamConfig) { c.DiscardNewPerSubject = false },
	"max_age":                 func(c *jetstream.StreamConfig) { c.MaxAge = 7 * time.Minute },
	"max_msgs_per_subject":    func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 7 },
	"max_msg_size":            func(c *jetstream.StreamConfig) { c.MaxMsgSize = 7 },
	"storage":                 func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
	"num_replicas":            func(c *jetstream.StreamConfig) { c.Replicas = 3 },
	"no_ack":                  func(c *jetstream.StreamConfig) { c.NoAck = true },
	"duplicate_window":        func(c *jetstream.StreamConfig) { c.Duplicates = 7 * time.Second },
	"placement":               func(c *jetstream.StreamConfig) { c.Placement = &jetstream.Placement{Tags: []string{"slow"}} },
	"mirror":                  mirror,
	"sources":                 func(c *jetstream.StreamConfig) { c.Sources = []*jetstream.StreamSource{{Name: "OTHER"}} },
	"sealed":                  func(c *jetstream.StreamConfig) { c.Sealed = true },
	"deny_delete":             func(c *jetstream.StreamConfig) { c.DenyDelete = !c.DenyDelete },
	"deny_purge":              func(c *jetstream.StreamConfig) { c.DenyPurge = !c.DenyPurge },
	"allow_rollup_hdrs":       func(c *jetstream.StreamConfig) { c.AllowRollup, c.DenyPurge = true, false },
	"compression":             func(c *jetstream.StreamConfig) { c.Compression = jetstream.S2Compression },
	"first_seq":               func(c *jetstream.StreamConfig) { c.FirstSeq = 7 },
	"subject_transform": func(c *jetstream.StreamConfig) {
		c.SubjectTransform = &jetstream.SubjectTransformConfig{Destination: "x.>"}
	},
	"republish":       func(c *jetstream.StreamConfig) { c.RePublish = nil },
	"allow_direct":    func(c *jetstream.StreamConfig) { c.AllowDirect = false },
	"mirror_direct":   func(c *jetstream.StreamConfig) { mirror(c); c.MirrorDirect = true },
	"consumer_limits": func(c *jetstream.StreamConfig) { c.ConsumerLimits.MaxAckPending = 2048 },
	"template_owner":  func(c *jetstream.StreamConfig) { c.Template = "x" },
	"allow_msg_ttl":   func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true },
	"subject_delete_marker_ttl": func(c *jetstream.StreamConfig) {
		c.SubjectDeleteMarkerTTL, c.AllowRollup, c.DenyPurge = time.Hour, true, false
	},
	"allow_msg_counter": func(c *jetstream.StreamConfig) {
		c.AllowMsgCounter, c.Discard, c.DiscardNewPerSubject = true, jetstream.DiscardOld, false
	},
	"allow_atomic": func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = true },
	"allow_msg_schedules": func(c *jetstream.StreamConfig) {
		c.AllowMsgSchedules, c.AllowRollup, c.DenyPurge, c.Discard, c.DiscardNewPerSubject = true, true, false, jetstream.DiscardOld, false
	},
	"persist_mode":  func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode },
	"allow_batched": func(c *jetstream.StreamConfig) { c.AllowBatchPublish = true },
}

func mirror(c *jetstream.StreamConfig) {
	c.Mirror, c.Subjects, c.RePublish, c.Duplicates = &jetstream.StreamSource{Name: "OTHER"}, nil, nil, 0
}

// consumerChanges are the same for a consumer.
var consumerChanges = map[string]func(*jetstream.ConsumerConfig){
	"name":           nil, // how the consumer is found
	"durable_name":   nil,
	"deliver_policy": func(c *jetstream.ConsumerConfig) { c.DeliverPolicy = jetstream.DeliverNewPolicy },
	"opt_start_seq": func(c *jetstream.ConsumerConfig) {
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, 7
	},
	"opt_start_time": func(c *jetstream.ConsumerConfig) {
		now := time.Now()
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &now
	},
	"ack_policy":         func(c *jetstream.ConsumerConfig) { c.AckPolicy = jetstream.AckNonePolicy },
	"ack_wait":           func(c *jetstream.ConsumerConfig) { c.AckWait = 7 * time.Second },
	"max_deliver":        func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 7 },
	"backoff":            func(c *jetstream.ConsumerConfig) { c.BackOff, c.MaxDeliver = []time.Duration{time.Second}, 7 },
	"filter_subject":     func(c *jetstream.ConsumerConfig) { c.FilterSubject = strings.Replace(c.FilterSubject, "*", "alice", 1) },
	"replay_policy":      func(c *jetstream.ConsumerConfig) { c.ReplayPolicy = jetstream.ReplayOriginalPolicy },
	"rate_limit_bps":     func(c *jetstream.ConsumerConfig) { c.DeliverSubject, c.RateLimit, c.MaxWaiting = "elsewhere", 7<<10, 0 },
	"sample_freq":        func(c *jetstream.ConsumerConfig) { c.SampleFrequency = "7" },
	"max_waiting":        func(c *jetstream.ConsumerConfig) { c.MaxWaiting = 7 },
	"max_ack_pending":    func(c *jetstream.ConsumerConfig) { c.MaxAckPending = 7 },
	"headers_only":       func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true },
	"max_batch":          func(c *jetstream.ConsumerConfig) { c.MaxRequestBatch = 7 },
	"max_expires":        func(c *jetstream.ConsumerConfig) { c.MaxRequestExpires = 7 * time.Second },
	"max_bytes":          func(c *jetstream.ConsumerConfig) { c.MaxRequestMaxBytes = 7 << 20 },
	"inactive_threshold": func(c *jetstream.ConsumerConfig) { c.InactiveThreshold = 7 * time.Minute },
	"num_replicas":       func(c *jetstream.ConsumerConfig) { c.Replicas = 1 },
	"mem_storage":        func(c *jetstream.ConsumerConfig) { c.MemoryStorage = true },
	"filter_subjects": func(c *jetstream.ConsumerConfig) {
		c.FilterSubjects = []string{c.FilterSubject, c.FilterSubject + ".x"}
		c.FilterSubject = ""
	},
	"pause_until": func(c *jetstream.ConsumerConfig) { later := time.Now().Add(time.Hour); c.PauseUntil = &later },
	"priority_policy": func(c *jetstream.ConsumerConfig) {
		c.PriorityPolicy, c.PriorityGroups = jetstream.PriorityPolicyOverflow, []string{"a"}
	},
	"priority_timeout": func(c *jetstream.ConsumerConfig) {
		c.PriorityPolicy, c.PriorityGroups, c.PinnedTTL = jetstream.PriorityPolicyPinned, []string{"a"}, time.Minute
	},
	"priority_groups": func(c *jetstream.ConsumerConfig) {
		c.PriorityPolicy, c.PriorityGroups = jetstream.PriorityPolicyOverflow, []string{"a"}
	},
	"deliver_subject": func(c *jetstream.ConsumerConfig) { c.DeliverSubject, c.MaxWaiting = "elsewhere", 0 },
	"deliver_group": func(c *jetstream.ConsumerConfig) {
		c.DeliverSubject, c.DeliverGroup, c.MaxWaiting = "elsewhere", "a", 0
	},
	"flow_control": func(c *jetstream.ConsumerConfig) {
		c.DeliverSubject, c.FlowControl, c.IdleHeartbeat, c.MaxWaiting = "elsewhere", true, time.Second, 0
	},
	"idle_heartbeat": func(c *jetstream.ConsumerConfig) {
		c.DeliverSubject, c.IdleHeartbeat, c.MaxWaiting = "elsewhere", time.Second, 0
	},
}

// TestEveryFieldIsDecided: what nats.go can set is compared, or harmless. What
// only the server knows of can't be read with nats.go; it has to be decided on
// as soon as nats.go can.
func TestEveryFieldIsDecided(t *testing.T) {
	for what, c := range map[string]struct {
		ours, servers []string
		compared      func(string) bool
		unknown       []string // to nats.go
	}{
		"stream": {jsonFields(jetstream.StreamConfig{}), jsonFields(server.StreamConfig{}),
			func(f string) bool { _, ok := streamChanges[f]; return ok }, nil},
		"consumer": {jsonFields(jetstream.ConsumerConfig{}), jsonFields(server.ConsumerConfig{}),
			func(f string) bool { _, ok := consumerChanges[f]; return ok }, []string{"direct", "sourcing"}},
	} {
		for _, field := range c.ours {
			if c.compared(field) == slices.Contains(harmless, field) {
				t.Errorf("%s: %s: decide whether it touches what is kept or where it goes, and list it", what, field)
			}
		}
		for _, field := range c.servers {
			if field != "-" && !slices.Contains(c.ours, field) && !slices.Contains(c.unknown, field) {
				t.Errorf("%s: the server has %s, and nats.go does not", what, field)
			}
		}
	}
}

// TestEveryStreamFieldIsReported: each change that a server takes is found on the
// server, and each that it does not is found all the same.
func TestEveryStreamFieldIsReported(t *testing.T) {
	s := startTest(t, t.TempDir(), -1)
	var refused []string
	i := 0
	for field, change := range streamChanges {
		if change == nil {
			continue
		}
		i++
		b := connectTest(t, s.URL(), func(o *Options) { o.Fleet, o.Replicas = fmt.Sprint("f", i), 1 })
		d := b.declaration(t, Results) // most things can be changed about it
		if field == "deny_delete" || field == "deny_purge" {
			d = b.declaration(t, Keys)
		}
		if field == "allow_atomic" { // which RESULTS has
			d = b.declaration(t, Pending)
		}
		want := d.config(b.names, 1)
		want.AllowAtomicPublish = false // which goes neither with mirrors nor with persist_mode
		c := want
		change(&c)
		have := &c
		if err := b.createOrUpdate(t, want, c); err != nil {
			t.Logf("%s: %v", field, err)
			refused = append(refused, field)
		} else if have, err = b.streamConfig(testContext(t), c.Name); err != nil {
			t.Fatal(err)
		}
		if !reports(b.compare(&want, have), field) {
			t.Errorf("%s is not reported", field)
		}
		var drift *DriftError
		if !slices.Contains(refused, field) && (!errors.As(b.CheckStreams(testContext(t)), &drift) || !reports(drift.Drifts, field)) {
			t.Errorf("Check does not report %s", field)
		}
	}
	// One server takes no replicas, and templates are gone.
	if slices.Sort(refused); !slices.Equal(refused, []string{"num_replicas", "template_owner"}) {
		t.Errorf("the server refuses %v: this does not show that these are found on a server", refused)
	}
}

// createOrUpdate makes a stream as it is to be; what can't be had at once is set
// on the stream as it should be.
func (b *Bus) createOrUpdate(t *testing.T, want, c jetstream.StreamConfig) error {
	_, err := b.nc.JS.CreateStream(testContext(t), c)
	if err == nil {
		return nil
	}
	if _, err := b.nc.JS.CreateStream(testContext(t), want); err != nil {
		return err
	}
	_, updateErr := b.nc.JS.UpdateStream(testContext(t), c)
	if updateErr == nil {
		return nil
	}
	if err := b.nc.JS.DeleteStream(testContext(t), want.Name); err != nil {
		t.Fatal(err)
	}
	return errors.Join(err, updateErr)
}

// TestEveryConsumerFieldIsReported: the same for consumers.
func TestEveryConsumerFieldIsReported(t *testing.T) {
	b, _ := newTestBus(t)
	stream := b.names.stream(Jobs)
	want := b.durable(Jobs, GatewaysDurable("sign")).config(b.names, 0)
	var refused []string
	for field, change := range consumerChanges {
		if change == nil {
			continue
		}
		if err := b.nc.JS.DeleteConsumer(testContext(t), stream, want.Durable); err != nil && len(refused) == 0 {
			t.Fatal(err)
		}
		err := b.Check(testContext(t))
		if err == nil || !strings.Contains(err.Error(), "consumer: want present, have missing") {
			t.Fatalf("without the consumer: %v", err)
		}
		c := want
		change(&c)
		if c.DeliverSubject == "" {
			_, err = b.nc.JS.CreateConsumer(testContext(t), stream, c)
		} else {
			_, err = b.nc.JS.CreatePushConsumer(testContext(t), stream, c)
		}
		var drift *DriftError
		if err != nil {
			t.Logf("%s: %v", field, err)
			refused = append(refused, field)
			drift = &DriftError{compareConsumer(stream, &want, &c)}
		} else {
			errors.As(b.Check(testContext(t)), &drift)
		}
		if drift == nil || !reports(drift.Drifts, field) {
			t.Errorf("%s is not reported: %v", field, drift)
		}
	}
	// A work queue hands out everything, and wants to know that it was done.
	known := []string{"ack_policy", "deliver_policy", "opt_start_seq", "opt_start_time"}
	if slices.Sort(refused); !slices.Equal(refused, known) {
		t.Errorf("the server refuses %v: this does not show that these are found on a server", refused)
	}
}

func reports(drifts []Drift, field string) bool {
	return slices.ContainsFunc(drifts, func(d Drift) bool { return d.Field == field && d.Want != d.Have })
}

func (b *Bus) declaration(t *testing.T, s Stream) *declaration {
	t.Helper()
	for i := range b.streams() {
		if b.streams()[i].Name == s {
			return &b.streams()[i]
		}
	}
	t.Fatalf("no stream %s", s)
	return nil
}

// A server alone forgets a consumer that is kept in memory. Apply makes it anew, as the
// server can't move it, and no job is lost.
func TestConsumerMovesOutOfMemory(t *testing.T) {
	b, _ := newTestBus(t)
	publishJobs(t, b, 3)
	stream := must[jetstream.Stream](t)(b.nc.JS.Stream(testContext(t), b.names.stream(Jobs)))
	inMemory := b.durable(Jobs, GatewaysDurable("sign")).config(b.names, 3)
	if err := stream.DeleteConsumer(testContext(t), inMemory.Durable); err != nil || !inMemory.MemoryStorage {
		t.Fatalf("%v; with replicas: %+v", err, inMemory)
	}
	must[jetstream.Consumer](t)(stream.CreateConsumer(testContext(t), inMemory))
	if err := b.Check(testContext(t)); err == nil || !strings.Contains(err.Error(), "gateways-sign: mem_storage") {
		t.Errorf("it is not reported: %v", err)
	}
	for range 2 {
		if err := b.Apply(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Check(testContext(t)); err != nil {
		t.Error(err)
	}
	done := make(chan struct{}, 8)
	consume(t, b, Jobs, inMemory.Durable, 4, func(d Delivery) {
		_ = d.Ack(context.Background())
		done <- struct{}{}
	})
	for range 3 {
		<-done
	}
}

// madeAgain is a stream of which a gateway of another version makes a consumer that was
// deleted as it was.
type madeAgain struct {
	jetstream.Stream
	asItWas jetstream.ConsumerConfig
	times   int
}

func (m *madeAgain) DeleteConsumer(ctx context.Context, name string) error {
	err := m.Stream.DeleteConsumer(ctx, name)
	if m.times--; err == nil && m.times >= 0 {
		_, err = m.Stream.CreateConsumer(ctx, m.asItWas)
	}
	return err
}

// Apply prevails over gateways that make a consumer as it was, and does not try for ever.
func TestConsumerMadeAsItWas(t *testing.T) {
	b, _ := newTestBus(t)
	stream := must[jetstream.Stream](t)(b.nc.JS.Stream(testContext(t), b.names.stream(Jobs)))
	declared := b.durable(Jobs, GatewaysDurable("sign"))
	want := declared.config(b.names, 1)
	for _, times := range []int{0, 3, 1000} {
		again := &madeAgain{stream, declared.config(b.names, 3), times}
		if err := stream.DeleteConsumer(testContext(t), want.Durable); err != nil {
			t.Fatal(err)
		}
		must[jetstream.Consumer](t)(stream.CreateConsumer(testContext(t), again.asItWas))
		err := b.applyConsumer(testContext(t), again, want)
		if (err == nil) != (times <= 3) || (b.Check(testContext(t)) == nil) != (err == nil) {
			t.Errorf("made again %d times: %v", times, err)
		}
	}
}
