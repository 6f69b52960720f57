package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Webhooks counts what became of messages to the receivers of webhooks.
type Webhooks struct{ deliveries *prometheus.CounterVec }

// Webhooks registers the metric of webhooks. Their names are those of the gateway's file.
func (m *Metrics) Webhooks() *Webhooks {
	return &Webhooks{factoryOf(m.registry).NewCounterVec(prometheus.CounterOpts{
		Name: "frostfleet_webhook_deliveries_total",
		Help: "Attempts to deliver a webhook's message, by webhook and what came of it: delivered, failed (it is sent " +
			"again) or given_up."}, []string{"webhook", "outcome"})}
}

// Know has the series of a webhook there before anything moves.
func (w *Webhooks) Know(name string, outcomes []string) {
	for _, outcome := range outcomes {
		w.deliveries.WithLabelValues(name, outcome)
	}
}

// Webhook implements webhook.Observer.
func (w *Webhooks) Webhook(name, outcome string) { w.deliveries.WithLabelValues(name, outcome).Inc() }

// WebhooksOldest tells how old the oldest undelivered event of each webhook is. each calls its
// argument for every webhook.
func (m *Metrics) WebhooksOldest(each func(func(name string, age time.Duration))) {
	oldest := desc("frostfleet_webhook_oldest_seconds",
		"Age of the oldest event that this gateway has not delivered; 0: none, or another gateway delivers.", "webhook")
	m.registry.MustRegister(collector(func(out chan<- prometheus.Metric) {
		each(func(name string, age time.Duration) {
			out <- prometheus.MustNewConstMetric(oldest, prometheus.GaugeValue, age.Seconds(), name)
		})
	}))
}
