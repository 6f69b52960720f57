package fitness

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	sampleEvery = time.Second
	syncEvery   = 5 // samples
	// idleTime is how long the machine is looked at before and after a run, and
	// idleSyncs how many writes are timed then.
	idleTime  = 2 * time.Second
	idleSyncs = 20
)

// A Watch looks at this machine all the time. Its methods may be called concurrently.
type Watch struct {
	file *os.File
	proc fs.FS
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	samples []Sample
	syncs   []timedSync
}

type timedSync struct {
	at   time.Time
	took time.Duration
}

// Start begins to watch, and looks at the machine for two seconds before it returns; the
// benchmark should be idle then. It writes a file in a folder on the disk that matters
// and syncs it, a block of 4 KiB every five seconds.
func Start(dir string) (*Watch, State, error) {
	file, err := os.Create(filepath.Join(dir, "fitness"))
	if err != nil {
		return nil, State{}, err
	}
	w := &Watch{file: file, proc: os.DirFS("/proc"), stop: make(chan struct{}), done: make(chan struct{})}
	state, err := w.Idle()
	if err != nil {
		_ = file.Close()
		return nil, state, err
	}
	go w.run()
	return w, state, nil
}

// Idle looks at the machine while the benchmark does nothing.
func (w *Watch) Idle() (State, error) {
	from, err := w.look()
	if err != nil {
		return State{}, err
	}
	var syncs []time.Duration
	for range idleSyncs {
		took, err := w.sync()
		if err != nil {
			return State{}, err
		}
		syncs = append(syncs, took)
		time.Sleep(idleTime / idleSyncs)
	}
	to, err := w.look()
	return Between(from, to, syncs, true), err
}

// Since is what the machine has been like since then, or since the last look before.
func (w *Watch) Since(then time.Time) (State, error) {
	to, err := w.look()
	if err != nil {
		return State{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	from := w.samples[0]
	for _, s := range slices.Backward(w.samples) {
		if !s.At.After(then) && to.At.Sub(s.At) >= sampleEvery {
			from = s
			break
		}
	}
	var syncs []time.Duration
	for _, s := range w.syncs {
		if s.at.After(from.At) {
			syncs = append(syncs, s.took)
		}
	}
	return Between(from, to, syncs, false), nil
}

// Stop ends it, and removes the file.
func (w *Watch) Stop() {
	close(w.stop)
	<-w.done
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

func (w *Watch) run() {
	defer close(w.done)
	ticks := time.NewTicker(sampleEvery)
	defer ticks.Stop()
	for i := 0; ; i++ {
		select {
		case <-w.stop:
			return
		case <-ticks.C:
		}
		_, _ = w.look() // one that failed is one less; who asks for a state looks, too
		if i%syncEvery == 0 {
			_, _ = w.sync()
		}
	}
}

func (w *Watch) look() (Sample, error) {
	s, err := Look(w.proc, os.Getpid(), time.Now())
	if err == nil {
		w.mu.Lock()
		w.samples = append(w.samples, s)
		w.mu.Unlock()
	}
	return s, err
}

// sync takes the time of one block, which replaces the one before.
func (w *Watch) sync() (time.Duration, error) {
	start := time.Now()
	if _, err := w.file.WriteAt(make([]byte, 4096), 0); err != nil {
		return 0, err
	}
	if err := w.file.Sync(); err != nil {
		return 0, err
	}
	took := time.Since(start)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.syncs = append(w.syncs, timedSync{time.Now(), took})
	return took, nil
}
