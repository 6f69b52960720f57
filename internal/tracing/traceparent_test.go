package tracing

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// valid is the example of the specification.
const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// discard is an exporter that sends nothing.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                        { return nil }

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name   string
		header map[string][]string
		want   string
	}{
		{"none", nil, ""},
		{"the example", map[string][]string{"traceparent": {valid}}, valid},
		{"as net/http spells it", map[string][]string{"Traceparent": {valid}}, valid},
		{"not sampled", map[string][]string{"traceparent": {valid[:53] + "00"}}, valid[:53] + "00"},
		{"random", map[string][]string{"traceparent": {valid[:53] + "03"}}, valid[:53] + "03"},
		{"unknown flags", map[string][]string{"traceparent": {valid[:53] + "ff"}}, ""},
		{"two", map[string][]string{"traceparent": {valid, valid}}, ""},
		{"two spellings", map[string][]string{"traceparent": {valid}, "Traceparent": {valid}}, ""},
		{"empty", map[string][]string{"traceparent": {}}, ""},
		{"later version", map[string][]string{"traceparent": {"01" + valid[2:] + "-more"}}, valid},
		{"no version", map[string][]string{"traceparent": {"ff" + valid[2:]}}, ""},
		{"longer", map[string][]string{"traceparent": {valid + "-more"}}, ""},
		{"shorter", map[string][]string{"traceparent": {valid[:54]}}, ""},
		{"upper case", map[string][]string{"traceparent": {strings.ToUpper(valid)}}, ""},
		{"no trace", map[string][]string{"traceparent": {"00-" + strings.Repeat("0", 32) + valid[35:]}}, ""},
		{"no span", map[string][]string{"traceparent": {valid[:36] + strings.Repeat("0", 16) + valid[52:]}}, ""},
		{"other separators", map[string][]string{"traceparent": {strings.ReplaceAll(valid, "-", "_")}}, ""},
		{"not hexadecimal", map[string][]string{"traceparent": {strings.Replace(valid, "4bf", "4bg", 1)}}, ""},
	} {
		if got := Parse(c.header); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if TraceID(valid) != valid[3:35] || TraceID("") != "" || !Sampled(valid) || Sampled(valid[:53]+"00") || Sampled("") {
		t.Error("the example is misread")
	}
	if Header("") != nil || Parse(Header(valid)) != valid {
		t.Error("Header is not what Parse reads")
	}
}

// A traceparent that is read is one by OpenTelemetry's own propagator too, in
// the same bytes, and never longer than 55.
func FuzzParse(f *testing.F) {
	f.Add(valid)
	f.Add(valid[:53] + "ff")
	f.Add("01" + valid[2:] + "-more")
	f.Add(strings.ToUpper(valid))
	f.Fuzz(func(t *testing.T, in string) {
		got := Parse(map[string][]string{HeaderName: {in}})
		if got == "" {
			if TraceID(got) != "" || Sampled(got) {
				t.Error("nothing has an id")
			}
			return
		}
		if len(got) != 55 || got[2:53] != in[2:53] || Parse(Header(got)) != got {
			t.Fatalf("%q gives %q", in, got)
		}
		header := http.Header{}
		header.Set("traceparent", got)
		sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(header)))
		if Format(sc) != got || sc.TraceID().String() != TraceID(got) || sc.IsSampled() != Sampled(got) {
			t.Fatalf("%q is another span to OpenTelemetry: %s", got, Format(sc))
		}
	})
}

func TestContext(t *testing.T) {
	ctx := t.Context()
	if NewContext(ctx, "") != ctx || FromContext(ctx) != "" || FromContext(NewContext(ctx, valid)) != valid {
		t.Error("a context does not carry its traceparent")
	}
}
