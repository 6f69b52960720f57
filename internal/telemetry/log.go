package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// NewLogger writes text or json lines of at least the level: debug, info,
// warn, error. Their times are UTC, so that the lines of several machines sort. The
// level may be changed later.
func NewLogger(w io.Writer, format, level string) (*slog.Logger, *slog.LevelVar, error) {
	from := new(slog.LevelVar)
	if err := from.UnmarshalText([]byte(level)); err != nil {
		return nil, nil, fmt.Errorf("log level %q: use debug, info, warn or error", level)
	}
	opt := &slog.HandlerOptions{Level: from}
	switch format {
	case "text":
		return slog.New(utc{slog.NewTextHandler(w, opt)}), from, nil
	case "json":
		return slog.New(utc{slog.NewJSONHandler(w, opt)}), from, nil
	}
	return nil, nil, fmt.Errorf("log format %q: use text or json", format)
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
