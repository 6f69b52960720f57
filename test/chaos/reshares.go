package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/chaos/history"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
)

const (
	replaced = 1 // the node that new hardware takes the place of
	joiner   = "joiner"

	reshareJobs = 8 // key generations before keys move, each a batch
	reshareKeys = 50
	downTime    = time.Second // of a program that was killed
)

// reshare moves a fleet's keys to a next manifest, in which one node is replaced, while a load
// is on and programs are killed one after the other. In the end the old shares are wiped, and
// all programs are of the next manifest.
func (s *Stand) reshare(l *load) {
	s.t.Helper()
	for i := range reshareJobs {
		s.must(l.keygen(s.t.Context(), chains[i%2], reshareKeys))
	}
	joins := s.joiner()
	s.succeed()
	s.must(joins.start())
	s.awaitBody(joins)
	s.Event("the next manifest is approved, and its new node runs")

	command := newProcess(filepath.Dir(s.procs[0].log), "reshare", s.dir, nil, s.reshareCommand()...)
	s.must(command.start())
	victims := []*process{s.proc(gatewayName(0)), joins.process, s.proc(nodeName(replaced)), s.proc(serverName(0)),
		s.proc(nodeName(0)), s.proc(gatewayName(1)), s.proc(nodeName(device)), s.proc(serverName(1))}
	for _, p := range victims {
		p.kill()
		s.Event("%s was killed", p.name)
		time.Sleep(downTime)
		s.must(p.start())
		l.probe()
	}
	s.await("all keys move", func() error {
		if !s.moved(command) {
			return fmt.Errorf("frostctl says %s", lastLine(command.tail(1)))
		}
		return nil
	})
	s.Event("all keys have moved")
	s.retire(joins)
	s.allMoved(l)
}

// joiner is the worker on new hardware. Who it is for NATS is the old one's user.
func (s *Stand) joiner() *body {
	s.t.Helper()
	old := filepath.Dir(fleet.NodeFile(replaced))
	b := &body{dir: joiner, port: freeport.New(s.t)}
	s.must(os.CopyFS(filepath.Join(s.dir, joiner), os.DirFS(filepath.Join(s.dir, old))))
	s.private(joiner)
	s.must(os.RemoveAll(filepath.Join(s.dir, joiner, "data")))
	s.must(os.Remove(filepath.Join(s.dir, joiner, "key.json")))
	file := filepath.Join(joiner, filepath.Base(fleet.NodeFile(replaced)))
	s.edit(file, func(text string) string {
		return s.replaced(text, fmt.Sprintf("port = %d #", s.httpPort(nodeName(replaced))), fmt.Sprintf("port = %d #", b.port),
			fleet.ManifestFile, fleet.NextFile)
	})
	s.worker("provision", "--config", file)
	b.process = newProcess(filepath.Dir(s.procs[0].log), joiner, s.dir, s.clock(joiner),
		filepath.Join(s.bin, "frost-worker"), "run", "--config", file)
	s.t.Cleanup(func() {
		b.kill()
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", b.name, b.tail(25))
		}
	})
	return b
}

// worker runs a command of frost-worker that must succeed.
func (s *Stand) worker(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, "frost-worker"), args...)
	cmd.Dir = s.dir
	out, err := children.output(cmd)
	if err != nil {
		s.t.Fatalf("frost-worker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// succeed makes the next manifest, which every node approves.
func (s *Stand) succeed() {
	s.t.Helper()
	prepare := []string{"fleet", "next", "prepare", "--threshold", "2", "--manifest", filepath.Join(s.dir, fleet.ManifestFile),
		"--out", filepath.Join(s.dir, fleet.NextFile)}
	for i := range nodes {
		file, card := fleet.NodeFile(i), fmt.Sprintf("card%d.json", i)
		if i == replaced {
			file = filepath.Join(joiner, filepath.Base(file))
		}
		text := s.worker("enroll", "--config", file, "--fleet", fleettest.Name, "--epoch", "2")
		s.write(card, text[strings.Index(text, "{"):]) // what goes before it is for people
		prepare = append(prepare, filepath.Join(s.dir, card))
	}
	s.frostctl(prepare...)
	for i := range nodes {
		s.worker("accept-manifest", fleet.NextFile, "--config", fleet.NodeFile(i), "--yes")
	}
}

func (s *Stand) reshareCommand(flags ...string) []string {
	return append([]string{filepath.Join(s.bin, "frostctl"), "fleet", "reshare", fleet.NextFile, "--manifest", fleet.ManifestFile,
		"--url", s.url(), "--credentials", fleet.AdministratorFile, "--tls-ca", fleet.AuthorityFile}, flags...)
}

// moved reports whether the command has ended because all keys moved. One that ended because
// a server was away is started again.
func (s *Stand) moved(command *process) bool {
	s.t.Helper()
	if command.running() {
		return false
	}
	code, err := command.exit(time.Second)
	if err == nil && code == 0 {
		return true
	}
	s.Event("frostctl fleet reshare ended: %s", lastLine(command.tail(1)))
	s.must(command.start())
	return false
}

// retire has one old worker after the other end and wipe its shares. What runs then is of the
// next manifest alone.
func (s *Stand) retire(joins *body) {
	s.t.Helper()
	for i := range nodes {
		p := s.proc(nodeName(i))
		s.must(p.end())
		s.worker("retire", "--config", fleet.NodeFile(i), "--yes")
		file := fleet.NodeFile(i)
		if i == replaced {
			s.must(joins.end())
			file = filepath.Join(joiner, filepath.Base(file))
			s.edit(file, func(text string) string {
				return s.replaced(text, fmt.Sprintf("port = %d #", joins.port), fmt.Sprintf("port = %d #", s.httpPort(nodeName(i))))
			})
			p.argv[len(p.argv)-1] = file
		} else {
			s.edit(file, func(text string) string { return s.replaced(text, fleet.ManifestFile, fleet.NextFile) })
		}
		s.must(p.start())
		s.await(p.name+" gets ready", func() error {
			ready, text := s.ready(p.name)
			if !ready {
				return fmt.Errorf("it says %s", text)
			}
			return nil
		})
	}
	s.Event("all old shares are wiped")
}

// allMoved compares what frostctl says with the keys that were announced before.
func (s *Stand) allMoved(l *load) {
	s.t.Helper()
	argv := s.reshareCommand("--status", "--json")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = s.dir
	out, err := children.output(cmd)
	s.must(err)
	var state struct {
		Moved int `json:"moved_keys"`
		Left  int `json:"left_keys"`
	}
	s.must(json.Unmarshal([]byte(regexp.MustCompile(`(?s)\{.*\}`).FindString(out)), &state))
	if state.Left > 0 || state.Moved < reshareJobs*reshareKeys {
		s.t.Errorf("%d keys moved, and %d did not", state.Moved, state.Left)
	}
	s.Event("%d keys are with the next manifest's nodes, %d are not", state.Moved, state.Left)
}

// Reshare moves keys under load, with programs that are killed, and checks what was seen.
func (s *Stand) Reshare() {
	s.t.Helper()
	defer func() {
		if s.t.Failed() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.t.Logf("what happened:\n%s", s.log.String())
		}
	}()
	l := s.startLoad()
	s.reshare(l)
	s.finish(l)
}

// resharing is the same on a fleet as it is shipped.
func resharing(m *measuring) {
	l := m.loadOf(m.user)
	m.reshare(l)
	m.awaitReady()
	l.stopLoad()
	m.mu.Lock()
	failed := 0
	for _, j := range m.seen.Jobs {
		if !j.Acked.IsZero() && j.Outcome != history.Done {
			failed++
		}
	}
	m.mu.Unlock()
	m.figure("keys move while programs are killed: jobs failed", float64(failed))
}
