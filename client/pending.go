package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/wire"
)

const (
	maxPoll = 15 * time.Second // between two reads of the stored result
	// defaultAgain is how long a job goes unanswered before it is published once more.
	// The pauses double, up to maxAgain.
	defaultAgain = 30 * time.Second
	maxAgain     = 5 * time.Minute
	// repeatEvery is how often a client publishes any of its jobs again. Where a fleet is
	// merely slow all of them wait, and each one that comes twice makes it slower.
	repeatEvery = time.Second
	// defaultGrace leaves time for the gateways, which answer every job that
	// expires, and for clocks that differ.
	defaultGrace = time.Minute
)

// answer is a result that counts: signed by a gateway, for this job.
type answer struct {
	result  wire.Result
	raw     []byte
	gateway string
}

// pending is a job whose answer is waited for.
type pending struct {
	c    *Client
	job  *prepared
	done chan struct{} // closed once answer is set

	mu      sync.Mutex
	answer  *answer
	ignored error         // why the last message did not count
	unread  error         // why nobody knows whether a result is stored: it could not be read
	foreign error         // why the one that is stored does not count
	waits   *PendingError // it waits for approvals, as was heard last

	published time.Time     // zero: it was not, by this handle
	heard     chan struct{} // that it waits
}

func (c *Client) register(j *prepared) (*pending, error) {
	p := &pending{c: c, job: j, done: make(chan struct{}), heard: make(chan struct{}, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Err() != nil {
		return nil, ErrClosed
	}
	c.waiting.add(p)
	return p, nil
}

func (c *Client) unregister(p *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting.remove(p)
}

// onResult is the subscription's handler.
func (c *Client) onResult(m *nats.Msg) {
	id := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	c.mu.Lock()
	waiting := c.waiting.of(id)
	c.mu.Unlock()
	for _, p := range waiting {
		p.offer(m, false)
	}
}

// offer settles the job if the message answers it; stored: it was read, and not announced.
func (p *pending) offer(m *nats.Msg, stored bool) {
	a, err := p.c.read(p.job, m)
	if err == nil && a.result.Status == wire.StatusPending {
		p.note(a.result.Error, a.gateway, stored)
		return
	}
	if err != nil {
		p.c.log.Warn("result ignored", "job", p.job.job.ID, "error", err)
	} else {
		p.c.unregister(p)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		p.ignored = fmt.Errorf("a result was ignored: %w", err)
	case p.answer == nil:
		p.answer = a
		close(p.done)
	}
}

func (p *pending) answered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer != nil
}

// read decides whether a message answers the job. A rejection answers only the
// publication that it repeats, payload by its digest and signature: anybody can send
// a job in this client's name that is turned away, and put this job's signature,
// which is no secret, on another payload.
func (c *Client) read(j *prepared, m *nats.Msg) (*answer, error) {
	signature, err := hex.DecodeString(m.Header.Get(wire.HeaderSignature))
	if err != nil {
		return nil, fmt.Errorf("header %s: %w", wire.HeaderSignature, err)
	}
	return c.readSigned(j, m.Data, m.Header.Get(wire.HeaderGateway), signature)
}

func (c *Client) readSigned(j *prepared, data []byte, gateway string, signature []byte) (*answer, error) {
	a := &answer{raw: data, gateway: gateway}
	if err := c.access.Load().VerifyResult(c.manifest, gateway, c.name, j.job.ID, data, signature); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &a.result); err != nil {
		return nil, fmt.Errorf("signed by gateway %s, but not a result: %w", a.gateway, err)
	}
	r := &a.result
	switch {
	case r.Job != j.job.ID || r.Client != c.name || r.Kind != j.Kind:
		return nil, fmt.Errorf("it says that it is for %s job %.64q of client %.64q", r.Kind, r.Job, r.Client)
	case !j.endsAs(r.Status):
		return nil, fmt.Errorf("unknown status %.64q", string(r.Status))
	case !bytes.Equal(r.Digest, j.digest[:]):
		return nil, fmt.Errorf("it answers another job under this id (digest %.64x)", []byte(r.Digest))
	case len(r.Rejected) > 0 && (r.Status != wire.StatusFailed || !bytes.Equal(r.Rejected, j.Signature)):
		return nil, errors.New("it turns away another publication under this job's id")
	}
	return a, nil
}

// endsAs reports whether a job may end so, or may be said to wait.
func (j *prepared) endsAs(s wire.Status) bool {
	switch s {
	case wire.StatusDone, wire.StatusFailed:
		return true
	case wire.StatusPartial:
		return len(j.job.Items) > 0 || j.job.Partial
	case wire.StatusDenied:
		return j.Kind == wire.KindSign
	case wire.StatusPending:
		return j.job.Waits()
	}
	return false
}

// wait returns the answer, however it comes: announced, or found stored. It
// looks for the stored one when nothing came for a while, after each
// reconnection, and when the job's time is over. After a longer while it publishes the
// job again.
func (p *pending) wait(ctx context.Context, onPending func(string)) (*answer, error) {
	connected := p.c.nc.StatusChanged(nats.CONNECTED)
	defer p.c.nc.RemoveStatusListener(connected)
	over := time.NewTimer(time.Until(p.job.job.Over()) + p.c.grace)
	defer over.Stop()
	every := p.c.pollAfter
	quiet := time.NewTimer(every)
	defer quiet.Stop()
	pause := p.c.again
	again := time.NewTimer(pause)
	defer again.Stop()
	asking, stop := p.untilAnswered(ctx)
	defer stop()
	for {
		select {
		case <-p.done:
			return p.settled()
		case <-p.heard:
			if err := p.tell(onPending); err != nil && !p.answered() {
				return nil, err
			}
		case <-quiet.C:
			p.poll(asking)
			every = min(2*every, maxPoll)
			quiet.Reset(every)
		case <-again.C:
			var next time.Duration
			next, pause = p.publishAgain(asking, pause)
			again.Reset(next)
		case <-connected:
			p.poll(asking)
		case <-over.C:
			if p.poll(asking); !p.answered() {
				return nil, p.explain(ErrNoAnswer)
			}
		case <-ctx.Done():
			return nil, p.explain(ctx.Err())
		case <-p.c.closed.Done():
			return nil, p.explain(ErrClosed)
		}
	}
}

// unknown is why it is not known whether a result is stored; nil if none is.
func (p *pending) unknown() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unread == nil {
		return nil
	}
	return &openError{p.job.job.ID, p.unread}
}

// doubtful is why the job must not be given up, though none of its results counts; nil if
// none is stored.
func (p *pending) doubtful() error {
	if err := p.unknown(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.foreign == nil {
		return nil
	}
	return &openError{p.job.job.ID, p.foreign}
}

func (p *pending) settled() (*answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer, p.answer.failure()
}

// failure is the answer as callers want it that says that there is nothing.
func (a *answer) failure() error {
	failed := JobError{Job: a.result.Job, Code: Code(a.result.Code), Message: a.result.Error, Gateway: a.gateway}
	switch a.result.Status {
	case wire.StatusFailed:
		return &failed
	case wire.StatusDenied:
		return &DeniedError{failed}
	}
	return nil
}

// openError is why nobody waits any more for the answer to a job that was published, or
// may have been.
type openError struct {
	job string
	why error
}

func (e *openError) Error() string { return "job " + e.job + ": " + e.why.Error() }

func (e *openError) Unwrap() error { return e.why }

func (p *pending) explain(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ignored != nil {
		err = fmt.Errorf("%w (%w)", err, p.ignored)
	}
	return &openError{p.job.job.ID, err}
}

// untilAnswered ends ctx with the answer: whatever asks for it, or for the job's repetition,
// must not keep it from whoever waits.
func (p *pending) untilAnswered(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		select {
		case <-p.done:
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// publishAgain publishes a job once more that has no answer yet. A job that was
// acknowledged can be lost: where one server's copy of JOBS is damaged, and that server
// leads, it steps over the job, and then all servers drop it. Where nothing was lost this
// is the same job, which a gateway has in work already, and a client's quota bounds what
// is stored twice. Whatever comes of it, the next time is as good: after next. It is soon
// where it was other jobs' turn, and else after a pause that doubles.
func (p *pending) publishAgain(ctx context.Context, pause time.Duration) (next, doubled time.Duration) {
	if !p.c.mayRepeat() {
		return repeatEvery, pause
	}
	doubled = min(2*pause, maxAgain)
	if p.poll(ctx); p.answered() || p.waiting() != nil || time.Now().After(p.job.job.Over()) {
		return doubled, doubled
	}
	err := p.c.publish(ctx, p.job)
	p.c.log.Info("no answer yet, job published again", "job", p.job.job.ID, "error", err)
	return doubled, doubled
}

// mayRepeat takes a turn to publish a job again, of all jobs of this client.
func (c *Client) mayRepeat() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Before(c.repeats) {
		return false
	}
	c.repeats = now.Add(repeatEvery)
	return true
}

// resultsStream has the results; without it nothing is known of a job.
const resultsStream = "RESULTS"

// poll reads the stored result directly, or a stored rejection; without one
// nothing happens.
func (p *pending) poll(ctx context.Context) {
	p.pollStream(ctx, resultsStream, wire.StoredResultSubject(p.c.name, p.job.job.ID))
	if !p.answered() {
		p.pollStream(ctx, "NOTICES", wire.NoticeSubject(p.c.name, p.job.job.ID))
	}
	if !p.answered() && p.job.job.Waits() && p.waiting() == nil {
		p.pollPending(ctx)
	}
}

func (p *pending) pollStream(ctx context.Context, stream, subject string) {
	m, err := p.c.stored(ctx, stream, subject)
	if stream == resultsStream {
		p.mu.Lock()
		p.unread = err
		p.mu.Unlock()
	}
	switch {
	case p.answered() || err != nil && ctx.Err() != nil:
	case err != nil:
		p.c.log.Warn("reading the stored result", "job", p.job.job.ID, "error", err)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ignored = err
	case m != nil:
		p.offer(m, true)
		p.mu.Lock()
		defer p.mu.Unlock()
		if stream == resultsStream && p.answer == nil {
			p.foreign = p.ignored
		}
	}
}

// stored is the message that a stream has on a subject, or nil if there is none. Headers that
// the writer may have put among the server's do no harm: what counts is signed.
func (c *Client) stored(ctx context.Context, stream, subject string) (*nats.Msg, error) {
	subject = "$JS.API.DIRECT.GET." + c.stream(stream) + "." + wire.FleetSubject(c.manifest.Fleet, subject)
	m, err := c.nc.Ask(ctx, subject, nil)
	if errors.Is(err, nats.ErrNoResponders) {
		err = errNoDirectGet
	}
	if err != nil {
		return nil, fmt.Errorf("reading the stored result: %w", err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
		return m, nil
	case "404":
		return nil, nil
	default:
		return nil, fmt.Errorf("reading the stored result: status %.64s %.64s", status, m.Header.Get("Description"))
	}
}

var errNoDirectGet = errors.New("no answer: the stream is missing (administrator: frostctl bus apply) " +
	"or this NATS account may not read its results there")
