package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/freeport"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// clock is the environment by which a program's clock can be set.
func (s *Stand) clock(name string) []string {
	return []string{"FROSTFLEET_CHAOS_CLOCK=" + s.clockFile(name)}
}

func (s *Stand) clockFile(name string) string { return filepath.Join(s.dir, name+".clock") }

// jump sets a program's clock forth or back.
func jump(b *breaking) func() {
	jumps := []time.Duration{-2 * time.Hour, -5 * time.Minute, -20 * time.Second, 20 * time.Second, 5 * time.Minute}
	by := jumps[b.rand.IntN(len(jumps))]
	b.Event("%s's clock goes wrong by %s", b.Target, by)
	b.setClock(b.Target, by)
	return func() { b.setClock(b.Target, 0) }
}

// setClock replaces the file in one step: a program reads it whenever it looks at its
// clock.
func (s *Stand) setClock(name string, by time.Duration) {
	s.t.Helper()
	path := s.clockFile(name)
	s.must(os.WriteFile(path+".new", []byte(by.String()), 0o600))
	s.must(os.Rename(path+".new", path))
}

// twin starts a second process with a node's index, keys and a copy of its data.
func twin(b *breaking) func() {
	var i int
	if _, err := fmt.Sscanf(b.Target, "node%d", &i); err != nil {
		b.t.Fatal(err)
	}
	name := fmt.Sprintf("twin%d-%x", i, b.Seed&0xffff)
	from, to := filepath.Dir(fleet.NodeFile(i)), name
	b.must(os.CopyFS(filepath.Join(b.dir, to), os.DirFS(filepath.Join(b.dir, from))))
	b.private(to)
	file := filepath.Join(to, filepath.Base(fleet.NodeFile(i)))
	b.edit(file, func(text string) string {
		return b.replaced(text, fmt.Sprintf("port = %d #", b.ports.http+1+i), fmt.Sprintf("port = %d #", freeport.New(b.t)))
	})
	p := newProcess(filepath.Dir(b.procs[0].log), name, b.dir, nil,
		filepath.Join(b.bin, "frost-worker"), "run", "--config", file)
	b.must(p.start())
	return func() {
		p.kill()
		b.Event("the twin's last words: %s", lastLine(p.tail(1)))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen.Crashes = append(b.seen.Crashes, p.crashes()...)
	}
}

func lastLine(text string) string {
	return text[:min(len(text), 300)]
}

// private gives what was copied the modes that programs insist on.
func (s *Stand) private(dir string) {
	s.must(filepath.Walk(filepath.Join(s.dir, dir), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		if strings.HasSuffix(path, ".lock") {
			return os.Remove(path)
		}
		return os.Chmod(path, 0o600)
	}))
}

// failDevice has the KMS of one node fail.
func failDevice(b *breaking) func() {
	b.kms.Everywhere(map[string]kmstest.Fault{
		"slow":      {Latency: 3 * time.Second, Spread: .5},
		"throttled": {Code: "ThrottlingException", Message: "Rate exceeded"},
		"hangs":     {Hang: true},
		"drops":     {Drop: true},
	}[b.Target])
	return func() { b.kms.Everywhere() }
}
