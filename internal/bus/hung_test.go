package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/natscluster"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childStore); dir != "" {
		serveChild(dir)
		return
	}
	code := m.Run()
	natscluster.RemoveBuild()
	os.Exit(code)
}

// cluster is three servers with the fleet's streams on all of them, and a connection
// to one that does not lead a consumer, whose leader it gives.
func cluster(t *testing.T, durable string, change ...func(*Options)) (c *natscluster.Cluster, b *Bus, leader int) {
	t.Helper()
	c = natscluster.Start(t, 3)
	change = append(change, func(o *Options) { o.Replicas, o.AckTimeout = 3, 5*time.Second })
	var admin *Bus
	eventually(t, "a cluster", func() (err error) {
		if admin == nil {
			ctx, cancel := context.WithTimeout(testContext(t), 10*time.Second)
			defer cancel()
			opt := Options{Fleet: "main", URL: c.URL(0), Replicas: 3}
			if admin, err = Connect(ctx, opt); err != nil {
				return err
			}
			t.Cleanup(func() { _ = admin.Close(context.Background()) })
		}
		return admin.Apply(testContext(t))
	})
	eventually(t, "a leader", func() error {
		consumer, err := admin.nc.JS.Consumer(testContext(t), admin.names.stream(Jobs), durable)
		if err != nil {
			return err
		}
		info := consumer.CachedInfo()
		if info.Cluster == nil || info.Cluster.Leader == "" {
			return errors.New("none yet")
		}
		leader = c.Named(info.Cluster.Leader)
		return nil
	})
	url := func(i int) string { return c.URL((leader + i) % 3) }
	return c, connectTest(t, url(1)+","+url(2), change...), leader
}

// TestLeaderHangs: a consumer whose leader is stopped, and not gone, is served by
// the next leader as soon as there is one. Its connection is another server's, and
// sees nothing.
func TestLeaderHangs(t *testing.T) {
	var log logSink
	c, b, leader := cluster(t, GatewaysDurable("sign"), func(o *Options) { o.Logger = log.logger() })
	var handled atomic.Int32
	consume(t, b, Jobs, GatewaysDurable("sign"), 64, func(d Delivery) {
		handled.Add(1)
		for d.Ack(testContext(t)) != nil { // it may have gone to the server that hangs
		}
	})
	publishJobs(t, b, 3)
	noneLeft(t, b)
	c.Signal(leader, syscall.SIGSTOP)
	eventually(t, "seeing that the request is lost", func() error {
		if !strings.Contains(log.String(), "the server forgot a request for messages") {
			return errors.New(log.String())
		}
		return nil
	})
	for i := range 3 {
		if _, err := b.Publish(testContext(t), fmt.Sprint("job.sign.d", i), []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the jobs that came meanwhile", func() error {
		if n := handled.Load(); n < 6 {
			return fmt.Errorf("%d of 6", n)
		}
		return nil
	})
	c.Signal(leader, syscall.SIGCONT)
	noneLeft(t, b)
}

// TestConsumerWithoutLeader: a consumer that has no leader answers no question, and who
// looks for it does not wait as long as for an acknowledgement: it may have one any
// moment, and nothing is asked of that one meanwhile.
func TestConsumerWithoutLeader(t *testing.T) {
	c, b, leader := cluster(t, GatewaysDurable("sign"))
	b.opt.AckTimeout = 2 * patience
	d := b.durable(Jobs, GatewaysDurable("sign"))
	consumer := &Consumer{b: b, stream: Jobs, durable: d.Durable, made: d}
	eventually(t, "the consumer", func() error { return consumer.ensure(testContext(t)) })
	c.Signal(leader, syscall.SIGSTOP)
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		_ = consumer.ensure(testContext(t)) // if the others were quick, it is there
	}()
	select {
	case <-looked:
	case <-time.After(patience):
		t.Error("it waits for a consumer without a leader as long as for an acknowledgement")
	}
}

// TestConsumersForgotten: servers that all ended, and forgot who has which message, hand
// out again what was not acknowledged, under the same consumer. What was may come again as
// well: who leads the consumer reads its own copy of the stream, from which nothing may
// have been taken yet.
func TestConsumersForgotten(t *testing.T) {
	durable := GatewaysDurable("sign")
	c, b, _ := cluster(t, durable)
	held := make(chan Delivery, 64)
	hold := consume(t, b, Jobs, durable, 64, func(d Delivery) { held <- d })
	publishJobs(t, b, 4)
	var unacknowledged []string
	for i := range 4 {
		d := <-held
		if i%2 == 0 {
			if err := d.Ack(testContext(t)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		unacknowledged = append(unacknowledged, d.Message().Subject)
	}
	hold.Stop()
	soLeft(t, b, 2) // the consumer confirms before the stream has it
	for i := range 3 {
		c.Signal(i, syscall.SIGKILL)
	}
	for i := range 3 {
		c.Restart(i, func(string) {})
	}
	declared := b.durable(Jobs, durable).config(b.names, 3)
	eventually(t, "the consumer as it was", func() error {
		have, err := b.consumerConfig(testContext(t), b.names.stream(Jobs), durable)
		if drifts := compareConsumer("", &declared, have); err != nil || len(drifts) > 0 {
			return fmt.Errorf("%v, %w", drifts, err)
		}
		return nil
	})
	var mu sync.Mutex
	again := map[string]int{}
	eventually(t, "handlers", func() error {
		consumer, err := b.Consume(testContext(t), Jobs, durable, 64, func(d Delivery) {
			mu.Lock()
			again[d.Message().Subject]++
			mu.Unlock()
			for d.Ack(testContext(t)) != nil { // lost in an election
			}
		})
		if err == nil {
			t.Cleanup(consumer.Stop)
		}
		return err
	})
	eventually(t, "what was not acknowledged", func() error {
		mu.Lock()
		defer mu.Unlock()
		for _, subject := range unacknowledged {
			if again[subject] == 0 {
				return fmt.Errorf("%v were handed out", again)
			}
		}
		return nil
	})
	noneLeft(t, b)
}

// TestReplicasComeAndGo: a stream that gets replicas has its consumers' state in memory,
// and one that loses them on the disk, or a server's restart would take the consumers. A
// gateway gets its jobs all along.
func TestReplicasComeAndGo(t *testing.T) {
	durable := GatewaysDurable("sign")
	c, b, leader := cluster(t, durable)
	handled := make(chan string, 64)
	consume(t, b, Jobs, durable, 64, func(d Delivery) {
		for d.Ack(testContext(t)) != nil { // lost with the consumer, or a server
		}
		handled <- d.Message().Subject
	})
	works := func(name string) {
		t.Helper()
		if _, err := b.Publish(testContext(t), "job.sign."+name, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		for <-handled != "job.sign."+name { // again, maybe
		}
	}
	works("before")
	for i, replicas := range []int{1, 3, 1} {
		admin := connectTest(t, c.URL(leader), func(o *Options) { o.Replicas, o.AckTimeout = replicas, 10*time.Second })
		eventually(t, fmt.Sprint("apply with ", replicas), func() error { return admin.Apply(testContext(t)) })
		have, err := b.consumerConfig(testContext(t), b.names.stream(Jobs), durable)
		if err != nil || have == nil || have.MemoryStorage != (replicas > 1) {
			t.Errorf("with %d: %+v, %v", replicas, have, err)
		}
		eventually(t, "anybody's check", func() error { // without the option it takes the stream's word
			return errors.Join(admin.Check(testContext(t)), connectTest(t, c.URL(leader)).Check(testContext(t)))
		})
		works(fmt.Sprint("after", i))
	}
	for i := range 3 {
		c.Restart(i, func(string) {})
	}
	works("restarted")
}
