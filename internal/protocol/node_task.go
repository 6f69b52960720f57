package protocol

import (
	"fmt"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost/bip445"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// inlineTask is the size, in bytes, up to which a task is opened on the spot: a
// detour over the pool would cost more. A larger one may list a thousand items.
const inlineTask = 8 << 10

func (n *Node) onTask(e TaskMessage) []Effect {
	n.now = e.Now
	open := func() Event { return n.open(e) }
	if len(e.Data) <= inlineTask {
		return n.Step(open())
	}
	// Who writes the subject chooses the lane; open then holds it against the task.
	urgent := strings.HasPrefix(e.Subject, "work.interactive.")
	return []Effect{Compute{Urgent: urgent, Name: "open task", Trace: e.Trace, Run: open}}
}

// open checks a task as if no gateway had checked it before. It reads only what
// never changes, so it may run beside the machine.
func (n *Node) open(e TaskMessage) taskOpened {
	bad := func(err error) taskOpened { return taskOpened{subject: e.Subject, err: err} }
	body, err := n.opener.FromGateway(e.Subject, e.Data)
	if err != nil {
		return bad(err)
	}
	task, err := wire.DecodeTask(body, n.cfg.Manifest)
	if err != nil {
		return bad(err)
	}
	task.Job.Trace = e.LogMessage.Trace
	if err := task.Job.Authenticate(n.cfg.Manifest, n.cfg.Access); err != nil {
		return bad(err)
	}
	job, jobErr := task.Job.Parse(e.Time) // expiry by the stream's clock, which all nodes share
	if jobErr != nil {
		return bad(jobErr)
	}
	if e.Subject != wire.TaskSubject(task, job.ID) {
		return bad(wire.Refuse(wire.CodeMalformedJob, "task under another task's subject"))
	}
	opened := taskOpened{subject: e.Subject, task: task, job: job}
	switch job.Kind {
	case wire.KindKeygen:
		opened.header, err = n.readKeygen(task, job)
	case wire.KindSign:
		opened.request, err = n.readSign(task, job)
	default:
		err = fmt.Errorf("no node can do a job of kind %.64q", string(job.Kind))
	}
	if err != nil {
		return bad(err)
	}
	return opened
}

func (n *Node) readKeygen(task *wire.Task, job *wire.Job) (*wire.BatchHeader, error) {
	m := n.cfg.Manifest
	if int(task.Part) >= job.Parts(m) || len(task.Items) > 0 || len(task.Exclude) > 0 {
		return nil, fmt.Errorf("keygen task %s: part %d does not exist, or the task lists items", job.ID, task.Part)
	}
	header := job.PartHeader(m, task.Job.Client, task.Job.Digest(m), int(task.Part), int(task.Attempt))
	return &header, nil
}

func (n *Node) readSign(task *wire.Task, job *wire.Job) (*signRequest, error) {
	if task.Part != 0 || len(task.Items) == 0 || int(task.Items[len(task.Items)-1]) >= len(job.Items) {
		return nil, fmt.Errorf("sign task %s: part %d or items out of range", job.ID, task.Part)
	}
	if task.Draft == "" {
		return nil, fmt.Errorf("sign task %s: the task names no draft of BIP 445, so its gateway runs a version from before "+
			"drafts were named; this node signs by draft %s: run one version everywhere", job.ID, bip445.Draft)
	}
	r := &signRequest{
		session: task.Session(n.cfg.Manifest), job: job, client: task.Job.Client, trace: task.Job.Trace,
		which: task.Items, draft: task.Draft, keys: make([]wire.KeyID, len(task.Items)),
	}
	for i, w := range task.Items {
		var err error
		if r.keys[i], err = wire.ParseKeyID(job.Items[w].Key); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// onTaskOpened begins what a task asks for, unless it has expired by this node's
// clock, which no other party can set. That is checked here and not when the task
// came: a session that is over is remembered for no longer.
func (n *Node) onTaskOpened(e taskOpened) []Effect {
	if e.err == nil && n.now.After(e.job.Expires.Add(wire.ClockSkew)) {
		e.err = wire.Refuse(wire.CodeExpired, "the job expired at %s by this node's clock",
			e.job.Expires.UTC().Format(time.RFC3339))
	}
	switch {
	case e.err != nil:
		return []Effect{Report{What: ReportBadTask, ID: e.subject, Reason: e.err.Error(), Culprit: -1}}
	case e.header != nil:
		return n.startBatch(e.header, e.task, e.job)
	}
	return n.startSigning(e.request, e.task.Exclude)
}
