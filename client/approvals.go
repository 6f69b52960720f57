package client

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a job may wait for approvals at most.
const (
	MaxWait     = wire.MaxWait    // from when it is published
	MaxAfter    = wire.MaxJobLife // from the last approval to its expiry
	defaultWait = 10 * time.Minute
)

// Wait has a job wait for approvals that the policies of nodes want. The zero value does not.
// Nodes that want none may sign it at once. It can't be taken back: until it is over, take
// its transaction for one that may be signed.
type Wait struct {
	Until time.Time // approvals count that are made before, within MaxWait
	// After is how long the fleet may sign it from the last approval on, in whole seconds,
	// at most MaxAfter. 0 is 10 minutes.
	After time.Duration
}

// of has a job wait, if this says so.
func (w Wait) of(job wire.Job) wire.Job {
	if w == (Wait{}) {
		return job
	}
	if w.After == 0 {
		w.After = defaultWait
	}
	job.ApproveUntil, job.ExpiresAfter = w.Until, int(w.After/time.Second)
	if w.After%time.Second != 0 || w.Until.IsZero() {
		job.ApproveUntil, job.ExpiresAfter = w.Until, -1 // which is refused
	}
	return job
}

// PendingError is the answer to a job that waits for approvals: the fleet keeps it, and
// whoever asks for it later, by the same job, gets what came of it. Message says what it
// lacks, as one node sees it; it is empty where that is not known any more.
type PendingError struct {
	Job     string // id
	Message string
	Gateway string // empty: the job was found among those that wait
}

func (e *PendingError) Error() string {
	text := fmt.Sprintf("job %s waits for approvals", e.Job)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// freshly is how long after a job was published what is stored about it may be of before.
const freshly = 15 * time.Second

// note records that the job waits, and wakes who waits for it. What is stored may be older
// than the publication whose answer is waited for, which may have brought approvals.
func (p *pending) note(message, gateway string, stored bool) {
	p.mu.Lock()
	if stored && time.Since(p.published) < freshly {
		p.mu.Unlock()
		return
	}
	p.waits = &PendingError{Job: p.job.job.ID, Message: message, Gateway: gateway}
	p.mu.Unlock()
	select {
	case p.heard <- struct{}{}:
	default:
	}
}

// waiting says that the job waits; nil if that was not heard.
func (p *pending) waiting() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits == nil {
		return nil
	}
	return p.waits
}

// tell tells a caller that the job waits. If it does not want to hear it, that is what it
// gets.
func (p *pending) tell(onPending func(string)) error {
	p.mu.Lock()
	waits := p.waits
	p.mu.Unlock()
	if onPending == nil {
		p.c.unregister(p)
		return waits
	}
	onPending(waits.Message)
	return nil
}

// pollPending looks whether the job stands among those that wait. Nobody signs that it does,
// so it is a hint that a result is to come, and nothing more.
func (p *pending) pollPending(ctx context.Context) {
	m, err := p.c.stored(ctx, "PENDING", wire.PendingSubject(p.c.name, p.job.job.ID))
	switch {
	case err != nil && ctx.Err() == nil:
		p.c.log.Warn("looking for the job among those that wait", "job", p.job.job.ID, "error", err)
	case err == nil && m != nil && bytes.Equal(m.Data, p.job.Payload):
		p.note("", "", true)
	}
}
