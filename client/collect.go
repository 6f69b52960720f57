package client

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// Bounds of a job that is made of single requests, in items.
const (
	// defaultCollected: a larger job is not among those that the fleet does first.
	defaultCollected = wire.InteractiveItems
	// maxCollected of the longest messages fit one job.
	maxCollected = 100
)

// collector makes one job of requests of one item each that come within a few milliseconds.
// A job costs the fleet a round of messages whatever it holds, so that many callers who ask
// for one signature each are served several times as fast.
type collector struct {
	sign func(context.Context, SignRequest) (*SignResult, error)
	wait time.Duration
	most int // items of a job

	mu   sync.Mutex
	open map[int]*collected // the jobs that are being put together, by the length of their public keys
}

// collected is one job of several callers.
type collected struct {
	ctx     context.Context // ends when no caller waits any more
	end     context.CancelFunc
	job     string // id, once it is on its way
	calls   []*call
	waiting int
}

// call is what one caller asks for.
type call struct {
	item   SignItem
	answer chan signed // of one
}

type signed struct {
	result *SignResult
	err    error
}

// Collects reports whether Sign puts requests of several callers into one job.
func (c *Client) Collects() bool { return c.collect != nil }

// takes reports whether a request may be part of a job with others. Without the public key
// its suite is not known, and a job has one suite.
func (k *collector) takes(req SignRequest) bool {
	return k != nil && len(req.Items) == 1 && len(req.Items[0].PublicKey) != 0 &&
		req.JobID == "" && req.Expires.IsZero()
}

// do signs one item in a job with others.
func (k *collector) do(ctx context.Context, req SignRequest) (*SignResult, error) {
	nothing := &SignResult{Signatures: make([]Signature, 1)}
	if err := req.Items[0].check(0); err != nil { // nobody else's job fails for it
		return nothing, err
	}
	if err := ctx.Err(); err != nil { // nor does one go for somebody who is gone
		return nothing, &UnfinishedError{Total: 1, What: "signatures", Err: err}
	}
	one := &call{item: req.Items[0].clone(), answer: make(chan signed, 1)}
	job := k.join(ctx, one)
	select {
	case a := <-one.answer:
		if a.err == nil && req.Progress != nil {
			req.Progress(1, 1)
		}
		return a.result, a.err
	case <-ctx.Done():
		return nothing, &UnfinishedError{Total: 1, What: "signatures", Open: k.leave(job, one), Err: ctx.Err()}
	}
}

// join puts a call into the job that is being put together. The first one begins a job,
// whose trace is that caller's.
func (k *collector) join(ctx context.Context, one *call) *collected {
	k.mu.Lock()
	defer k.mu.Unlock()
	suite := len(one.item.PublicKey)
	job := k.open[suite]
	if job == nil {
		job = &collected{}
		job.ctx, job.end = context.WithCancel(context.WithoutCancel(ctx))
		k.open[suite] = job
		time.AfterFunc(k.wait, func() { k.flush(suite, job) })
	}
	job.calls = append(job.calls, one)
	job.waiting++
	if len(job.calls) == k.most {
		delete(k.open, suite)
		go k.run(job)
	}
	return job
}

// leave takes back what a caller asked for, or if that is on its way, says in which job.
func (k *collector) leave(job *collected, one *call) (open []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if job.waiting--; job.waiting == 0 {
		job.end()
		if suite := len(one.item.PublicKey); k.open[suite] == job { // nobody joins it any more
			delete(k.open, suite)
		}
	}
	if job.job != "" {
		return []string{job.job}
	}
	job.calls = slices.DeleteFunc(job.calls, func(c *call) bool { return c == one })
	return nil
}

// flush sends a job off that is not full.
func (k *collector) flush(suite int, job *collected) {
	k.mu.Lock()
	mine := k.open[suite] == job
	if mine {
		delete(k.open, suite)
	}
	k.mu.Unlock()
	if mine {
		k.run(job)
	}
}

// run has a job done and answers its callers.
func (k *collector) run(job *collected) {
	defer job.end()
	calls, req, err := k.request(job)
	var got *SignResult
	if err == nil && len(calls) > 0 {
		got, err = k.sign(job.ctx, req)
	}
	if len(calls) > 1 && oneFailsAll(err) {
		k.apart(job.ctx, calls)
		return
	}
	for i, one := range calls {
		one.answer <- answerOf(got, i, err)
	}
}

// request is the job of those callers who still wait.
func (k *collector) request(job *collected) (calls []*call, req SignRequest, err error) {
	id, err := uuid.NewV7()
	k.mu.Lock()
	defer k.mu.Unlock()
	job.job, req.JobID = id.String(), id.String()
	for _, one := range job.calls {
		req.Items = append(req.Items, one.item)
	}
	return job.calls, req, err
}

// apart signs each item in a job of its own, as the whole job failed for what one of them
// is: all are refused, each for a reason of its own, or the register lacks the key of one.
func (k *collector) apart(ctx context.Context, calls []*call) {
	var jobs sync.WaitGroup
	for _, one := range calls {
		jobs.Go(func() {
			got, err := k.sign(ctx, SignRequest{Items: []SignItem{one.item}})
			one.answer <- signed{got, err}
		})
	}
	jobs.Wait()
}

// answerOf is one caller's share of what came of a job.
func answerOf(got *SignResult, i int, err error) signed {
	mine := &SignResult{Signatures: make([]Signature, 1)}
	if e, ok := errors.AsType[*ItemsError](err); ok {
		err = e.of(i)
	} else if e, ok := errors.AsType[*UnfinishedError](err); ok {
		err = &UnfinishedError{Total: 1, What: e.What, Open: e.Open, Err: e.Err}
	}
	if err == nil {
		mine.Job, mine.Suite, mine.Signatures[0] = got.Job, got.Suite, got.Signatures[i]
	}
	return signed{mine, err}
}

// oneFailsAll reports whether a job may have failed for one of its items: what the fleet
// said of it, or an expected key that is not the one that signed.
func oneFailsAll(err error) bool {
	if _, unproven := errors.AsType[*ProofError](err); unproven {
		return true
	}
	_, some := errors.AsType[*ItemsError](err)
	failed, ok := errors.AsType[*JobError](err)
	return ok && !some && failed.Code.ofItem()
}

// clone is an item whose bytes the caller may use again once it has its answer, or gave up.
func (it SignItem) clone() SignItem {
	it.Message, it.ScriptRoot = bytes.Clone(it.Message), bytes.Clone(it.ScriptRoot)
	it.PublicKey, it.ChainCode = bytes.Clone(it.PublicKey), bytes.Clone(it.ChainCode)
	return it
}

// ofItem reports whether a job is refused with this code for what one of its items is, or
// of which key.
func (c Code) ofItem() bool {
	switch c {
	case CodeUnknownKey, CodeNotOwner, CodeBadMessage, CodeBadTweak, CodeBadPath,
		CodeRegisterIncomplete:
		return true
	}
	return false
}
