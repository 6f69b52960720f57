package natsserver

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serverLog passes the server's log on. Its notices are of no interest here
// (debug); what it calls fatal does not end the process.
type serverLog struct {
	log   *slog.Logger
	fatal chan struct{} // closed by the first fatal error

	last atomic.Pointer[string] // newest error
	mu   sync.Mutex
	step string // newest notice
	at   time.Time
	once sync.Once
}

func newServerLog(log *slog.Logger) *serverLog {
	return &serverLog{log: log, fatal: make(chan struct{}), step: "start", at: time.Now()}
}

// Noticef implements server.Logger: a step of the start, as it is begun or done.
func (l *serverLog) Noticef(format string, v ...any) {
	text := strings.TrimSpace(fmt.Sprintf(format, v...))
	l.mu.Lock()
	l.step, l.at = text, time.Now()
	l.mu.Unlock()
	l.log.Debug("nats: " + text)
}

// doing is what the server said last, and for how long it has said no more.
func (l *serverLog) doing() (step string, since time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.step, time.Since(l.at)
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
