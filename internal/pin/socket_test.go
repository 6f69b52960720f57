package pin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// shortDir is a directory whose path leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "storage")
}

// serve listens in dir until the test ends, and takes one PIN.
func serve(t *testing.T, dir, pin string) { serveFor(t, os.Geteuid(), dir, pin) }

// serveFor takes PINs of one user and root only.
func serveFor(t *testing.T, owner int, dir, pin string) {
	t.Helper()
	s, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.owner = owner
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(ctx, func(_ context.Context, got *secret.Bytes) Answer {
			defer got.Wipe()
			if string(got.Expose()) != pin {
				return Refusal(&keyprovider.Error{Reason: keyprovider.PIN, Provider: "pkcs11", Remedy: "give another PIN"})
			}
			return Answer{OK: true, Message: "unlocked"}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func TestSend(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := shortDir(t)
	serve(t, dir, "1234")
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, Socket): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, mode)
		}
	}
	if err := Waiting(dir); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if a, err := Send(t.Context(), dir, newPIN("1234")); err != nil || !a.OK || a.Message != "unlocked" {
			t.Errorf("%+v, %v", a, err)
		}
		a, err := Send(t.Context(), dir, newPIN("4321"))
		if err != nil || a.OK || a.Reason != keyprovider.PIN || a.Remedy != "give another PIN" || strings.Contains(a.Error, "4321") {
			t.Errorf("%+v, %v", a, err)
		}
	}
	long := strings.Repeat("1", 100<<10)
	if a, err := Send(t.Context(), dir, newPIN(long)); err != nil || a.OK || a.Remedy != "send one PIN and close" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := Send(t.Context(), dir, newPIN("")); err != nil || a.OK {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestNoWorker: nobody there, or nobody any more.
func TestNoWorker(t *testing.T) {
	dir := shortDir(t)
	if err := Waiting(dir); !errors.Is(err, ErrNoWorker) {
		t.Error(err)
	}
	leaveStale(t, dir)
	if err := Waiting(dir); !errors.Is(err, ErrNoWorker) {
		t.Error(err)
	}
	if _, err := Send(t.Context(), dir, newPIN("1")); !errors.Is(err, ErrNoWorker) {
		t.Error(err)
	}
	// A worker may run there, without a socket.
	if err := Waiting(strings.Repeat("x", 200)); err == nil || errors.Is(err, ErrNoWorker) || !strings.Contains(err.Error(), "shorter storage_path") {
		t.Error(err)
	}
}

// leaveStale leaves the socket of a process that is gone.
func leaveStale(t *testing.T, dir string) {
	t.Helper()
	s, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.listener.SetUnlinkOnClose(false)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, Socket)); err != nil {
		t.Fatal(err)
	}
}

// TestStaleSocket: a socket that nobody answers on is replaced, another is not.
func TestStaleSocket(t *testing.T) {
	dir := shortDir(t)
	leaveStale(t, dir)
	serve(t, dir, "1234")
	if _, err := Listen(dir); err == nil || !strings.Contains(err.Error(), "another worker") {
		t.Errorf("got %v", err)
	}
	if a, err := Send(t.Context(), dir, newPIN("1234")); err != nil || !a.OK {
		t.Errorf("%+v, %v", a, err)
	}
	other := shortDir(t)
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, Socket), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Listen(other); err == nil {
		t.Errorf("a file that is no socket was replaced: %v", s.Close())
	}
}

// TestOpenDirectory: where others can write, they could listen.
func TestOpenDirectory(t *testing.T) {
	dir := shortDir(t)
	serve(t, dir, "1234")
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	if err := Waiting(dir); err == nil || errors.Is(err, ErrNoWorker) || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
	if _, err := Send(t.Context(), dir, newPIN("1234")); err == nil {
		t.Error("the PIN was sent")
	}
	if _, err := Listen(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
}

func TestLongPath(t *testing.T) {
	if _, err := Listen(filepath.Join(shortDir(t), strings.Repeat("x", 100))); err == nil || !strings.Contains(err.Error(), "shorter storage_path") {
		t.Errorf("got %v", err)
	}
}

// TestStrangers: another user is turned away without a look at the PIN, and a
// PIN is not sent to one. The test plays them by changing who the server takes
// itself for; as root, by giving the directory away.
func TestStrangers(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Run("as another user", testAsNobody)
		return
	}
	dir := shortDir(t)
	serveFor(t, os.Geteuid()+1, dir, "1234")
	if a, err := Send(t.Context(), dir, newPIN("1234")); err != nil || a.OK || !strings.Contains(a.Error, errStranger.Error()) {
		t.Errorf("%+v, %v", a, err)
	}
}

// testAsNobody runs as root: the kernel says who connects.
func testAsNobody(t *testing.T) {
	const nobody = 65534
	dir := shortDir(t)
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	serve(t, dir, "1234")
	for path, mode := range map[string]os.FileMode{dir: 0o755, filepath.Join(dir, Socket): 0o666} { // or it would not get there
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	var a Answer
	as(t, nobody, func() error {
		conn, err := net.Dial("unix", filepath.Join(dir, Socket))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, _ = conn.Write([]byte("1234"))
		return json.NewDecoder(conn).Decode(&a)
	})
	if a.OK || !strings.Contains(a.Error, errStranger.Error()) {
		t.Errorf("the worker answered %+v", a)
	}

	// A socket of nobody's in root's directory.
	other := shortDir(t)
	if err := os.MkdirAll(other, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Dir(other), other} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	var listener net.Listener
	as(t, nobody, func() (err error) {
		listener, err = net.Listen("unix", filepath.Join(other, Socket))
		return err
	})
	defer listener.Close()
	if err := os.Chmod(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Waiting(other); err == nil || !strings.Contains(err.Error(), "is user 65534") {
		t.Errorf("got %v", err)
	}
}

// TestServeEnds: with its context, and the socket is gone.
func TestServeEnds(t *testing.T) {
	dir := shortDir(t)
	s, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Serve(ctx, func(context.Context, *secret.Bytes) Answer { t.Error("asked"); return Answer{} })
	if _, err := os.Lstat(filepath.Join(dir, Socket)); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestSendEnds: an operator who gives up does not wait for the worker.
func TestSendEnds(t *testing.T) {
	dir := shortDir(t)
	s, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() // it never accepts
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if a, err := Send(ctx, dir, newPIN("1")); !errors.Is(err, context.DeadlineExceeded) || a.OK {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestForeignDirectory: its owner could replace the socket.
func TestForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := owned(dir, os.Geteuid()); err != nil {
		t.Error(err)
	}
	if err := owned(dir, os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "chown") {
		t.Errorf("got %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(dir, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if s, err := Listen(dir); err == nil {
		t.Errorf("listens in another's directory: %v", s.Close())
	}
}

// TestFailingAccept: what fails for a moment does not end unlocking.
func TestFailingAccept(t *testing.T) {
	dir := shortDir(t)
	s, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(t.Context(), func(context.Context, *secret.Bytes) Answer { return Answer{OK: true} })
	}()
	if err := s.listener.SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-served:
		t.Fatal("nobody listens any more")
	case <-time.After(acceptPause / 2):
	}
	if err := s.listener.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if a, err := Send(t.Context(), dir, newPIN("1234")); err != nil || !a.OK {
		t.Errorf("%+v, %v", a, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-served
}

// TestTwoStarts on the socket of a process that is gone: one of them listens,
// and is reached.
func TestTwoStarts(t *testing.T) {
	for range 50 {
		dir := shortDir(t)
		leaveStale(t, dir)
		servers := make(chan *Server, 2)
		for range 2 {
			go func() {
				s, _ := Listen(dir)
				servers <- s
			}()
		}
		a, b := <-servers, <-servers
		if (a == nil) == (b == nil) {
			t.Fatalf("listening: %t and %t", a != nil, b != nil)
		}
		if err := Waiting(dir); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Server{a, b} {
			if s != nil {
				_ = s.Close()
			}
		}
	}
}

// TestIdleClient: one who connects and sends nothing does not hold up the end.
func TestIdleClient(t *testing.T) {
	dir := shortDir(t)
	s, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(ctx, func(context.Context, *secret.Bytes) Answer { t.Error("asked"); return Answer{} })
	}()
	conn, err := net.Dial("unix", filepath.Join(dir, Socket))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	time.Sleep(20 * time.Millisecond) // until it is served
	cancel()
	select {
	case <-served:
	case <-time.After(readTime / 2):
		t.Error("waits for a client that says nothing")
	}
}
