package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// jobMetrics are a gateway's.
type jobMetrics struct {
	ended, retries         *prometheus.CounterVec
	abandoned              *prometheus.CounterVec
	seconds, items, rounds *prometheus.HistogramVec
}

// done is the code of a job that ended well.
const done wire.Code = "done"

var (
	endCodes = append([]wire.Code{done}, wire.JobCodes...)
	loads    = []string{load(true), load(false)}
)

// load tells jobs that a person waits for from bulk.
func load(interactive bool) string {
	if interactive {
		return "interactive"
	}
	return "bulk"
}

// largestJob is what frostfleet_job_items reaches to.
const largestJob = 1 << 17

func newJobMetrics(gateway factory) jobMetrics {
	kind, loadLabel := oneOf("kind", wire.Kinds...), oneOf("load", loads...)
	return jobMetrics{
		ended: gateway.counters("frostfleet_jobs_total",
			"Jobs that ended, by kind and code; done is success.", kind, oneOf("code", endCodes...)),
		retries: gateway.counters("frostfleet_retries_total",
			"Attempts at a batch or a signing session begun again, by the node whose fault it was; none if nobody's.",
			kind, nobody),
		abandoned: gateway.counters("frostfleet_reshare_abandoned_total",
			"Attempts at moving a batch to the next manifest's nodes that were given up, by why.",
			oneOf("code", abandonCodes...)),
		seconds: gateway.histograms("frostfleet_job_seconds",
			"Jobs that ended done, from their storing in JOBS until their result is stored.", jobBuckets, kind, loadLabel),
		items: gateway.histograms("frostfleet_job_items",
			"Keys or signatures of a job that made any.", powers(largestJob), kind),
		rounds: gateway.histograms("frostfleet_rounds_seconds",
			"From a job's storing in JOBS until a round was complete, by the clock of the log.",
			buckets, oneOf("round", protocol.Rounds...), oneOf("suite", suites...), loadLabel),
	}
}

// JobDone implements gateway.Observer.
func (m *Metrics) JobDone(e protocol.JobEnd) {
	if !e.Kind.Valid() {
		return
	}
	j, kind := &m.jobs, string(e.Kind)
	if e.Items > 0 { // some also where others were refused
		j.items.WithLabelValues(kind).Observe(float64(e.Items))
	}
	if e.Code != "" && e.Code != done {
		j.ended.WithLabelValues(kind, knownOr(e.Code, endCodes)).Inc()
		return
	}
	j.ended.WithLabelValues(kind, string(done)).Inc()
	observe(j.seconds.WithLabelValues(kind, load(e.Interactive)), seconds(e.Took), e.Trace)
}

// Round implements gateway.Observer.
func (m *Metrics) Round(r protocol.Round) {
	round, suite := knownOr(r.Round, protocol.Rounds), knownOr(r.Suite.String(), suites)
	m.jobs.rounds.WithLabelValues(round, suite, load(r.Interactive)).Observe(seconds(r.To.Sub(r.From)))
}

// observe leaves the trace of what took so long as an exemplar, if it is kept.
func observe(o prometheus.Observer, value float64, trace string) {
	if e, ok := o.(prometheus.ExemplarObserver); ok && tracing.Sampled(trace) {
		e.ObserveWithExemplar(value, prometheus.Labels{"trace_id": tracing.TraceID(trace)})
		return
	}
	o.Observe(value)
}
