package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// NewLogger writes text or json lines of at least the level: debug, info,
// warn, error. Their times are UTC, so that the lines of several machines sort.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: use debug, info, warn or error", level)
	}
	opt := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(utc{slog.NewTextHandler(w, opt)}), nil
	case "json":
		return slog.New(utc{slog.NewJSONHandler(w, opt)}), nil
	}
	return nil, fmt.Errorf("log format %q: use text or json", format)
}

// utc writes times in that zone, wherever the machine stands.
type utc struct{ slog.Handler }

// Handle implements slog.Handler.
func (h utc) Handle(ctx context.Context, r slog.Record) error {
	r.Time = r.Time.UTC()
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h utc) WithAttrs(attrs []slog.Attr) slog.Handler { return utc{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h utc) WithGroup(name string) slog.Handler { return utc{h.Handler.WithGroup(name)} }
