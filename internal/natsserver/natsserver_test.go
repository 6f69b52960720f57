package natsserver

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func startTest(t *testing.T, dir string, port int) *Server {
	t.Helper()
	s, err := Start(Config{StoreDir: dir, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	s := startTest(t, dir, -1)
	_, err := Start(Config{StoreDir: dir, Port: -1})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) || !strings.Contains(err.Error(), "store_path") {
		t.Errorf("second server on one store: %v", err)
	}
	s.Shutdown()
	s.Shutdown()
	startTest(t, dir, -1)
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir, start := t.TempDir(), time.Now()
	_, err = Start(Config{StoreDir: dir, Port: l.Addr().(*net.TCPAddr).Port})
	if err == nil || !strings.Contains(err.Error(), "already in use") || time.Since(start) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	startTest(t, dir, -1) // the failed start left no lock
}

func TestNeedsStore(t *testing.T) {
	if _, err := Start(Config{}); err == nil {
		t.Error("no store accepted")
	}
}

// A server without a socket takes connections from its own process.
func TestInProcessOnly(t *testing.T) {
	s, err := Embed(t.Context(), t.TempDir(), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	if s.URL() != "" {
		t.Errorf("URL is %q without a socket", s.URL())
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if s, err := Embed(t.Context(), "", 0, nil); err == nil || s != nil {
		t.Errorf("a server without a store: %v, %v", s, err)
	}
}

// A worker's program holds no server: it is a quarter of the code that would be
// linked, and opens ports.
func TestWhoLinksTheServer(t *testing.T) {
	const server = "github.com/nats-io/nats-server/v2/server"
	for program, embeds := range map[string]bool{"frost-worker": false, "frost-gateway": true, "frostctl": true} {
		out, err := exec.Command("go", "list", "-deps", "../../cmd/"+program).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(strings.Fields(string(out)), server); got != embeds {
			t.Errorf("%s links %s: %t, want %t", program, server, got, embeds)
		}
	}
	out, err := exec.Command("go", "list", "-deps", "../../client").Output()
	if err != nil || slices.Contains(strings.Fields(string(out)), server) {
		t.Errorf("package client links %s (%v)", server, err)
	}
}
