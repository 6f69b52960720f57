package bus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/natscluster"
)

func TestMain(m *testing.M) {
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
	consumer := &Consumer{b: b, stream: Jobs, durable: d.Durable, config: d.config(b.names, 3)}
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
