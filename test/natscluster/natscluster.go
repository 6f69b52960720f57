// Package natscluster runs NATS servers as processes of their own: a process can be
// stopped, which no server within the test can.
package natscluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// built is the folder that build made; empty without.
var built string

// build makes nats-server from the module that go.mod names, once for a test binary, unless
// scripts/test did.
var build = sync.OnceValues(func() (program string, err error) {
	if made := os.Getenv("FROSTFLEET_PROGRAMS"); made != "" {
		return filepath.Join(made, "nats-server"), nil
	}
	dir, err := os.MkdirTemp("", "nats-server-")
	if err != nil {
		return "", err
	}
	built, program = dir, filepath.Join(dir, "nats-server")
	out, err := exec.Command("go", "build", "-ldflags=-w", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
})

// RemoveBuild removes the program, if a test built it: for TestMain, at its end.
func RemoveBuild() {
	if built != "" {
		_ = os.RemoveAll(built)
	}
}

// Cluster is some servers, s0, s1 and so on, with JetStream.
type Cluster struct {
	t       testing.TB
	program string
	dir     string
	ports   []int
	servers []*exec.Cmd
}

// Start runs n servers until the test ends. They may still be electing leaders.
func Start(t testing.TB, n int) *Cluster {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{t: t, program: program, dir: t.TempDir(), servers: make([]*exec.Cmd, n)}
	routes, urls := make([]int, n), make([]string, n)
	for i := range n {
		c.ports, routes[i] = append(c.ports, freeport.New(t)), freeport.New(t)
		urls[i] = fmt.Sprintf("nats-route://127.0.0.1:%d", routes[i])
	}
	for i := range n {
		conf := fmt.Sprintf("host: 127.0.0.1\nport: %d\nserver_name: s%d\nmax_payload: 4MB\n"+
			"jetstream { store_dir: %q, max_file_store: 1TB }\n", c.ports[i], i, filepath.Join(c.dir, fmt.Sprint(i)))
		if n > 1 {
			conf += fmt.Sprintf("cluster { name: test, host: 127.0.0.1, port: %d, routes: [%s], "+
				"ping_interval: 1s, ping_max: 2 }\n",
				routes[i], strings.Join(urls, ", "))
		}
		if err := os.WriteFile(c.file(i, "conf"), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		c.run(i)
	}
	t.Cleanup(c.end)
	return c
}

func (c *Cluster) file(i int, ext string) string {
	return filepath.Join(c.dir, fmt.Sprintf("s%d.%s", i, ext))
}

func (c *Cluster) run(i int) {
	c.t.Helper()
	server := exec.Command(c.program, "-c", c.file(i, "conf"), "-l", c.file(i, "log"))
	if err := command.StartChild(server); err != nil {
		c.t.Fatal(err)
	}
	c.servers[i] = server
}

// Restart ends a server as SIGTERM does, calls between with the folder of its store, and
// starts it again.
func (c *Cluster) Restart(i int, between func(store string)) {
	c.t.Helper()
	c.Signal(i, syscall.SIGTERM)
	_ = c.servers[i].Wait()
	between(filepath.Join(c.dir, fmt.Sprint(i)))
	c.run(i)
}

func (c *Cluster) end() {
	for _, server := range c.servers {
		_ = server.Process.Kill() // also one that is stopped
		_ = server.Wait()
	}
}

// URL is where a server listens.
func (c *Cluster) URL(i int) string { return fmt.Sprintf("nats://127.0.0.1:%d", c.ports[i]) }

// Named is the number of a server.
func (c *Cluster) Named(name string) (i int) {
	c.t.Helper()
	if _, err := fmt.Sscanf(name, "s%d", &i); err != nil || i >= len(c.servers) {
		c.t.Fatalf("no server is named %q", name)
	}
	return i
}

// Signal sends SIGSTOP or the like to a server.
func (c *Cluster) Signal(i int, s syscall.Signal) {
	c.t.Helper()
	if err := c.servers[i].Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}
