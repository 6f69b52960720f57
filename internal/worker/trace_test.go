package worker

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/machine"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/test/otlptest"
)

const (
	sampled   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

func newTracer(t *testing.T, c *otlptest.Collector) *tracing.Tracer {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	tracer, err := tracing.Start(t.Context(), "frost-worker", "worker-2", "v", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// A call to the device stands below a trace that is kept, and is linked to all
// that it serves; one for a session key alone is nobody's.
func TestDeviceCallIsLinked(t *testing.T) {
	c := otlptest.Start(t)
	tracer := newTracer(t, c)
	w := &member{run: machine.New(machine.Config[*node]{Tracer: tracer, Spans: []tracing.Attribute{tracing.Node(2)}})}
	other := tracer.Span("", "other", time.Time{}).Trace()
	served := []context.Context{t.Context()}
	w.deviceCall(served)(nil)
	for _, trace := range []string{unsampled, sampled, other} {
		served = append(served, tracing.NewContext(t.Context(), trace))
	}
	w.deviceCall(served)(errDevice)
	if err := tracer.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := c.Spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1: %+v", len(spans), spans)
	}
	s := spans[0]
	links := []string{unsampled[36:52], sampled[36:52], other[36:52]}
	if s.Name != "key provider sign" || s.Trace != sampled[3:35] || s.Parent != sampled[36:52] ||
		!slices.Equal(s.Links, links) {
		t.Errorf("the call is %+v, want it below %s with links %v", s, sampled, links)
	}
	if s.Failed != "error: "+errDevice.Error() || s.Attributes["frostfleet.digests"] != int64(4) ||
		s.Attributes["frostfleet.node"] != int64(2) {
		t.Errorf("the call tells %v, and that it failed with %q", s.Attributes, s.Failed)
	}
}
