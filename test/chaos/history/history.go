// Package history judges what happened to a fleet in trouble: what clients asked
// and were answered, what the streams hold, what nodes published. It is pure, so
// that its own tests can show it histories that must not be.
package history

import "time"

// History is everything that was seen of a run.
type History struct {
	Jobs     []Job
	Results  []Result
	Messages []Message
	Subsets  []Subset
	Entries  []Entry
	Losses   []Loss
	Crashes  []string // of programs: panics, data races

	Spoken    []Utterance
	Handovers []Handover
}

// Utterance is one message that SIGN has recorded.
type Utterance struct {
	Node  int
	Voice string    // the session key under which it was said; each process has its own
	At    time.Time // when it was stored
}

// Handover is a time from which two processes ran as one node.
type Handover struct {
	Node    int
	Old     map[string]bool // the voices of the process that is to end
	Resumed time.Time       // when there were two
	Within  time.Duration   // until then both may be heard
}

// Job is what a client asked.
type Job struct {
	ID, Client, Kind string
	Asked            time.Time
	Acked            time.Time // when JOBS had acknowledged it; zero: it never did
	Ended            time.Time // when the client had its answer; zero: it has none
	Expires          time.Time
	Outcome          Outcome
	Detail           string   // code, or error
	Answer           string   // what was signed or generated, as Result has it
	Keys             []string // ids of those that were generated
}

// Kinds of jobs.
const (
	Sign   = "sign"
	Keygen = "keygen"
)

// Outcome is how a job ended for its client.
type Outcome string

// The outcomes.
const (
	Open     Outcome = "" // nobody answered until the run's end
	Done     Outcome = "done"
	Expired  Outcome = "expired"
	Failed   Outcome = "failed"
	Unproven Outcome = "unproven" // a gateway's answer that does not prove itself
)

// Result is what RESULTS stored. A result that was seen twice under one sequence
// number is one.
type Result struct {
	Job, Client string
	Stream      string // which incarnation; RESULTS may be deleted and made again
	Seq         uint64
	Answer      string // of a job that is done: what was signed or generated
}

// Message is what a node published in a signing session. Bytes that no node of the
// fleet sealed are none of its messages.
type Message struct {
	Node    int
	Session string
	Points  string // of a commitment
	Set     string // that a share is for
	Shares  string // of a share
}

// Subset is an attempt to sign with a key while some nodes were away.
type Subset struct {
	Key     string
	Without int    // the node that stood still
	Err     string // empty: it signed
}

// Entry is one of the register's.
type Entry struct {
	ID   string
	Keys []string // ids of the keys that it proves
	Err  string   // why it does not verify
}

// Loss is what the fleet may have lost by what was done to it: a deleted stream, or
// most of its replicas.
type Loss struct {
	Stream   string // JOBS or RESULTS
	At       time.Time
	Until    time.Time // when it was made good
	Reported time.Time // when a program first said so; zero: none did
}

// ReportTime is how soon a loss must be reported.
const ReportTime = 30 * time.Second

// loses reports whether a job may have gone with a loss.
func (l *Loss) loses(j *Job) bool {
	before := j.Acked.Before(l.Until)
	if l.Stream == "JOBS" {
		return before && (j.Ended.IsZero() || j.Ended.After(l.At))
	}
	return before
}

// Owed counts the jobs that were acknowledged, have no answer, and were not lost.
func (h *History) Owed() (n int) {
	for i := range h.Jobs {
		if j := &h.Jobs[i]; !j.Acked.IsZero() && j.Outcome == Open && !h.lost(j, "JOBS", "RESULTS") {
			n++
		}
	}
	return n
}
