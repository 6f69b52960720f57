package protocol

import (
	"fmt"
	"github.com/frostfleet/frostfleet/internal/wire"
	"time"
)

// desk is a gateway's machine with its program.
type desk struct {
	*Coordinator
	f        *fleet
	token    uint64
	hold     bool
	held     []Compute
	tasks    []PublishTask
	writes   []WriteEntry
	asks     []AskNode
	restores []RestoreEntry
	finished []Finish
	rejected []Reject
	replayed []Replay
	replaced []Supersede
	reports  []Report
	rounds   []Round
	timers   []Timer
	fetch    []string
	behind   bool // KEYS was not read to its end
	storing  bool // results take for ever to be stored
	ends     []AskKeysEnd

	successions []PublishSuccession
}

func (f *fleet) newDesk() *desk {
	d := &desk{f: f, Coordinator: NewCoordinator(CoordinatorConfig{
		Manifest: f.m, Access: f.access, MaxBatches: 4, MaxBulk: 2, Each: f.divide,
		Address: func(chain, network string, key []byte) (string, error) {
			return fmt.Sprintf("%s:%s:%x", chain, network, key), nil
		},
		Descriptor: func(chain, network string, key []byte, chainCode [32]byte) (string, error) {
			return fmt.Sprintf("%s:%s:%x:%x", chain, network, key, chainCode), nil
		},
	})}
	d.do(KeysRead{})
	d.reconciler().started = true
	for _, p := range d.reconciler().peers { // nobody is there to be compared with
		p.settled, p.next = true, f.now.AddDate(1, 0, 0)
	}
	return d
}

// newReader is a desk that has not read KEYS yet.
func (f *fleet) newReader() *desk {
	d := f.newDesk()
	d.directory.catchUp = catchUp{fetchFirst: map[string]bool{}}
	return d
}

// newLife is a gateway that starts and reads the log.
func (f *fleet) newLife() {
	f.desk = f.newDesk()
	f.show(f.desk)
	for _, m := range f.work {
		f.desk.do(TaskMessage{m, f.now})
	}
	for _, m := range f.sign {
		f.desk.do(SignMessage{LogMessage: m})
	}
}

func (d *desk) do(ev Event) {
	for _, effect := range d.f.step("gateway", ev, d.Step) {
		switch e := effect.(type) {
		case Compute:
			if d.hold {
				d.held = append(d.held, e)
			} else {
				d.do(d.f.compute("gateway", e))
			}
		case PublishTask:
			d.tasks = append(d.tasks, e)
		case PublishSuccession:
			d.successions = append(d.successions, e)
		case AskNode:
			d.asks = append(d.asks, e)
		case AskKeysEnd:
			d.ends = append(d.ends, e)
			if !d.behind {
				d.do(KeysEndRead(e))
			}
		case RestoreEntry:
			d.restores = append(d.restores, e)
		case WriteEntry:
			d.writes = append(d.writes, e)
		case Finish:
			d.finished = append(d.finished, e)
			if e.Flight != 0 && !d.storing {
				d.do(Finished{Flight: e.Flight, Took: time.Millisecond})
			}
		case Pend: // it ends the job here
			d.finished = append(d.finished, Finish{Token: e.Token, Job: e.Job, Result: e.Result})
			if e.Flight != 0 && !d.storing {
				d.do(Finished{Flight: e.Flight, Took: time.Millisecond})
			}
		case Reject:
			d.rejected = append(d.rejected, e)
		case Replay:
			d.replayed = append(d.replayed, e)
		case Supersede:
			d.replaced = append(d.replaced, e)
		case After:
			d.timers = append(d.timers, e.Timer)
		case Report:
			d.reports = append(d.reports, e)
		case Round:
			d.rounds = append(d.rounds, e)
		case Refetch:
			d.fetch = append(d.fetch, e.ID)
		default:
			d.f.t.Fatalf("gateway wants %T", e)
		}
	}
}

// compute runs a computation to its end.
func (f *fleet) compute(who string, c Compute) (ev Event) {
	f.aside(who, c.Name, func() { ev = c.Run() })
	return ev
}

// checked is a job as the gateway's program checks it at delivery.
func (d *desk) checked(job wire.SignedJob) (c *CheckedJob) {
	d.f.aside("gateway", "check job", func() { c = CheckJob(d.f.m, d.f.access, job, d.f.now) })
	return c
}

// stored reads a stored result as the gateway's program does.
func stored(result []byte) *ExistingResult {
	if result == nil {
		return nil
	}
	return ReadExisting(result)
}

// arrive delivers a job and returns its token.
func (d *desk) arrive(job wire.SignedJob, existing []byte) uint64 {
	d.token++
	d.do(JobArrived{Token: d.token, Job: d.checked(job), Stored: d.f.now, Existing: stored(existing)})
	return d.token
}

// result is the one result that the gateway wants stored.
func (d *desk) result() *wire.Result {
	d.f.t.Helper()
	if len(d.finished) != 1 {
		d.f.t.Fatalf("%d results, want one; %d tasks wait, reports %v", len(d.finished), len(d.tasks), d.reports)
	}
	return d.finished[0].Result
}

// timeout fires the newest timer of a kind.
func (d *desk) timeout(kind TimerKind) {
	d.f.t.Helper()
	for i := len(d.timers) - 1; i >= 0; i-- {
		if d.timers[i].Kind == kind {
			d.do(d.timers[i])
			return
		}
	}
	d.f.t.Fatalf("no timer of kind %d", kind)
}

// view is what the desk knows of the fleet's founding manifest.
func (d *desk) view() *view { return d.views.chain[0] }

func (d *desk) registrar() *registrar   { return d.keygen.rounds.of[d.view()] }
func (d *desk) reconciler() *reconciler { return d.directory.reconcilers[d.view()] }

// met is what a job has met at the nodes of that manifest.
func (d *desk) met(j *activeSign) *trouble { return j.troubleWith(d.view(), nil) }

// exclude is whom an attempt of a job goes without.
func (d *desk) exclude(j *activeSign) []uint8 { return d.view().excluded(d.met(j)) }
