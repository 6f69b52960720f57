package telemetry

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// HTTP counts the requests of a gateway's HTTP API.
type HTTP struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
}

// httpRefusals are the reasons for which a request is turned away before it is looked at.
var httpRefusals = []string{"unauthorized", "rate_limited", "busy", "cross_site", "wrong_host"}

// HTTP registers the metrics of the HTTP API. Routes are those of the program, so that no
// request makes a label.
func (m *Metrics) HTTP() *HTTP {
	f := factoryOf(m.registry)
	return &HTTP{
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: "frostfleet_http_requests_total",
			Help: "Requests to the HTTP API, by route and the class of the answer's status."}, []string{"route", "status"}),
		seconds: f.NewHistogramVec(histogram("frostfleet_http_seconds",
			"Requests to the HTTP API, from the header until the answer is written, waiting included.", buckets),
			[]string{"route"}),
		refused: f.counters("frostfleet_http_refused_total",
			"Requests that the HTTP API turned away before it looked at them, by why.", oneOf("reason", httpRefusals...)),
	}
}

// HTTPRequest implements httpapi.Observer.
func (h *HTTP) HTTPRequest(route string, status int, took time.Duration) {
	h.requests.WithLabelValues(route, strconv.Itoa(status/100)+"xx").Inc()
	h.seconds.WithLabelValues(route).Observe(seconds(took))
}

// HTTPRefused implements httpapi.Observer.
func (h *HTTP) HTTPRefused(reason string) {
	if slices.Contains(httpRefusals, reason) {
		h.refused.WithLabelValues(reason).Inc()
	}
}
