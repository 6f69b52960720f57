package natsserver

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// serverLog passes the server's log on. Its notices are of no interest here
// (debug); what it calls fatal does not end the process.
type serverLog struct {
	log   *slog.Logger
	fatal chan struct{} // closed by the first fatal error

	last atomic.Pointer[string] // newest error
	once sync.Once
}

func newServerLog(log *slog.Logger) *serverLog {
	return &serverLog{log: log, fatal: make(chan struct{})}
}

func (l *serverLog) Noticef(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}
func (l *serverLog) Debugf(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}
func (l *serverLog) Tracef(format string, v ...any) {
	l.log.Debug("nats: " + fmt.Sprintf(format, v...))
}
func (l *serverLog) Warnf(format string, v ...any)  { l.log.Warn("nats: " + fmt.Sprintf(format, v...)) }
func (l *serverLog) Errorf(format string, v ...any) { l.error(fmt.Sprintf(format, v...)) }
func (l *serverLog) Fatalf(format string, v ...any) {
	l.error(fmt.Sprintf(format, v...))
	l.once.Do(func() { close(l.fatal) })
}

func (l *serverLog) error(text string) {
	l.last.Store(&text)
	l.log.Error("nats: " + text)
}

func (l *serverLog) lastError() string {
	if last := l.last.Load(); last != nil {
		return *last
	}
	return "no reason given (is the store readable?)"
}
