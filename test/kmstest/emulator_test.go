package kmstest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestEmulator: make emulator runs moto on a port of its own for as long as
// nobody stops it, whatever becomes of standard input.
func TestEmulator(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command(os.Getenv("FROSTFLEET_PYTHON"), "launch_moto.py", fmt.Sprint(port)) // stdin ends at once
	if err := cmd.Start(); err != nil {
		t.Fatalf("FROSTFLEET_PYTHON does not name a Python with moto: run make test, which installs it: %v", err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for {
		_, err := Do(fmt.Sprintf("http://127.0.0.1:%d", port), Region, "ListKeys", nil)
		if err == nil {
			return
		}
		select {
		case <-ended:
			t.Fatalf("it ended: %s", cmd.ProcessState)
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
