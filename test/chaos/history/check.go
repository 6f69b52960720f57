package history

import (
	"fmt"
	"slices"
)

// Violations lists what must not be, in words; none is a good history.
func (h *History) Violations() []string {
	var all []string
	for _, check := range []func() []string{
		h.unanswered, h.twice, h.contradictions, h.nonces, h.subsets, h.entries, h.unreported,
		h.handovers,
	} {
		all = append(all, check()...)
	}
	for _, c := range h.Crashes {
		all = append(all, "a program crashed: "+c)
	}
	return all
}

// lost reports whether a job, or its stored result, may be gone.
func (h *History) lost(j *Job, streams ...string) bool {
	return slices.ContainsFunc(h.Losses, func(l Loss) bool { return slices.Contains(streams, l.Stream) && l.loses(j) })
}

// unanswered: every acknowledged job ends, done or expired.
func (h *History) unanswered() (all []string) {
	for i := range h.Jobs {
		j := &h.Jobs[i]
		what := fmt.Sprintf("%s job %s of %s", j.Kind, j.ID, j.Client)
		switch {
		case j.Acked.IsZero():
		case j.Outcome == Open && !h.lost(j, "JOBS", "RESULTS"):
			all = append(all, what+" was acknowledged and never answered: "+j.Detail)
		case j.Outcome == Failed:
			all = append(all, what+" was acknowledged and failed: "+j.Detail)
		case j.Outcome == Expired && j.Ended.Before(j.Expires):
			all = append(all, what+" expired before its time")
		}
		if j.Outcome == Unproven {
			all = append(all, what+" has an answer that does not prove itself: "+j.Detail)
		}
	}
	return all
}

type jobKey struct{ client, job string }

// twice: no job has two results in one life of RESULTS.
func (h *History) twice() (all []string) {
	type place struct {
		jobKey
		stream string
	}
	type stored struct {
		seq    uint64
		answer string
	}
	seen := map[place]stored{}
	for _, r := range h.Results {
		at, is := place{jobKey{r.Client, r.Job}, r.Stream}, stored{r.Seq, r.Answer}
		if first, ok := seen[at]; !ok {
			seen[at] = is
		} else if first != is {
			all = append(all, fmt.Sprintf("job %s of %s has two results, at %d and %d", r.Job, r.Client, first.seq, r.Seq))
		}
	}
	return all
}

// contradictions: what a client was answered is what is stored.
func (h *History) contradictions() (all []string) {
	stored := map[jobKey][]Result{}
	for _, r := range h.Results {
		stored[jobKey{r.Client, r.Job}] = append(stored[jobKey{r.Client, r.Job}], r)
	}
	for i := range h.Jobs {
		j := &h.Jobs[i]
		if j.Acked.IsZero() || j.Outcome != Done {
			continue
		}
		results := stored[jobKey{j.Client, j.ID}]
		fits := slices.ContainsFunc(results, func(r Result) bool { return r.Answer == j.Answer })
		switch {
		case len(results) == 0 && !h.lost(j, "RESULTS"):
			all = append(all, fmt.Sprintf("job %s of %s was answered, and no result is stored", j.ID, j.Client))
		case len(results) > 0 && !fits:
			all = append(all, fmt.Sprintf("job %s of %s was answered otherwise than stored", j.ID, j.Client))
		}
	}
	return all
}

type seat struct {
	node    int
	session string
}

// nonces: no node answers a commitment twice, and none commits to the same nonces in
// two sessions.
func (h *History) nonces() (all []string) {
	type points struct {
		node   int
		points string
	}
	answers, sessions := map[seat]Message{}, map[points]string{}
	for _, m := range h.Messages {
		at := seat{m.Node, m.Session}
		if m.Points != "" {
			if other, ok := sessions[points{m.Node, m.Points}]; ok && other != m.Session {
				all = append(all, fmt.Sprintf("node %d committed to the same nonces in sessions %s and %s",
					m.Node, other, m.Session))
			}
			sessions[points{m.Node, m.Points}] = m.Session
			continue
		}
		first, ok := answers[at]
		if !ok {
			answers[at] = m
		} else if first.Set != m.Set || first.Shares != m.Shares {
			all = append(all, fmt.Sprintf("node %d answered its commitment in session %s twice", m.Node, m.Session))
		}
	}
	return all
}

// subsets: every announced key signs, whoever is away.
func (h *History) subsets() (all []string) {
	for _, s := range h.Subsets {
		if s.Err != "" {
			all = append(all, fmt.Sprintf("key %s does not sign without node %d: %s", s.Key, s.Without, s.Err))
		}
	}
	return all
}

// entries: every entry of the register verifies, and every announced key is in one.
func (h *History) entries() (all []string) {
	registered := map[string]bool{}
	for _, e := range h.Entries {
		if e.Err != "" {
			all = append(all, fmt.Sprintf("entry %s of the register: %s", e.ID, e.Err))
			continue
		}
		for _, k := range e.Keys {
			registered[k] = true
		}
	}
	for i := range h.Jobs {
		for _, k := range h.Jobs[i].Keys {
			if !registered[k] {
				all = append(all, fmt.Sprintf("key %s was announced, and no entry of the register has it", k))
			}
		}
	}
	return all
}

// unreported: what may be lost is reported in time.
func (h *History) unreported() (all []string) {
	for _, l := range h.Losses {
		switch {
		case l.Reported.IsZero():
			all = append(all, fmt.Sprintf("no program reported the loss of %s", l.Stream))
		case l.Reported.Sub(l.At) > ReportTime:
			all = append(all, fmt.Sprintf("the loss of %s was reported after %s", l.Stream, l.Reported.Sub(l.At)))
		}
	}
	return all
}

// handovers: of two processes that run as one node one is heard after a while, and it is the
// one that has the lease.
func (h *History) handovers() (all []string) {
	for _, o := range h.Handovers {
		heard := false
		for _, u := range h.Spoken {
			switch over := u.At.Sub(o.Resumed); {
			case u.Node != o.Node || over <= o.Within && o.Old[u.Voice]:
			case o.Old[u.Voice]:
				all = append(all, fmt.Sprintf("node %d: a process that another one took the place of signed %s after it went on",
					o.Node, over))
			case over > 0:
				heard = true
			}
		}
		if !heard {
			all = append(all, fmt.Sprintf("node %d: the process that took the place of another one was never heard", o.Node))
		}
	}
	return all
}
