package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// traced gives a client that makes spans, what they become, and the headers of
// the jobs that it publishes.
func traced(t *testing.T) (*gatewayStub, *Client, *tracetest.InMemoryExporter, <-chan nats.Header) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	s, plain := start(t)
	c := s.connect(Config{URL: s.url, TracerProvider: sdk.NewTracerProvider(sdk.WithSyncer(spans))})
	headers := make(chan nats.Header, 16)
	if _, err := plain.nc.Subscribe("frost.stub.job.>", func(m *nats.Msg) { headers <- m.Header }); err != nil {
		t.Fatal(err)
	}
	if err := plain.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return s, c, spans, headers
}

// Each job is one span under the caller's, and its header names that span.
func TestSpanOfAJob(t *testing.T) {
	_, c, spans, headers := traced(t)
	ctx, parent := c.tracer.Start(t.Context(), "caller")
	keys, err := c.Keygen(ctx, KeygenRequest{Chain: "solana", Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Sign(ctx, SignRequest{Items: []SignItem{{Key: keys.Keys[0].ID, PublicKey: keys.Keys[0].PublicKey, Message: []byte("m")}}}); err != nil {
		t.Fatal(err)
	}
	ended := spans.GetSpans()
	if len(ended) != 2 {
		t.Fatalf("%d spans, want 2", len(ended))
	}
	for i, want := range []struct {
		name  string
		items int64
	}{{"keygen", 2}, {"sign", 1}} {
		span := ended[i]
		got := map[string]any{}
		for _, a := range span.Attributes {
			got[string(a.Key)] = a.Value.AsInterface()
		}
		if span.Name != want.name || got["frostfleet.items"] != want.items || got["frostfleet.client"] != stubClient || got["frostfleet.job"] == "" || len(got) != 3 {
			t.Errorf("span %s has %v", span.Name, got)
		}
		if span.Parent.SpanID() != parent.SpanContext().SpanID() || span.SpanKind != trace.SpanKindClient || span.Status.Code == codes.Error {
			t.Errorf("span is %+v", span)
		}
		traceparent := "00-" + span.SpanContext.TraceID().String() + "-" + span.SpanContext.SpanID().String() + "-01"
		if h := <-headers; !slices.Equal(h["traceparent"], []string{traceparent}) {
			t.Errorf("headers %v, want %s", h, traceparent)
		}
	}
}

// A job that fails ends its span with the reason, in 256 bytes at most; so does
// one that is waited for in vain.
func TestSpanOfAFailure(t *testing.T) {
	s, c, spans, _ := traced(t)
	s.onJob(func(job wire.SignedJob) {
		r := s.failure(job, wire.CodeKeygenFailed)
		r.Error = strings.Repeat("long ", 100)
		s.store(r)
	})
	_, err := c.Keygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	var failed *JobError
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	s.onJob(func(wire.SignedJob) {})
	h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	for range 2 { // the second ends nothing
		if _, err := h.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	ended := spans.GetSpans()
	if len(ended) != 2 || ended[0].Status.Code != codes.Error || ended[1].Status.Code != codes.Error {
		t.Fatalf("spans are %+v", ended)
	}
	if n := len(ended[0].Status.Description); n != maxError {
		t.Errorf("the reason has %d bytes, want %d", n, maxError)
	}
}

// Without a provider a job carries the caller's span, if there is one, and no
// header otherwise.
func TestWithoutTracing(t *testing.T) {
	s, _, _, headers := traced(t)
	c := s.connect(Config{URL: s.url})
	caller := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	for _, ctx := range []context.Context{t.Context(), trace.ContextWithSpanContext(t.Context(), caller)} {
		if _, err := c.Keygen(ctx, KeygenRequest{Chain: "solana", Count: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if h := <-headers; len(h["traceparent"]) != 0 {
		t.Errorf("untraced job has headers %v", h)
	}
	want := "00-01000000000000000000000000000000-0200000000000000-00"
	if h := <-headers; !slices.Equal(h["traceparent"], []string{want}) {
		t.Errorf("headers %v, want %s", h, want)
	}
}
