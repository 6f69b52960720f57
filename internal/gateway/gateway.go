// Package gateway runs one gateway: it takes jobs from JOBS, has the machine
// of internal/protocol cut them into tasks and aggregate what the workers
// say, and stores the results.
//
// A job belongs to the gateway that JetStream delivered it to. It is kept in
// progress until its result is stored, and acknowledged then; if the gateway
// dies, JetStream hands the job to another, which finds in the log how far it
// got.
package gateway

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/pool"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Config is what a gateway is made of. The gateway closes none of it.
type Config struct {
	Manifest *wire.Manifest
	Access   *wire.Access
	Name     string
	Key      ed25519.PrivateKey
	Bus      *bus.Bus
	Offset   func() time.Duration // this machine's clock minus the NATS server's; nil: none
	Log      *slog.Logger
	Observe  Observer
	Tracer   *tracing.Tracer // nil: no spans
}

// Observer hears what a gateway did, for metrics.
type Observer interface {
	Report(protocol.Report)
	Round(protocol.Round)
	JobDone(protocol.JobEnd)
}

// Tuning of the machine.
const (
	maxBatches = 4                // in work at a time
	maxBulk    = 6                // sign jobs of up to 1,000 items in work at a time
	commitWait = 2 * time.Second  // for a signing set, and more for each item
	shareWait  = 2 * time.Second  // for the shares of a set
	progress   = 3 * time.Second  // how often a job in work is kept from redelivery
	drainTime  = 5 * time.Second  // for stores under way at the end
	minPause   = time.Second / 10 // between attempts, doubling
	maxPause   = 5 * time.Second
	letterTime = time.Minute     // for a dead letter, before its job ends without
	backDelay  = time.Second / 2 // before a job that is given back comes again
)

// maxJobs is how many deliveries are handled at once: as many as the consumers
// give.
var maxJobs = map[wire.Kind]int{wire.KindKeygen: 1024, wire.KindSign: 2048}

// Gateway is one running gateway.
type Gateway struct {
	cfg  Config
	log  *slog.Logger
	pool *pool.Pool

	mu          sync.Mutex // guards coordinator and deliveries
	coordinator *protocol.Coordinator
	deliveries  map[uint64]*delivery
	lastToken   uint64

	ctx        context.Context
	cancel     context.CancelFunc
	tasks      pool.Tasks
	refetching sync.Mutex
	caught     atomic.Bool
	keysRead   chan struct{} // closed when the record of keys was read up to its end
	fatal      chan error
	stop       chan struct{} // closed when intake ends: jobs under way are given back
}

// delivery is a job that JetStream gave to this gateway.
type delivery struct {
	bus.Delivery
	span  *tracing.Span // nil if it is not traced
	since time.Time     // when it was stored, by this machine's clock
	done  chan struct{} // closed when the gateway is through with it
}

// New returns a gateway that does nothing until Run.
func New(cfg Config) *Gateway {
	if cfg.Offset == nil {
		cfg.Offset = func() time.Duration { return 0 }
	}
	g := &Gateway{cfg: cfg, log: cfg.Log, pool: pool.New(), deliveries: map[uint64]*delivery{}, fatal: make(chan error, 1), stop: make(chan struct{}), keysRead: make(chan struct{})}
	g.coordinator = protocol.NewCoordinator(protocol.CoordinatorConfig{
		Manifest: cfg.Manifest, Access: cfg.Access, Address: address,
		MaxBatches: maxBatches, MaxBulk: maxBulk, CommitWait: commitWait, ShareWait: shareWait,
	})
	return g
}

func address(name, network string, publicKey []byte) (string, error) {
	c, err := chain.Parse(name)
	if err != nil {
		return "", err
	}
	return c.Address(network, publicKey)
}

// Ready says what keeps the gateway from working; nil if nothing does.
func (g *Gateway) Ready() error {
	if !g.caught.Load() {
		return errors.New("still reading what is under way in the log")
	}
	select {
	case <-g.stop:
		return errors.New("stopping")
	default:
		return nil
	}
}

// Stats counts the jobs in work and the keys in the directory.
func (g *Gateway) Stats() (jobs, keys int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.coordinator.Jobs(), g.coordinator.Keys()
}

// Run works until ctx ends, and then stops in order: intake, jobs under way
// (given back), computations, stores under way.
func (g *Gateway) Run(ctx context.Context) error {
	g.ctx, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer g.cancel()
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	pooled := make(chan struct{})
	go func() { g.pool.Run(poolCtx); close(pooled) }()

	stopIntake, err := g.start(ctx)
	if err == nil {
		err = g.serve(ctx)
	}
	close(g.stop)
	stopIntake()
	stopPool()
	<-pooled
	g.drain()
	g.cancel()
	g.tasks.Close()
	return err
}

// drain gives the stores under way some time, and then cuts them off.
func (g *Gateway) drain() {
	select {
	case <-g.tasks.Idle():
	case <-time.After(drainTime):
		g.log.Warn("stopped with stores under way; their jobs will be delivered again")
	}
}

// start reads what is under way, and then takes sign jobs. The record of all keys
// is read meanwhile: a key that is asked for before its turn is looked up by
// itself. Key generations wait for the whole record, since what it knows of a job
// must be known before the job is begun again.
func (g *Gateway) start(ctx context.Context) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	if err := g.publishManifest(ctx); err != nil {
		return stop, err
	}
	for _, s := range []struct {
		stream bus.Stream
		event  func(wire.LogMessage) protocol.Event
	}{
		{bus.Work, func(m wire.LogMessage) protocol.Event {
			return protocol.TaskMessage{LogMessage: m, Now: time.Now()}
		}},
		{bus.Sign, func(m wire.LogMessage) protocol.Event { return protocol.SignMessage{LogMessage: m} }},
	} {
		f, err := g.cfg.Bus.FollowToEnd(ctx, g.ctx, s.stream, 1, bus.FollowOptions{
			Handler: func(m bus.Message) { g.step(s.event(logMessage(m))) },
			Lost:    func(err error) { g.log.Warn("stream was lost and starts anew", "stream", s.stream, "err", err) },
		})
		if f != nil {
			stops = append(stops, f.Stop)
		}
		if err != nil {
			return stop, err
		}
	}
	read, err := g.readKeys()
	if err != nil {
		return stop, err
	}
	stops = append(stops, read.Stop)
	consumer, err := g.consume(ctx, wire.KindSign)
	if err != nil {
		return stop, err
	}
	stops = append(stops, consumer.Stop, g.whenRead(ctx))
	g.caught.Store(true)
	g.log.Info("ready", "gateway", g.cfg.Name, "fleet", g.cfg.Manifest.Fleet)
	return stop, nil
}

func (g *Gateway) consume(ctx context.Context, kind wire.Kind) (*bus.Consumer, error) {
	return g.cfg.Bus.Consume(ctx, bus.Jobs, bus.GatewaysDurable(string(kind)), maxJobs[kind], g.handle)
}

func logMessage(m bus.Message) wire.LogMessage {
	return wire.LogMessage{Subject: m.Subject, Seq: m.Seq, Time: m.Time, Data: m.Data}
}

// publishManifest keeps the core manifest in the log beside its keys.
func (g *Gateway) publishManifest(ctx context.Context) error {
	hash := g.cfg.Manifest.Hash()
	body, err := json.Marshal(g.cfg.Manifest)
	if err != nil {
		return err
	}
	_, err = g.cfg.Bus.PublishSlot(ctx, wire.ManifestSubject(hash), body, nil, func(m bus.Message) bool {
		stored, err := wire.ParseManifest(m.Data)
		return err == nil && stored.Hash() == hash
	})
	if err != nil {
		return fmt.Errorf("store the manifest in KEYS: %w", err)
	}
	return nil
}

func (g *Gateway) serve(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-g.fatal:
			return err
		case now := <-tick.C:
			g.step(protocol.Tick{Now: now})
		}
	}
}
