package tracing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// prefix begins the variables of the exporter. Each of them may have TRACES_
// after it, and then takes precedence.
const prefix = "OTEL_EXPORTER_OTLP_"

const (
	envDisabled = "OTEL_SDK_DISABLED"
	envExporter = "OTEL_TRACES_EXPORTER"
)

func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

func exporterEnv(name string) string { return cmp.Or(env(prefix+"TRACES_"+name), env(prefix+name)) }

// enabled reports whether the environment asks for traces, and refuses what
// would send them another way than this program has. All else in OTEL_* is read
// by the SDK and its exporter.
func enabled() (bool, error) {
	exporter, protocol := strings.ToLower(env(envExporter)), exporterEnv("PROTOCOL")
	switch {
	case exporterEnv("ENDPOINT") == "", exporter == "none", strings.EqualFold(env(envDisabled), "true"):
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, fmt.Errorf("tracing: %s=%s: use otlp or none", envExporter, clip(exporter, 40))
	case protocol != "" && protocol != "http/protobuf":
		return false, fmt.Errorf("tracing: %sPROTOCOL=%s: use http/protobuf, which collectors accept on port 4318",
			prefix, clip(protocol, 40))
	}
	return true, nil
}

// logTo has the SDK, which only knows process-wide loggers, write to the
// program's own.
func logTo(log *slog.Logger) {
	otel.SetLogger(logr.FromSlogHandler(bare{log.Handler()}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("OpenTelemetry", "err", clip(err.Error(), maxError))
	}))
}

// bare logs what the SDK says about a variable without the value: URLs and
// headers may hold passwords.
type bare struct{ slog.Handler }

func (h bare) Handle(ctx context.Context, r slog.Record) error {
	text := "OpenTelemetry can't use the environment: " + r.Message
	return h.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, text, r.PC))
}

func (h bare) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h bare) WithGroup(string) slog.Handler      { return h }
