package protocol

import (
	"errors"
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// part is one batch of a keygen job.
type part struct {
	run     *run
	index   int
	attempt int
	id      string // of the attempt's batch
	placed  bool   // has one of the places in work
	faults  int    // attempts that ended by somebody's fault
	paused  bool   // the attempt was given up, the next begins in a while
	keys    [][]byte
	certs   [][]byte
	last    *wire.JobError
}

// batchPoll is how often a gateway makes sure that a batch's task is still in
// WORK, for nodes that were away.
const batchPoll = 10 * time.Second

// Sizes in a result's JSON, at most.
const (
	maxResultSize   = 4<<20 - 4096
	certificateJSON = 1300
	keyJSON         = 256
)

// maxFaults is how many attempts may end by a fault; restarts are no fault.
const maxFaults = 4

func (c *Coordinator) startKeygen(r *run) []Effect {
	size := wire.BatchSize(r.job.Suite(), c.Manifest.N, c.Manifest.T)
	if fit := maxResultSize / (c.Manifest.N*certificateJSON + size*keyJSON) * size; r.job.Count > fit {
		return c.endFailed(r, wire.Refuse(wire.CodeTooLarge, "the certificates of %d keys by %d nodes do not fit a result: ask for %d keys at most",
			r.job.Count, c.Manifest.N, fit))
	}
	for i := range r.job.Parts(c.Manifest) {
		p := &part{run: r, index: i}
		r.parts = append(r.parts, p)
		c.queue = append(c.queue, p)
	}
	return c.schedule()
}

// schedule starts parts while there are places.
func (c *Coordinator) schedule() (effects []Effect) {
	for c.running < c.MaxBatches && len(c.queue) > 0 {
		p := c.queue[0]
		c.queue = c.queue[1:]
		if c.jobs[p.run.key()] != p.run {
			continue // the job ended while the part waited
		}
		p.placed = true
		c.running++
		effects = append(effects, c.open(p)...)
	}
	return effects
}

// release gives a part's place back.
func (c *Coordinator) release(p *part) {
	delete(c.parts, p.id)
	if p.placed {
		p.placed = false
		c.running--
	}
}

func (p *part) header(m *wire.Manifest) wire.BatchHeader {
	return p.run.job.PartHeader(m, p.run.signed.Client, p.run.digest, p.index, p.attempt)
}

// open goes to the part's first attempt that was not given up. Batch ids
// follow from the job, so this also finds what an earlier life of the gateway
// began, or finished.
func (c *Coordinator) open(p *part) []Effect {
	for ; p.attempt <= wire.MaxAttempts; p.attempt++ {
		delete(c.parts, p.id)
		p.id = wire.ShortID(p.header(c.Manifest).Context(c.Manifest))
		c.parts[p.id] = p
		if e := c.directory[p.id]; e != nil {
			return c.partDone(p, e)
		}
		if b := c.batches[p.id]; b != nil {
			if node, abort := b.abort(); abort != nil && !b.certified() {
				if err := p.blame(node, abort); err != nil {
					return c.endFailed(p.run, err)
				}
				continue
			}
		}
		return c.publishPart(p)
	}
	return c.endFailed(p.run, p.last)
}

// blame notes why an attempt was given up, and says when it was too often.
func (p *part) blame(node int, abort *wire.Complaint) *wire.JobError {
	p.last = wire.Refuse(wire.CodeKeygenFailed, "part %d, attempt %d: node %d gave up: %s: %s", p.index, p.attempt, node, abort.Code, abort.Reason)
	if abort.Code != wire.CodeRestarted {
		p.faults++
	}
	if p.faults >= maxFaults {
		return p.last
	}
	return nil
}

func (c *Coordinator) publishPart(p *part) []Effect {
	task := &wire.Task{Job: p.run.signed, Part: uint32(p.index), Attempt: uint32(p.attempt)}
	return []Effect{
		PublishTask{Subject: wire.TaskSubject(task, p.run.job.ID), Body: wire.Encode(task), Trace: p.run.signed.Trace},
		After{Delay: batchPoll, Timer: Timer{p.id, timerBatch}},
	}
}

// onKeys follows every batch, its own and others', into the directory.
func (c *Coordinator) onKeys(msg wire.LogMessage) []Effect {
	slot, err := wire.ParseSlot(msg.Subject)
	if err != nil || slot.Kind.Signing() || c.directory[slot.ID] != nil {
		return nil
	}
	b := c.batches[slot.ID]
	if b == nil {
		b = newBatchLog(slot.ID, c.Manifest.N)
	}
	before := b.size()
	if c.batches[slot.ID] == nil {
		before = 0
	}
	if !b.put(c.opener, slot, msg) {
		return nil
	}
	c.batches[slot.ID] = b
	c.bytes += b.size() - before
	c.evict(slot.ID)
	effects := c.round(b, slot.Kind, msg.Time)
	if b.certified() || slot.Kind == wire.SlotCert && !b.allDeals() {
		return append(effects, c.summarize(b)...)
	}
	if node, abort := b.abort(); abort != nil && c.parts[b.id] != nil && !c.parts[b.id].paused {
		p := c.parts[b.id]
		if err := p.blame(node, abort); err != nil {
			return c.endFailed(p.run, err)
		}
		p.paused = true
		return []Effect{
			c.retried(p.run, abort.Code, abort.Reason, culpritOf(abort)),
			After{Delay: p.pause(), Timer: Timer{p.id, timerRetry}},
		}
	}
	return effects
}

// retried reports that an attempt begins again; culprit -1 is nobody.
func (c *Coordinator) retried(r *run, code wire.Code, reason string, culprit int) Report {
	return Report{What: ReportRetry, Kind: r.job.Kind, ID: r.job.ID, Job: r.key(), Trace: r.signed.Trace, Code: code, Reason: reason, Culprit: culprit}
}

// round tells when the last deal or certificate of a batch in work was stored.
func (c *Coordinator) round(b *batchLog, kind wire.SlotKind, at time.Time) []Effect {
	p := c.parts[b.id]
	switch {
	case p == nil:
	case kind == wire.SlotDeal && b.allDeals():
		return p.run.round(RoundDeals, b.id, p.run.job.Suite(), at)
	case kind == wire.SlotCert && b.certified():
		return p.run.round(RoundCertificates, b.id, p.run.job.Suite(), at)
	}
	return nil
}

// leaderSkew is how far the clocks of the servers that lead the streams may differ.
const leaderSkew = time.Second

// round tells that a round was through. One that was before this copy of the job
// was stored belongs to an earlier copy, or to a server whose clock is behind.
func (r *run) round(round RoundKind, id string, suite frost.Suite, at time.Time) []Effect {
	if at.Before(r.stored.Add(-leaderSkew)) {
		return nil
	}
	at = later(r.stored, at)
	return []Effect{Round{Round: round, Kind: r.job.Kind, Suite: suite, Interactive: r.job.Interactive(), Trace: r.signed.Trace, ID: id, From: r.stored, To: at}}
}

// pause is how long a part waits before its next attempt. It doubles: KEYS
// keeps every attempt's deals for ever, and a node that always gives up must
// not fill it.
func (p *part) pause() time.Duration {
	return min(250*time.Millisecond<<min(p.attempt, 10), time.Minute)
}

// reopen goes to the attempt after the one that was given up.
func (c *Coordinator) reopen(p *part) []Effect {
	p.paused = false
	p.attempt++
	return c.open(p)
}

// forget drops an unfinished batch from memory.
func (c *Coordinator) forget(id string) {
	if b := c.batches[id]; b != nil {
		c.bytes -= b.size()
		delete(c.batches, id)
		delete(c.refetched, id)
	}
}

// evict drops the oldest batches that no job waits for when memory for
// unfinished ones runs out. A certificate brings one back.
func (c *Coordinator) evict(keep string) {
	for c.bytes > maxBatchLogBytes {
		oldest := ""
		for id, b := range c.batches {
			if id != keep && c.parts[id] == nil && !c.computing[id] && (oldest == "" || b.firstSeq < c.batches[oldest].firstSeq) {
				oldest = id
			}
		}
		if oldest == "" {
			return
		}
		c.forget(oldest)
	}
}

func culpritOf(c *wire.Complaint) int {
	if c.Culprit == nil {
		return -1
	}
	return int(*c.Culprit)
}

// summarize computes a finished batch's public keys from its deals.
func (c *Coordinator) summarize(b *batchLog) []Effect {
	if c.computing[b.id] {
		return nil
	}
	if !b.allDeals() {
		if c.refetched[b.id] {
			return nil
		}
		c.refetched[b.id] = true
		return []Effect{Refetch{ID: b.id}}
	}
	delete(c.refetched, b.id)
	if !b.certified() {
		return nil
	}
	deals, culprit := b.decoded(c.Manifest)
	if culprit >= 0 || wire.Transcript(b.deals) != b.certs[0].Transcript {
		return []Effect{Report{What: ReportAborted, Kind: wire.KindKeygen, ID: b.id, Code: wire.CodeOtherTranscript, Culprit: culprit,
			Reason: "the certificates are not over the deals in the log: restore KEYS from a mirror"}}
	}
	c.computing[b.id] = true
	id, params := b.id, b.header.Params(c.Manifest)
	trace := ""
	if p := c.parts[id]; p != nil {
		trace = p.run.signed.Trace
	}
	return []Effect{Compute{Urgent: c.wanted[id], Name: "check deals", Trace: trace, Run: func() Event {
		return summarize(id, params, deals)
	}}}
}

// summarize always answers: a summary that is lost would hold up the directory
// for ever.
func summarize(id string, params frost.Params, deals []*frost.Deal) (answer summarized) {
	defer func() {
		if recover() != nil {
			answer = summarized{id: id, err: errors.New("a computation panicked")}
		}
	}()
	public, err := frost.Summarize(params, deals)
	return summarized{id: id, public: public, err: err}
}

func (c *Coordinator) onSummary(e summarized) []Effect {
	delete(c.computing, e.id)
	defer c.completed(e.id)
	b := c.batches[e.id]
	if b == nil {
		return nil
	}
	if e.err != nil || wire.KeyRoot(e.public.PublicKeys, b.header.Client) != b.certs[0].Root {
		return []Effect{Report{What: ReportAborted, Kind: wire.KindKeygen, ID: e.id, Code: wire.CodeInternal, Culprit: -1,
			Reason: "certified keys do not follow from the deals"}}
	}
	entry := &entry{header: *b.header, certs: slices.Clone(b.raw), public: e.public}
	c.directory[e.id] = entry
	c.forget(e.id)
	report := Report{What: ReportComplete, Kind: wire.KindKeygen, ID: e.id, Suite: frost.Suite(b.header.Suite), Count: int(b.header.K), Culprit: -1}
	p := c.parts[e.id]
	if p != nil {
		report.Job, report.Trace = p.run.key(), p.run.signed.Trace
	}
	effects := []Effect{report}
	if p != nil {
		effects = append(effects, c.partDone(p, entry)...)
	}
	return effects
}

// partDone notes a part's keys, and finishes the job with its last part.
func (c *Coordinator) partDone(p *part, e *entry) []Effect {
	p.keys, p.certs = e.public.PublicKeys, e.certs
	c.release(p)
	for _, other := range p.run.parts {
		if other.keys == nil {
			return c.schedule()
		}
	}
	result, err := c.keygenResult(p.run)
	if err != nil {
		return c.endFailed(p.run, wire.Refuse(wire.CodeInternal, "address: %v", err))
	}
	return c.end(p.run, result)
}

func (c *Coordinator) keygenResult(r *run) (*wire.Result, error) {
	res := c.result(r.signed, r.job.ID, nil)
	res.Chain, res.Suite = r.job.Chain, r.job.Suite().String()
	for _, p := range r.parts {
		b := wire.Batch{ID: p.id, Part: uint32(p.index), Attempt: uint32(p.attempt), Count: uint32(len(p.keys))}
		for _, cert := range p.certs {
			b.Certificates = append(b.Certificates, cert)
		}
		res.Batches = append(res.Batches, b)
		res.Attempts = max(res.Attempts, p.attempt+1)
		for i, pub := range p.keys {
			address, err := c.Address(r.job.Chain, c.Manifest.Network, pub)
			if err != nil {
				return nil, err
			}
			res.Keys = append(res.Keys, wire.Key{ID: wire.KeyID{Batch: p.id, Index: i}.String(), PublicKey: pub, Address: address})
		}
	}
	return res, nil
}
