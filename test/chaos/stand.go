package chaos

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	core "github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/chaos/history"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// patience is for what takes seconds on an idle machine. Nothing is judged by it but
// that it ends.
const patience = 4 * time.Minute

// Stand is a fleet that can be broken, and what was seen of it.
type Stand struct {
	t        fleettest.T
	bin      string // the programs as they are here, and nats-server
	first    string // the programs that the fleet starts with
	dir      string
	ports    ports
	manifest *core.Manifest
	kms      *kmstest.FaultKMS
	net      *network
	procs    []*process
	admin    *bus.Bus // straight to the servers, with all rights
	disk     disk     // of the last server
	began    time.Time
	out      io.Writer // the event log, as it is written
	links    bool      // Options.Links
	copies   int       // clones that were made
	signRead uint64    // sequence of SIGN

	mu     sync.Mutex
	log    bytes.Buffer
	seen   history.History
	stored map[history.Result]bool
	said   map[history.Message]bool
	lives  int // of RESULTS
}

// Options of a stand.
type Options struct {
	Race bool      // programs with the race detector
	Out  io.Writer // the event log, as it is written; may be nil

	// First is a folder with other programs, of an earlier release for instance, that
	// make the fleet's files and run at first. Empty: those that are here.
	First string

	// Links leads every connection through a link, and has all three servers watched for
	// what nodes publish. Without, faults of the network do nothing, and the test itself
	// takes a small part of the machine only.
	Links bool
}

// Start runs a fleet until the test ends. It is ready when Start returns.
func Start(t fleettest.T, o Options) *Stand {
	t.Helper()
	bin, err := programs(o.Race)
	if err != nil {
		t.Fatal(err)
	}
	kmstest.Setenv(t)
	s := &Stand{
		t: t, bin: bin, first: cmp.Or(o.First, bin), dir: filepath.Join(t.TempDir(), "fleet"), kms: kmstest.StartFaultKMS(t), net: newNetwork(t),
		began: time.Now(), out: o.Out, links: o.Links,
		stored: map[history.Result]bool{}, said: map[history.Message]bool{},
	}
	s.configure()
	s.disk = newDisk(t, filepath.Join(s.dir, fleet.ServerDir(servers-1), "jetstream"))
	s.processes()
	t.Cleanup(s.end)
	for _, p := range s.procs {
		s.must(p.start())
	}
	s.admin = s.connect(s.url())
	s.frostctl("bus", "apply", "--fleet", fleettest.Name, "--nodes", fmt.Sprint(nodes), "--replicas", fmt.Sprint(servers),
		"--url", s.url(), "--credentials", filepath.Join(s.dir, fleet.AdministratorFile),
		"--tls-ca", filepath.Join(s.dir, fleet.AuthorityFile), "--timeout", "4m")
	s.watch()
	s.awaitReady()
	s.Event("the fleet is ready")
	return s
}

// processes lists the fleet's programs; nothing runs yet.
func (s *Stand) processes() {
	logs := s.t.TempDir()
	for i := range servers {
		s.procs = append(s.procs, newProcess(logs, serverName(i), filepath.Join(s.dir, fleet.ServerDir(i)), nil,
			filepath.Join(s.bin, "nats-server"), "-c", "server.conf"))
	}
	for i := range nodes {
		s.procs = append(s.procs, newProcess(logs, nodeName(i), s.dir, s.clock(nodeName(i)),
			filepath.Join(s.first, "frost-worker"), "run", "--config", fleet.NodeFile(i)))
	}
	for i := range gateways {
		s.procs = append(s.procs, newProcess(logs, gatewayName(i), s.dir, s.clock(gatewayName(i)),
			filepath.Join(s.first, "frost-gateway"), "run", "--config", gatewayFile(i)))
	}
}

// end kills what runs, and shows the end of every log if the test failed.
func (s *Stand) end() {
	for _, p := range s.procs {
		p.kill()
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", p.name, p.tail(25))
		}
	}
}

// proc is the program of a name.
func (s *Stand) proc(name string) *process {
	i := slices.IndexFunc(s.procs, func(p *process) bool { return p.name == name })
	if i < 0 {
		s.t.Fatalf("no program is named %q", name)
	}
	return s.procs[i]
}

func (s *Stand) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// Event writes to the event log.
func (s *Stand) Event(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eventLocked(format, args...)
}

func (s *Stand) eventLocked(format string, args ...any) {
	line := fmt.Sprintf("%8.2fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
	s.log.WriteString(line)
	if s.out != nil {
		_, _ = io.WriteString(s.out, line)
	}
}

// url is of all servers, past the links.
func (s *Stand) url() (all string) {
	for i := range servers {
		all += fmt.Sprintf(",tls://127.0.0.1:%d", s.ports.nats+i)
	}
	return all[1:]
}

// connect is the administrator's way to the bus.
func (s *Stand) connect(url string) *bus.Bus {
	s.t.Helper()
	return s.connectAs("administrator", url, fleet.AdministratorFile)
}

// connectAs connects with somebody's credentials.
func (s *Stand) connectAs(name, url, seed string) *bus.Bus {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	b, err := bus.Connect(ctx, bus.Options{
		Fleet: fleettest.Name, Nodes: nodes, URL: url, Name: name, Replicas: servers,
		Files: natsconn.Files{
			Credentials: filepath.Join(s.dir, seed), TLSCA: filepath.Join(s.dir, fleet.AuthorityFile),
		},
	})
	s.must(err)
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = b.Close(ctx)
	})
	return b
}

// await tries until it works.
func (s *Stand) await(what string, try func() error) {
	s.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if err = try(); err == nil {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.t.Context().Done():
			s.t.Fatalf("%s: %v", what, s.t.Context().Err())
		}
	}
	s.t.Fatalf("%s: %v", what, err)
}

// awaitReady wants every node and gateway to be ready.
func (s *Stand) awaitReady() {
	s.t.Helper()
	for _, p := range s.procs[servers:] {
		s.await(p.name+" gets ready", func() error {
			ready, text := s.ready(p.name)
			if !ready {
				return fmt.Errorf("it says %s", text)
			}
			return nil
		})
	}
}

// httpPort is where a program serves its health.
func (s *Stand) httpPort(name string) int {
	for i := range nodes {
		if name == nodeName(i) {
			return s.ports.http + 1 + i
		}
	}
	if name == gatewayName(0) {
		return s.ports.http
	}
	return s.ports.http + 1 + nodes
}

// ready is what a program says of itself.
func (s *Stand) ready(name string) (bool, string) {
	c := http.Client{Timeout: 5 * time.Second}
	resp, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", s.httpPort(name)))
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return false, err.Error()
	}
	return resp.StatusCode == http.StatusOK, string(body)
}

// whole starts what does not run, and ends every cut.
func (s *Stand) whole() {
	s.t.Helper()
	s.net.heal()
	for _, p := range s.procs {
		if !p.running() {
			s.Event("%s had ended: it is started", p.name)
			p.kill()
			s.must(p.start())
		}
	}
}
