// Package worker runs one node: it feeds the machine of internal/protocol
// with what the bus, the key provider and the keystore say, and does what the
// machine asks for.
//
//	bus -> protocol.Node -> key provider, keystore -> bus
//
// The machine is stepped under one lock and its steps are short; mathematics
// goes to a pool, publishes and calls to the key provider to goroutines of
// their own. Order matters in one place only, and there it is kept: a batch
// is stored, then the HSM signs its certificate, then it is published.
package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keystore"
	"github.com/frostfleet/frostfleet/internal/pool"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/tracing"
)

// HedgeDelay is how long a signer of the second rank waits before it offers
// itself, beside the time that the first rank's devices may need: twice what the
// own one took.
const HedgeDelay = 100 * time.Millisecond

// Config is what a worker is made of. The worker closes none of it.
type Config struct {
	Manifest *protocol.Manifest
	Access   *protocol.Access
	Index    int
	Storage  string // directory of the keystore
	Provider *keyprovider.Supervised
	Bus      *bus.Bus
	Log      *slog.Logger
	Observe  Observer
	Tracer   *tracing.Tracer // nil: no spans
}

// Observer hears what a worker did, for metrics.
type Observer interface {
	Report(protocol.Report)
	ProviderCoalesced(digests int) // that one signature of the device served
}

// Worker is one running node.
type Worker struct {
	cfg      Config
	log      *slog.Logger
	store    *keystore.Store
	pool     *pool.Pool
	attester *attester
	sessions *sessions

	mu       sync.Mutex // guards node and unstored
	node     *protocol.Node
	unstored int // batches that the machine let go of and the keystore does not have yet

	ctx        context.Context // ends when the worker is told to stop
	cancel     context.CancelFunc
	tasks      pool.Tasks // goroutines that carry out effects
	rebuilds   chan struct{}
	refetching sync.Mutex
	caught     atomic.Bool
	stopping   atomic.Bool
	unwritten  atomic.Pointer[error] // why the keystore took the last write not
	fatal      chan error
	keysID     string
}

// openTime bounds what a worker asks of its key provider before it runs.
const openTime = time.Minute

// New checks the key provider against the manifest and opens the keystore.
func New(ctx context.Context, cfg Config) (*Worker, error) {
	if cfg.Index < 0 || cfg.Index >= cfg.Manifest.N {
		return nil, fmt.Errorf("node index %d: the manifest has nodes 0 to %d", cfg.Index, cfg.Manifest.N-1)
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if err := keyprovider.Check(ctx, cfg.Provider); err != nil {
		return nil, fmt.Errorf("key provider: %w", err)
	}
	if err := CheckCard(ctx, cfg.Provider, cfg.Manifest, cfg.Index); err != nil {
		return nil, err
	}
	w := &Worker{cfg: cfg, log: cfg.Log, pool: pool.New(), fatal: make(chan error, 1), rebuilds: make(chan struct{}, maxRebuilds())}
	w.attester = newAttester(cfg.Manifest, cfg.Provider.SignOnce, cfg.Observe.ProviderCoalesced)
	if cfg.Tracer != nil {
		w.attester.Begin = w.deviceCall
	}
	w.sessions = newSessions(cfg.Manifest, cfg.Index, w.attester)
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

// open opens the keystore and builds the machine over what is in it.
func (w *Worker) open(ctx context.Context) (err error) {
	m := w.cfg.Manifest
	var keys [3]*secret.Bytes // host, hedge, seal
	defer func() {
		keys[2].Wipe()
		if err != nil {
			keys[0].Wipe()
			keys[1].Wipe()
		}
	}()
	for i, purpose := range []string{purposeHost, purposeHedge, purposeSeal} {
		key, err := derive(ctx, w.cfg.Provider, purpose, m.Fleet, m.Epoch)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	store, err := keystore.Open(w.cfg.Storage, (*[32]byte)(keys[2].Expose()))
	if err != nil {
		return err
	}
	w.store = store
	known := map[string]protocol.KnownBatch{}
	err = store.Known(func(batch string, transcript [32]byte, complete bool) {
		known[batch] = protocol.KnownBatch{Transcript: transcript, Complete: complete}
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	w.node = protocol.NewNode(protocol.NodeConfig{
		Manifest: m, Access: w.cfg.Access, Index: w.cfg.Index, Host: keys[0], Hedge: keys[1],
		Rand: rand.Reader, Delay: HedgeDelay, Known: known,
	})
	return nil
}

// Run works until ctx ends, and then stops in order: intake, computations,
// publishes, keystore. The one call to the key provider that may be under way
// is told to end; the provider's Close waits for it.
func (w *Worker) Run(ctx context.Context) error {
	// The worker's own context outlives ctx by the time that draining takes.
	w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	pooled := make(chan struct{})
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	go func() { w.pool.Run(poolCtx); close(pooled) }()
	w.cfg.Provider.OnChange(w.deviceChanged)
	w.tasks.Go(func() { w.cfg.Provider.Watch(poolCtx) })

	stopIntake, err := w.start(ctx)
	if err == nil {
		err = w.serve(ctx)
	}
	w.stopping.Store(true)
	stopIntake()
	stopPool()
	<-pooled
	w.drain()
	w.cancel()
	w.tasks.Close()
	w.saveCursor()
	return errors.Join(err, w.Close())
}

// drainTime is how long publishes under way may take after the end was asked.
const drainTime = 5 * time.Second

func (w *Worker) drain() {
	select {
	case <-w.tasks.Idle():
	case <-time.After(drainTime):
		w.log.Warn("stopped with publishes under way; the log will tell on restart")
	}
}

// start reads the logs up to their present end, KEYS and SIGN before WORK, so
// that the machine knows what it said in an earlier life before it is asked
// to say anything. Only then it listens to JOBS. The returned function ends the reading.
func (w *Worker) start(ctx context.Context) (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	w.renew(ctx) // the clock tries again if need be
	if err := ctx.Err(); err != nil {
		return stop, err
	}
	if err := w.recertify(); err != nil {
		return stop, err
	}
	from, err := w.cursor(ctx)
	if err != nil {
		return stop, err
	}
	for _, s := range []struct {
		stream bus.Stream
		from   uint64
		event  func(protocol.LogMessage) protocol.Event
	}{
		{bus.Keys, from, func(m protocol.LogMessage) protocol.Event { return protocol.KeysMessage{LogMessage: m} }},
		{bus.Sign, 1, func(m protocol.LogMessage) protocol.Event { return protocol.SignMessage{LogMessage: m} }},
		{bus.Work, 1, func(m protocol.LogMessage) protocol.Event {
			return protocol.TaskMessage{LogMessage: m, Now: time.Now()}
		}},
	} {
		f, err := w.follow(ctx, s.stream, s.from, s.event)
		if f != nil {
			stops = append(stops, f.Stop)
		}
		if err != nil {
			return stop, err
		}
	}
	heard, err := w.cfg.Bus.Subscribe(bus.LiveSignJobs, w.hear)
	if err != nil {
		return stop, err
	}
	stops = append(stops, heard.Stop)
	w.caught.Store(true)
	w.log.Info("ready", "node", w.cfg.Index, "fleet", w.cfg.Manifest.Fleet, "keys_from", from)
	return stop, nil
}

// follow starts reading a stream and returns once its present end is reached.
func (w *Worker) follow(ctx context.Context, stream bus.Stream, from uint64, event func(protocol.LogMessage) protocol.Event) (*bus.Follower, error) {
	opt := bus.FollowOptions{
		Handler: func(m bus.Message) {
			read := logMessage(m)
			if stream == bus.Work {
				read.Trace = w.cfg.Tracer.Parse(m.Header)
			}
			w.step(event(read))
		},
		Lost: func(err error) { w.lost(stream, err) },
	}
	if stream == bus.Keys {
		opt.StreamID = w.keysID
	}
	return w.cfg.Bus.FollowToEnd(ctx, w.ctx, stream, from, opt)
}

// hear takes a sign job from the server's announcement. If one is missed, a
// gateway's task brings it.
func (w *Worker) hear(m bus.Message) {
	client, err := bus.ParseLiveJob(m.Subject)
	if err != nil || len(m.Data) > maxHeard {
		return
	}
	job := protocol.ReadJob(protocol.KindSign, client, m.Data, m.Header)
	job.Trace = w.heardTrace(m, job)
	w.step(protocol.JobHeard{Job: job, Now: time.Now()})
}

// maxHeard is the payload, in bytes, up to which a job is read at once. Larger
// ones are bulk.
const maxHeard = 128 << 10

func logMessage(m bus.Message) protocol.LogMessage {
	return protocol.LogMessage{Subject: m.Subject, Seq: m.Seq, Time: m.Time, Data: m.Data}
}

// lost ends the process when KEYS is not the stream it was: the record of the
// fleet's keys must not be replaced under a running node. WORK and SIGN are
// memory streams; losing them costs retries.
func (w *Worker) lost(stream bus.Stream, err error) {
	if stream != bus.Keys {
		w.log.Warn("stream was lost and starts anew", "stream", stream, "err", err)
		if stream == bus.Sign {
			w.step(protocol.SignLost{})
		}
		return
	}
	w.fail(fmt.Errorf("the KEYS stream was recreated or cut: restore it from a mirror before this node goes on: %w", err))
}

// recertify says again what the keystore certifies and never saw completed.
func (w *Worker) recertify() error {
	pending, err := w.store.Pending()
	if err != nil {
		return err
	}
	for _, r := range pending {
		again := protocol.Certified{ID: r.Batch, Context: r.Context, Transcript: r.Transcript, Root: protocol.KeyRoot(r.PublicKeys, r.Owner)}
		w.perform(w.ask(func(n *protocol.Node) []protocol.Effect { return n.Recertify(again) }))
	}
	return nil
}

// serve lets the clock run until ctx ends or the worker can't go on.
func (w *Worker) serve(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.fatal:
			return err
		case now := <-tick.C:
			w.step(protocol.Tick{Now: now})
			if w.sessions.due(now) {
				w.tasks.Go(func() { w.renew(w.ctx) })
			}
			if n%cursorEvery == cursorEvery-1 {
				w.saveCursor()
				w.probeStore()
			}
		}
	}
}

// renew asks for a session key, for as long as the device allows it, and takes
// the time of the device by that.
func (w *Worker) renew(ctx context.Context) {
	switch renewed, err := w.sessions.renew(ctx); {
	case renewed:
		w.mu.Lock()
		w.node.Delay = HedgeDelay + 2*min(w.attester.Took(), time.Second)
		w.mu.Unlock()
	case err != nil && ctx.Err() == nil && !errors.Is(err, errRefusedMeanwhile): // deviceChanged reported that
		w.log.Error("session key not renewed", "err", err)
	}
}

// cursorEvery is how many seconds lie between two notes of how far KEYS is read.
const cursorEvery = 10

// cursor is where reading KEYS starts: where the last run got to, if the
// stream is still the same.
func (w *Worker) cursor(ctx context.Context) (uint64, error) {
	id, err := w.cfg.Bus.StreamID(ctx, bus.Keys)
	if err != nil {
		return 0, err
	}
	w.keysID = id
	was, seq, err := w.store.Cursor()
	if err != nil {
		return 0, err
	}
	if was == "" {
		return 1, nil
	}
	if was != id {
		w.log.Warn("KEYS is another stream than at the last run; reading all of it", "was", was, "is", id)
		return 1, nil
	}
	return seq, nil
}

// saveCursor stores how far KEYS is read, unless something before that is
// still to be stored itself.
func (w *Worker) saveCursor() {
	if !w.caught.Load() {
		return
	}
	w.mu.Lock()
	next, unstored := w.node.Cursor(), w.unstored
	w.mu.Unlock()
	if unstored > 0 {
		return
	}
	if _, seq, err := w.store.Cursor(); err == nil && seq == next {
		return
	}
	if err := w.store.SetCursor(w.keysID, next); err != nil {
		w.log.Error("cursor not stored; the next start reads more of the log", "err", err)
	}
}

// Close lets go of a worker that was never run.
func (w *Worker) Close() error {
	w.node.Host.Wipe()
	w.node.Hedge.Wipe()
	return w.store.Close()
}
