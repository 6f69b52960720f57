package protocol

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// taskOpened is a task and what it asks for, or why it is refused.
type taskOpened struct {
	message TaskMessage
	gateway string // that sealed it
	task    *wire.Task
	job     *wire.Job
	header  *wire.BatchHeader // keygen
	request *signRequest      // sign
	access  *wire.Access      // by which all this was checked
	// elsewhere: it is for the nodes of another manifest, which check it.
	elsewhere bool
	err       error
}

func (taskOpened) event() {}

// open checks a task as if no gateway had checked it before, but for what the node's
// clock says. It reads only what never changes, so it may run beside the machine.
func (n *nodeCore) open(e TaskMessage, access *wire.Access) taskOpened {
	bad := func(err error) taskOpened { return taskOpened{message: e, access: access, err: err} }
	body, err := access.FromGateway(n.cfg.Manifest, e.Subject, e.Data)
	if err != nil {
		return bad(err)
	}
	task, err := wire.DecodeTask(body, n.cfg.Manifest)
	if err != nil {
		return bad(err)
	}
	if !task.Of(n.cfg.Manifest) {
		return taskOpened{message: e, access: access, elsewhere: true}
	}
	task.Job.Trace = e.LogMessage.Trace
	if err := task.Job.Authenticate(n.cfg.Manifest, access); err != nil {
		return bad(err)
	}
	job, jobErr := task.Job.Parse(e.Time) // expiry by the stream's clock, which all nodes share
	if jobErr != nil {
		return bad(jobErr)
	}
	if e.Subject != wire.TaskSubject(task, job.ID) {
		return bad(wire.Refuse(wire.CodeMalformedJob, "task under another task's subject"))
	}
	opened := taskOpened{message: e, gateway: wire.SealedBy(e.Data), task: task, job: job, access: access}
	switch job.Kind {
	case wire.KindKeygen:
		opened.header, err = n.readKeygen(task, job)
	case wire.KindSign:
		opened.request, err = newSignRequest(n.cfg.Manifest, task, job)
	default:
		err = fmt.Errorf("no node can do a job of kind %.64q", string(job.Kind))
	}
	if err != nil {
		return bad(err)
	}
	return opened
}

func (n *nodeCore) readKeygen(task *wire.Task, job *wire.Job) (*wire.BatchHeader, error) {
	m := n.cfg.Manifest
	if int(task.Part) >= job.Parts(m) || len(task.Items) > 0 || len(task.Exclude) > 0 {
		return nil, fmt.Errorf("keygen task %s: part %d does not exist, or the task lists items", job.ID, task.Part)
	}
	header := job.PartHeader(m, task.Job.Client, task.Job.Digest(m), int(task.Part), int(task.Attempt))
	return &header, nil
}

// droppedTask reports a sign task that this node does not begin.
func droppedTask(e taskOpened, reason string) Report {
	return Report{
		What: ReportDropped, Kind: wire.KindSign, ID: e.message.Subject, Job: jobKey(e.request.client, e.job.ID),
		Trace: e.request.trace, Reason: reason, Culprit: -1,
	}
}
