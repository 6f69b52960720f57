package protocol

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func jobLine(j wire.SignedJob) string {
	return fmt.Sprintf("%s %s/%s", j.Kind, j.Client, wire.PeekJobID(j.Payload))
}

func (e JobArrived) String() string {
	line := "JobArrived " + jobLine(e.Job.Signed)
	if e.Existing != nil {
		line += ", which has a result"
	}
	return line
}

func (e JobPoisoned) String() string {
	return fmt.Sprintf("JobPoisoned %s, delivery %d", jobLine(e.Job.Signed), e.Deliveries)
}
func (KeysRead) String() string { return "KeysRead" }

func (e summarized) String() string {
	return fmt.Sprintf("batch summarized %s: %s", e.batch.ID, outcome(e.err))
}

func (e attemptChecked) String() string {
	return fmt.Sprintf("commitment checked %s: %s", e.a.id, outcome(e.err))
}

func (e requestRead) String() string {
	if e.refusal != nil {
		return fmt.Sprintf("request read %s: %v", jobLine(e.j.Signed), e.refusal)
	}
	return fmt.Sprintf("request read %s: %d signatures", jobLine(e.j.Signed), len(e.items))
}

func (e descended) String() string {
	line := "children derived " + jobLine(e.j.Signed) + ": "
	for n, refused := range e.refused {
		if refused != nil {
			return fmt.Sprintf("%schild %d: %v", line, n, refused)
		}
	}
	return line + "ok"
}

func (e aggregated) String() string {
	signed := 0
	for _, sig := range e.sigs {
		if sig.Bytes != nil {
			signed++
		}
	}
	return fmt.Sprintf("shares aggregated %s: %d signatures, %d nodes blamed", e.a.id, signed, len(e.blame))
}

func (e resultMade) String() string {
	return "result made " + jobLine(e.job.Signed) + ": " + outcome(e.err)
}

func (e assembled) String() string {
	return fmt.Sprintf("entry made %s: %s", e.batch.ID, outcome(e.err))
}

func (e moved) String() string {
	return fmt.Sprintf("entry made %s, generation %d: %s", e.batch.ID, e.batch.Generation, outcome(e.err))
}

func (e EntryWritten) String() string {
	return fmt.Sprintf("EntryWritten %s: %s", e.ID, outcome(e.Err))
}

func (e Finished) String() string { return fmt.Sprintf("Finished: flight %d has landed", e.Flight) }

func (e WriteEntry) String() string {
	return fmt.Sprintf("WriteEntry %s: head and %d deals", e.ID, len(e.Deals))
}

func (e PublishTask) String() string {
	return fmt.Sprintf("PublishTask %s, %d bytes", e.Subject, len(e.Body))
}

func (e Finish) String() string { return "Finish " + jobLine(e.Job) + ": " + resultLine(e.Result) }
func (e Pend) String() string   { return "Pend " + jobLine(e.Job) + ": " + resultLine(e.Result) }
func (e Reject) String() string { return "Reject " + jobLine(e.Job) + ": " + resultLine(e.Result) }

func resultLine(r *wire.Result) string {
	if r.Status != wire.StatusDone {
		return fmt.Sprintf("%s, %s", r.Code, r.Error)
	}
	return fmt.Sprintf("%s, %d keys, %d signatures", r.Status, len(r.Keys), len(r.Sigs))
}

func (e Replay) String() string { return fmt.Sprintf("Replay %s/%s", e.Client, e.Job) }
func (e Supersede) String() string {
	return fmt.Sprintf("Supersede delivery %d by %d", e.Old, e.New)
}
func (e Round) String() string { return fmt.Sprintf("Round %s %s is over", e.Round, e.ID) }
