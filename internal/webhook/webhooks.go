package webhook

import (
	"context"
	"crypto/x509"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Options say where webhooks get what they tell.
type Options struct {
	Gateway  string // this one's name
	Manifest *wire.Manifest
	Access   func() *wire.Access
	Bus      *bus.Bus
	// Job is what the directory has of a client's job. What it lacks is told from the result
	// alone.
	Job func(client, id string) (directory.Job, error)
	// Render is a job's JSON, as GET /v1/jobs/{id} answers.
	Render  func(directory.Job) any
	Version string         // of this program
	Roots   *x509.CertPool // of receivers; nil: the system's
	Log     *slog.Logger
	Observe Observer
}

// Observer is called with what became of attempts, for metrics. Outcome is one of Outcomes.
type Observer interface {
	Webhook(name, outcome string)
}

// times are what tests shorten.
type times struct {
	look    time.Duration // between two looks at what is new
	list    time.Duration // between two looks at which jobs wait
	save    time.Duration // between two writes of the progress, which are heartbeats, too
	turn    time.Duration // without one of them another gateway takes over
	settle  time.Duration // from an event, until the directory should have it
	attempt time.Duration // for the receiver's answer
	pause   time.Duration // after the first attempt that failed; doubling
}

var usual = times{look: 500 * time.Millisecond, list: 2 * time.Second, save: 2 * time.Second, turn: 10 * time.Second,
	settle: 5 * time.Second, attempt: 10 * time.Second, pause: 5 * time.Second}

// Bounds of questions to the bus.
const (
	busTime   = 5 * time.Second
	closeTime = 2 * time.Second // at the end: for what is being sent, and to leave the turn to another gateway
)

// Webhooks delivers for all webhooks of a gateway.
type Webhooks struct {
	o     Options
	times times

	mu    sync.Mutex
	life  context.Context // nil: it does not run
	hooks map[string]*running
}

// running is a hook with its end.
type running struct {
	*hook
	cancel context.CancelFunc
	done   chan struct{}
}

// New makes webhooks, of which there are none.
func New(o Options) *Webhooks { return newWebhooks(o, usual) }

func newWebhooks(o Options, t times) *Webhooks {
	return &Webhooks{o: o, times: t, hooks: map[string]*running{}}
}

// Set replaces all webhooks, while Run runs or before. Those of a name go on where they were.
func (w *Webhooks) Set(all []Config) {
	names := map[string]bool{}
	for _, c := range all {
		names[c.Name] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, h := range w.hooks {
		if !names[name] {
			delete(w.hooks, name)
			h.end()
		}
	}
	for _, c := range all {
		h := w.hooks[c.Name]
		if h != nil {
			h.cfg.Store(&c)
			continue
		}
		h = &running{hook: newHook(w, c)}
		w.hooks[c.Name] = h
		if w.life != nil {
			h.start(w.life)
		}
	}
}

// Run delivers until ctx ends, and then leaves what is undelivered to another gateway.
func (w *Webhooks) Run(ctx context.Context) {
	w.mu.Lock()
	w.life = ctx
	for _, h := range w.hooks {
		h.start(ctx)
	}
	w.mu.Unlock()
	<-ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.hooks {
		<-h.done
	}
}

func (h *running) start(life context.Context) {
	ctx, cancel := context.WithCancel(life)
	h.cancel, h.done = cancel, make(chan struct{})
	go func() {
		defer close(h.done)
		h.run(ctx)
	}()
}

// end ends a hook that may not have begun. Who takes its name waits for that.
func (h *running) end() {
	if h.done != nil {
		h.cancel()
		<-h.done
	}
}

// Oldest calls f for each webhook with the age of the oldest event that this gateway has not
// delivered; 0: there is none, or it is another gateway's turn.
func (w *Webhooks) Oldest(f func(name string, age time.Duration)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.hooks))
	for name := range w.hooks {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		age := time.Duration(0)
		if at := w.hooks[name].oldest.Load(); at != 0 {
			age = max(0, time.Since(time.Unix(0, at)))
		}
		f(name, age)
	}
}
