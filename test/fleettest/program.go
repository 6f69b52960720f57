package fleettest

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
)

// T is what fleets of processes need of the test that they run in: *testing.T
// and *testing.B have it, and so has a program that calls Program.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	TempDir() string
	Setenv(key, value string)
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Program runs f as a test is run, outside of one: what f leaves to Cleanup is
// done when it returns or fails. Its context ends with ctx; what it says goes to
// out. Program tells whether f failed.
func Program(ctx context.Context, out io.Writer, f func(T)) (failed bool) {
	p := &program{out: out}
	p.ctx, p.cancel = context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { // of its own, for Fatal to end
		defer close(done)
		defer p.clean()
		f(p)
	}()
	<-done
	return p.Failed()
}

type program struct {
	ctx    context.Context
	cancel context.CancelFunc
	out    io.Writer

	mu       sync.Mutex
	cleanups []func()
	failed   bool
}

// clean does what was left to do, the last first, even if one of it fails.
func (p *program) clean() {
	p.cancel()
	p.mu.Lock()
	last := len(p.cleanups) - 1
	if last < 0 {
		p.mu.Unlock()
		return
	}
	f := p.cleanups[last]
	p.cleanups = p.cleanups[:last]
	p.mu.Unlock()
	defer p.clean()
	f()
}

func (p *program) Helper()                  {}
func (p *program) Context() context.Context { return p.ctx }

func (p *program) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *program) TempDir() string {
	dir, err := os.MkdirTemp("", "frostfleet-")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			p.Errorf("%v", err)
		}
	})
	return dir
}

// Setenv lasts: a program has no other test to come after it.
func (p *program) Setenv(key, value string) {
	if err := os.Setenv(key, value); err != nil {
		p.Fatal(err)
	}
}

func (p *program) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *program) Logf(format string, args ...any) {
	text := strings.TrimSuffix(fmt.Sprintf(format, args...), "\n")
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.out, text)
}

func (p *program) Errorf(format string, args ...any) {
	p.Logf(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = true
}

func (p *program) Fatal(args ...any) { p.Fatalf("%s", fmt.Sprintln(args...)) }

func (p *program) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	runtime.Goexit()
}
