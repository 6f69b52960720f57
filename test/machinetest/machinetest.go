package machinetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/keyprovider/software"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// WaitLimit is for what takes milliseconds on an idle machine.
const WaitLimit = 2 * time.Minute

// Main runs a package's tests and fails if they leave a goroutine behind.
func Main(m *testing.M) {
	code := m.Run()
	left := goleak.Find()
	for deadline := time.Now().Add(WaitLimit); left != nil && time.Now().Before(deadline); {
		left = goleak.Find() // pauses between tries
	}
	if code == 0 && left != nil {
		fmt.Fprintln(os.Stderr, left)
		code = 1
	}
	os.Exit(code)
}

// Eventually waits until a condition holds.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(WaitLimit); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", WaitLimit, what)
		}
	}
}

// Program is a program that runs.
type Program struct {
	t      testing.TB
	cancel context.CancelFunc
	ended  chan error
}

// Run starts a program, which ends with the test at the latest.
func Run(t testing.TB, run func(context.Context) error) *Program {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Program{t: t, cancel: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- run(ctx) }()
	t.Cleanup(func() { p.cancel(); _ = p.Wait() })
	return p
}

// Wait returns how the program ended. It may be called again.
func (p *Program) Wait() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		return err
	case <-time.After(WaitLimit):
		p.t.Fatal("the program does not end")
		return nil
	}
}

// Stop ends the program, which must end without an error.
func (p *Program) Stop() {
	p.t.Helper()
	p.cancel()
	if err := p.Wait(); err != nil {
		p.t.Fatal(err)
	}
}

// Provider is a real provider whose Sign a test can delay or fail.
type Provider struct {
	keyprovider.Provider
	mu    sync.Mutex
	fault func(context.Context) error
	calls int
}

// NewProvider makes a software provider.
func NewProvider(t testing.TB) *Provider {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.json")
	if err := software.Generate(path); err != nil {
		t.Fatal(err)
	}
	p, err := software.Open(software.Options{Path: path, Network: "regtest"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return &Provider{Provider: p}
}

// Sign fails as SetFault says.
func (p *Provider) Sign(ctx context.Context, digest [32]byte) ([]byte, error) {
	p.mu.Lock()
	fault := p.fault
	p.calls++
	p.mu.Unlock()
	if fault != nil {
		if err := fault(ctx); err != nil {
			return nil, err
		}
	}
	return p.Provider.Sign(ctx, digest)
}

// SetFault has fault called before each signature; nil ends that.
func (p *Provider) SetFault(fault func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

// Calls counts the calls of Sign.
func (p *Provider) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// Observer records what a worker and a gateway report.
type Observer struct {
	mu      sync.Mutex
	reports []protocol.Report
	ends    []wire.Code
}

// Report records a report.
func (o *Observer) Report(r protocol.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reports = append(o.reports, r)
}

// JobDone records how a job ended.
func (o *Observer) JobDone(end protocol.JobEnd) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ends = append(o.ends, end.Code)
}

// ProviderCoalesced records nothing.
func (o *Observer) ProviderCoalesced(int) {}

// Round records nothing.
func (o *Observer) Round(protocol.Round) {}

// Reported says whether there was such a report.
func (o *Observer) Reported(what protocol.ReportKind) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.reports {
		if r.What == what {
			return true
		}
	}
	return false
}

// Ends are the codes with which jobs ended.
func (o *Observer) Ends() []wire.Code {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]wire.Code(nil), o.ends...)
}

// Lines is a log that a test reads.
type Lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes a line.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// Count counts how often a text is in the log.
func (l *Lines) Count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), what)
}
