package selftest

import (
	"context"
	"slices"
	"time"
)

// step is one check. It is not run if one that it needs failed, and skipped if
// one that it needs was.
type step struct {
	name  string
	needs []string
	do    func(context.Context, *Step) error
}

// walk runs the steps and fills in the report.
func walk(ctx context.Context, report *Report, steps []step, done func(Step)) {
	results := map[string]Status{}
	for _, s := range steps {
		r := s.run(ctx, results)
		results[s.name] = r.Status
		report.Steps = append(report.Steps, r)
		if done != nil {
			done(r)
		}
	}
	report.OK = !slices.ContainsFunc(report.Steps, func(s Step) bool { return !s.OK })
}

func (s step) run(ctx context.Context, before map[string]Status) Step {
	r := Step{Name: s.name, Status: Passed}
	for _, need := range s.needs {
		switch before[need] {
		case Failed, NotRun:
			r.Status, r.Detail = NotRun, "needs "+need
			return r
		case Skipped:
			r.Status = Skipped
		}
	}
	if r.Status == Skipped {
		r.OK, r.Detail = true, "no manifest yet"
		return r
	}
	start := time.Now()
	err := s.do(ctx, &r)
	r.TookMS = milliseconds(time.Since(start))
	r.OK = err == nil && r.Status != NotRun
	if err != nil {
		r.fail(err)
	}
	return r
}
