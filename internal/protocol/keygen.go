package protocol

import (
	"slices"
	"time"

	"github.com/frostfleet/frostfleet/internal/board"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// keygen runs key generations: it publishes a task for each batch of a job, goes
// to the next attempt where nodes give one up, and takes finished batches from the
// directory: a key is announced once the register has it.
type keygen struct {
	cfg       CoordinatorConfig
	directory *directory
	rounds    *registrars
	out       *outbox
	jobs      map[*activeJob][]*keygenBatch
	batches   map[string]*keygenBatch // in work, by the id of their attempt
	queue     []*keygenBatch          // waiting for capacity
	running   int                     // of cfg.MaxBatches
}

// batchPoll is how often a gateway makes sure that a batch's task is still in
// WORK, for nodes that were away.
const batchPoll = 10 * time.Second

func newKeygen(cfg CoordinatorConfig, d *directory, r *registrars, out *outbox) *keygen {
	return &keygen{
		cfg: cfg, directory: d, rounds: r, out: out, jobs: map[*activeJob][]*keygenBatch{}, batches: map[string]*keygenBatch{},
	}
}

// start begins a job under a view, which it keeps.
func (k *keygen) start(j *activeJob, v *view) {
	m := v.manifest
	if err := k.refuses(v); err != nil {
		k.out.fail(j, err)
		return
	}
	if fit := fitsResult(k.directory.views.lineage, m, j.job.Suite()); j.job.Count > fit {
		k.out.fail(j, wire.Refuse(wire.CodeTooLarge,
			"the certificates of %d keys by %d nodes do not fit a result: ask for %d keys at most", j.job.Count, m.N, fit))
		return
	}
	for i := range j.job.Parts(m) {
		b := &keygenBatch{job: j, view: v, part: i}
		k.jobs[j] = append(k.jobs[j], b)
		k.queue = append(k.queue, b)
	}
	k.schedule()
}

// refused returns why no keys can be generated now for a job in work, nil if they can.
func (k *keygen) refused(j *activeJob) *wire.JobError {
	if all := k.jobs[j]; len(all) > 0 {
		return k.refuses(all[0].view)
	}
	return nil
}

func (k *keygen) refuses(v *view) *wire.JobError {
	if revoked := k.directory.views.revoked(v); len(revoked) > 0 {
		return wire.Refuse(wire.CodeKeygenFailed, "%s", errRevokedNode(revoked[0]).Reason)
	}
	return nil
}

// begunUnder is the view under which a job was begun, by an earlier life of this gateway or
// by another one, as far as batches show it; nil: none do.
func (k *keygen) begunUnder(j *activeJob) *view {
	for _, v := range slices.Backward(k.directory.views.chain) {
		first := keygenBatch{job: j, view: v}
		id := wire.ShortID(first.header().Context(v.manifest))
		if k.directory.finished[id] != nil || k.rounds.of[v].rounds.Get(id) != nil {
			return v
		}
	}
	return nil
}

// onTaskSeen goes on with a job under the view that another gateway began it with: its task
// stands in WORK where this gateway's would. What is done is done.
func (k *keygen) onTaskSeen(j *activeJob, v *view) {
	all := k.jobs[j]
	if v == nil || len(all) == 0 || all[0].view == v || j.answering ||
		slices.ContainsFunc(all, func(b *keygenBatch) bool { return b.finished != nil }) {
		return
	}
	k.drop(j)
	k.start(j, v)
}

// schedule starts batches while there is capacity.
func (k *keygen) schedule() {
	for k.running < k.cfg.MaxBatches && len(k.queue) > 0 {
		b := k.queue[0]
		k.queue = k.queue[1:]
		if b.job.over() || b.dropped {
			continue
		}
		b.scheduled = true
		k.running++
		k.open(b)
	}
}

// release takes a job that has ended out of work.
func (k *keygen) release(j *activeJob) {
	k.drop(j)
	k.schedule()
}

func (k *keygen) drop(j *activeJob) {
	for _, b := range k.jobs[j] {
		b.dropped = true
		k.close(b)
	}
	delete(k.jobs, j)
}

// close takes a batch out of work.
func (k *keygen) close(b *keygenBatch) {
	k.forget(b)
	if b.scheduled {
		b.scheduled = false
		k.running--
	}
}

// forget lets go of a batch's attempt.
func (k *keygen) forget(b *keygenBatch) {
	if k.batches[b.id] == b {
		delete(k.batches, b.id)
		k.log(b).Unpin(b.id)
	}
}

// log is the rounds of the nodes that make a batch's keys.
func (k *keygen) log(b *keygenBatch) *board.Board { return k.rounds.of[b.view].rounds }

// open goes to the batch's first attempt that was not given up. Batch ids follow
// from the job, so this also finds what an earlier life of the gateway began, or
// finished.
func (k *keygen) open(b *keygenBatch) {
	for ; b.attempt <= wire.MaxAttempts; b.attempt++ {
		k.forget(b)
		header := b.header()
		b.context = header.Context(b.view.manifest)
		b.id = wire.ShortID(b.context)
		k.batches[b.id] = b
		if f := k.directory.finished[b.id]; f != nil {
			k.done(b, f)
			return
		}
		log := k.log(b).Pin(b.id, b.job.stored)
		log.Job, log.Trace = b.job.key(), b.job.Signed.Trace
		log.SetHeader(header)
		end := givenUp(log, b.context)
		if end == nil || log.Certified() != nil {
			k.publish(b)
			k.rounds.of[b.view].register(log)
			return
		}
		if err := b.blame(end); err != nil {
			k.out.fail(b.job, err)
			return
		}
	}
	k.out.fail(b.job, b.lastAbort)
}

func (k *keygen) publish(b *keygenBatch) {
	task := (&wire.Task{Job: b.job.Signed, Part: uint32(b.part), Attempt: uint32(b.attempt)}).For(b.view.manifest)
	if k.cfg.CompactEntries { // of a key generation, form 1 is that and no more
		task.InForm(k.directory.views.form(b.view))
	}
	k.out.do(
		PublishTask{Subject: wire.TaskSubject(task, b.job.ID), Body: wire.Encode(task), Trace: b.job.Signed.Trace},
		After{Delay: batchPoll, Timer: Timer{b.id, timerBatch}},
	)
}

// onLog acts on a slot that just got its value.
func (k *keygen) onLog(log *board.Batch, slot wire.Slot, at time.Time) {
	b := k.batches[log.ID]
	if b == nil {
		return
	}
	switch {
	case slot.Kind == wire.SlotDeal && log.AllDeals():
		k.out.round(b.job, RoundDeals, b.id, b.job.job.Suite(), at)
	case slot.Kind == wire.SlotCert && log.Certified() != nil:
		k.out.round(b.job, RoundCertificates, b.id, b.job.job.Suite(), at)
	}
	k.rounds.of[b.view].register(log)
	if log.Certified() == nil {
		k.giveUp(b, log)
	}
}

// giveUp goes on from an attempt that a node ended.
func (k *keygen) giveUp(b *keygenBatch, log *board.Batch) {
	if end := givenUp(log, b.context); end != nil {
		k.onEnding(b, end)
	}
}

// onFalseRoot ends the attempt in which a node certified keys that do not follow from
// the deals.
func (k *keygen) onFalseRoot(id string, node int) {
	if b := k.batches[id]; b != nil && !b.job.over() {
		k.onEnding(b, &ending{node, falseCertificate(node, b.context), true})
	}
}

// onEnding pauses an attempt that was given up, and ends the job where that was too
// often.
func (k *keygen) onEnding(b *keygenBatch, end *ending) {
	if b.paused {
		return
	}
	abort := end.why
	if end.proven {
		report := b.job.report(ReportAborted, b.id)
		report.Code, report.Reason, report.Culprit = abort.Code, abort.Reason, end.node
		k.out.do(report)
	}
	if err := b.blame(end); err != nil {
		k.out.fail(b.job, err)
		return
	}
	b.paused = true
	culprit := -1 // whom the node names is in its reason, if anybody: its word is no proof
	if end.proven {
		culprit = end.node
	}
	k.out.do(
		b.job.retry(abort.Code, abort.Reason, culprit),
		After{Delay: b.pause(), Timer: Timer{b.id, timerRetry}},
	)
}

func (k *keygen) onTimer(t Timer) {
	b := k.batches[t.ID]
	switch {
	case b == nil || b.job.over():
	case t.Kind == timerBatch && !b.paused:
		k.publish(b)
	case t.Kind == timerRetry && b.paused:
		b.paused = false
		b.attempt++
		k.open(b)
	}
}

// onFinished takes a batch that has just come into the directory.
func (k *keygen) onFinished(f *finishedBatch) {
	report := Report{What: ReportComplete, Kind: wire.KindKeygen, ID: f.ID, Culprit: -1}
	b := k.batches[f.ID]
	if b != nil {
		report = b.job.report(ReportComplete, f.ID)
	}
	report.Suite, report.Count = frost.Suite(f.header.Suite), int(f.header.K)
	k.out.do(report)
	if b != nil {
		k.done(b, f)
	}
}

// done takes a batch's keys. With the last batch of a job its result is computed.
func (k *keygen) done(b *keygenBatch, f *finishedBatch) {
	b.finished = f
	k.close(b)
	for _, other := range k.jobs[b.job] {
		if other.finished == nil {
			k.schedule()
			return
		}
	}
	j, cfg, lineage, batches := b.job, k.cfg, k.directory.views.lineage, k.jobs[b.job]
	k.out.compute(j, func() (*wire.Result, error) { return keygenResult(cfg, lineage, j, batches) })
	k.schedule()
}

// expiryReason explains what an expired job was waiting for.
func (k *keygen) expiryReason(j *activeJob) *wire.JobError {
	for _, b := range k.jobs[j] {
		if b.finished != nil {
			continue
		}
		log := k.log(b).Get(b.id)
		switch {
		case log == nil || len(log.Missing(wire.SlotDeal)) == b.view.manifest.N:
			return wire.Refuse(wire.CodeKeygenFailed, "expired before any node dealt part %d", b.part)
		case !log.AllDeals():
			return wire.Refuse(wire.CodeKeygenFailed, "expired waiting for the deal of %s",
				nodeList(log.Missing(wire.SlotDeal)))
		}
		if absent := log.Missing(wire.SlotCert); absent != nil {
			return wire.Refuse(wire.CodeKeygenFailed, "expired waiting for the certificate of %s", nodeList(absent))
		}
		if log.Certified() != nil {
			return wire.Refuse(wire.CodeKeygenFailed, "expired before KEYS had acknowledged the entry of part %d", b.part)
		}
		return wire.Refuse(wire.CodeKeygenFailed,
			"expired: the certificates of part %d do not agree with each other", b.part)
	}
	return wire.Refuse(wire.CodeKeygenFailed, "expired")
}
