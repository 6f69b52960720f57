package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/loadgen"
	"github.com/frostfleet/frostfleet/test/chaos/history"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// failedSigns counts sign jobs that were acknowledged and failed or are open.
func (s *Stand) failedSigns() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.seen.Jobs {
		if j.Kind == history.Sign && !j.Acked.IsZero() && (j.Outcome == history.Failed || j.Outcome == history.Open) {
			n++
		}
	}
	return n
}

const queued = 255

// backlog queues jobs while both gateways are away, and times how long the fleet needs
// for them: undisturbed, and with a server that is killed in the middle.
func backlog(m *measuring) {
	quiet, _ := m.queue(func() {})
	p := m.proc(m.leader(bus.Jobs))
	took, done := m.queue(func() {
		p.kill()
		time.Sleep(time.Second)
		m.must(p.start())
	})
	m.figure("255 jobs queued, a server killed and restarted: done", 100*float64(done)/queued)
	m.figure("255 jobs queued, a server killed and restarted: time", took.Seconds()/quiet.Seconds())
}

// queue has single signatures wait in JOBS, starts the gateways, and then does what
// goes wrong.
func (m *measuring) queue(wrong func()) (took time.Duration, done int) {
	m.t.Helper()
	both := m.procs[servers+nodes:]
	for _, p := range both {
		p.kill()
	}
	var jobs sync.WaitGroup
	before := m.doneSigns()
	for range queued {
		jobs.Go(func() { _ = m.user.insist(m.t.Context(), m.t.Context(), chains[0], 1) })
	}
	m.await("the jobs are queued", func() error {
		info, err := m.admin.Conn().JS.Stream(m.t.Context(), streamName("JOBS"))
		if err == nil && info.CachedInfo().State.Msgs < queued {
			err = fmt.Errorf("%d of them", info.CachedInfo().State.Msgs)
		}
		return err
	})
	begin := time.Now()
	for _, p := range both {
		m.must(p.start())
	}
	m.await("a gateway is ready", func() error {
		if ready, text := m.ready(gatewayName(0)); !ready {
			return fmt.Errorf("it says %s", text)
		}
		return nil
	})
	wrong()
	jobs.Wait()
	took, done = time.Since(begin), m.doneSigns()-before
	m.Event("%d of %d queued jobs done in %.1f s", done, queued, took.Seconds())
	return took, done
}

func (s *Stand) doneSigns() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.seen.Jobs {
		if j.Kind == history.Sign && j.Outcome == history.Done {
			n++
		}
	}
	return n
}

// withholding takes from a worker the permission to publish shares: to everybody else it
// is a worker that commits and then withholds. It is a fake, which does not lie.
func withholding(m *measuring) {
	before := m.user.singles(undisturbed)
	for i := range servers {
		file := filepath.Join(fleet.ServerDir(i), "permissions", "worker-0.conf")
		m.edit(file, func(text string) string {
			return m.replaced(text, fmt.Sprintf("  \"frost.%s.sign.*.share.0\"\n", fleettest.Name), "")
		})
		m.must(m.procs[i].signal(syscall.SIGHUP))
	}
	m.await("the servers have reloaded", func() error {
		for i := range servers {
			if !strings.Contains(m.procs[i].tail(200), "Reloaded server configuration") {
				return fmt.Errorf("%s has not", m.procs[i].name)
			}
		}
		return nil
	})
	m.user.warm() // ten jobs of each chain
	during := m.user.singles(disturbed)
	m.figure("a worker withholds its shares, after ten jobs: p50", ratio(during.p50, before.p50))
	for i := range servers {
		file := filepath.Join(fleet.ServerDir(i), "permissions", "worker-0.conf")
		m.edit(file, func(text string) string {
			commit := fmt.Sprintf("  \"frost.%s.sign.*.commit.0\"\n", fleettest.Name)
			return m.replaced(text, commit, commit+fmt.Sprintf("  \"frost.%s.sign.*.share.0\"\n", fleettest.Name))
		})
		m.must(m.procs[i].signal(syscall.SIGHUP))
	}
}

// registerLost loses all data of NATS and the disks of all nodes but one, and follows
// docs/operations.md.
func registerLost(m *measuring) {
	m.user.singles(undisturbed)
	for _, p := range m.procs {
		p.kill()
	}
	for i := range servers {
		m.emptied(filepath.Join(m.dir, fleet.ServerDir(i), "jetstream"))
	}
	for i := 1; i < nodes; i++ {
		m.emptied(m.storage(i))
	}
	for _, p := range m.procs[:servers] {
		m.must(p.start())
	}
	file, manifest := filepath.Join(m.dir, "keys.register"), filepath.Join(m.dir, fleet.ManifestFile)
	access := []string{"--url", m.url(), "--credentials", filepath.Join(m.dir, fleet.AdministratorFile),
		"--tls-ca", filepath.Join(m.dir, fleet.AuthorityFile)}
	m.frostctl(append([]string{"bus", "apply", "--fleet", fleettest.Name, "--nodes", fmt.Sprint(nodes),
		"--replicas", fmt.Sprint(servers), "--timeout", "4m"}, access...)...)
	m.frostctl("register", "export", file, "--manifest", manifest, "--storage", m.storage(0))
	m.frostctl(append([]string{"register", "import", file, "--manifest", manifest}, access...)...)
	m.mu.Lock()
	m.lives++
	m.seen.Losses = append(m.seen.Losses, // results went with the rest, by this test's own hand
		history.Loss{Stream: "RESULTS", At: time.Now(), Until: time.Now(), Reported: time.Now()})
	m.mu.Unlock()
	for _, p := range m.procs {
		m.must(p.start())
	}
	m.awaitReady()
	announced, back := 0, map[string]bool{}
	for _, e := range m.register() {
		for _, k := range e.Keys {
			back[k] = true
		}
	}
	found := 0
	for _, keys := range m.user.keys {
		for _, k := range keys {
			if announced++; back[k.ID] {
				found++
			}
		}
	}
	m.Event("%d of %d keys are back; now they sign", found, announced)
	m.figure("the register lost, one node's disk left: keys that are back", 100*float64(found)/float64(announced))
}

// emptied removes what is in a directory, which may be a mount.
func (s *Stand) emptied(dir string) {
	s.t.Helper()
	entries, err := os.ReadDir(dir)
	s.must(err)
	for _, e := range entries {
		s.must(os.RemoveAll(filepath.Join(dir, e.Name())))
	}
}

func (s *Stand) storage(i int) string {
	s.t.Helper()
	n, err := launch.LoadNode(filepath.Join(s.dir, fleet.NodeFile(i)))
	s.must(err)
	return n.Node.StoragePath
}

// oneServer compares with the same programs on a single server of frostctl bus serve,
// both idle but for what is measured.
func oneServer(m *measuring) {
	for _, p := range m.procs[servers:] {
		p.kill()
	}
	for _, p := range m.procs[servers : servers+nodes+1] {
		m.must(p.start()) // one gateway, as on the one server
	}
	for _, p := range m.procs[servers : servers+nodes+1] {
		m.await(p.name, func() error {
			if ready, text := m.ready(p.name); !ready {
				return fmt.Errorf("it says %s", text)
			}
			return nil
		})
	}
	three := m.newUser(fleet.ClientFile)
	three.keys = m.user.keys
	p50, bulk := m.idle(three)

	for _, p := range m.procs { // the machine is for the other one
		_ = p.pause()
	}
	one := fleettest.StartProcesses(m.t, fleettest.Options{N: nodes, T: 2})
	one.AwaitReady()
	apart := &Stand{t: m.t, began: m.began} // for another history than this fleet's
	u := &user{s: apart, c: one.Client(), name: fleettest.Client, keys: map[string][]client.Key{}}
	m.must(u.keygen(m.t.Context(), chains[0], 20))
	p50One, bulkOne := m.idle(u)
	for _, p := range m.procs {
		_ = p.resume()
	}
	m.figure("three replicas against one server, idle: p50 of single signatures", ratio(p50, p50One))
	m.figure("three replicas against one server, idle: bulk signatures a second", bulk/bulkOne)
}

// idle measures one signature at a time, and jobs of 500, two at a time.
func (m *measuring) idle(u *user) (p50, perSecond float64) {
	m.t.Helper()
	for range 20 {
		m.must(u.insist(m.t.Context(), m.t.Context(), chains[0], 1))
	}
	run := func(l loadgen.Load, n int) *loadgen.Report {
		l.Do = u.items(n)
		r, err := loadgen.Run(m.t.Context(), l)
		m.must(err)
		return r
	}
	single := run(loadgen.Load{Duration: 15 * time.Second, Workers: 1}, 1)
	bulk := run(loadgen.Load{Duration: 20 * time.Second, Workers: 2}, 500)
	m.Event("one at a time: p50 %.1f ms; jobs of 500: %.0f signatures a second", single.Latency.P50, bulk.ItemsPerSecond)
	return single.Latency.P50, bulk.ItemsPerSecond
}
