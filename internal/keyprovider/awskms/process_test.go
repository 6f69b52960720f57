package awskms

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// withProcess writes a script as the profile's credential_process. It runs a
// command as a child of a child, which writes its process id to a file.
func withProcess(t *testing.T, command string) (pidFile string) {
	t.Helper()
	kmstest.Setenv(t)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	dir := t.TempDir()
	pidFile = filepath.Join(dir, "pid")
	script := fmt.Sprintf("#!/bin/sh\nsh -c 'echo $$ > %[1]s.new; mv %[1]s.new %[1]s; exec %[2]s' &\nwait\n",
		pidFile, command)
	config := fmt.Sprintf("[profile frost]\ncredential_process = %s/script with arguments\n", dir)
	for name, content := range map[string]string{"script": script, "config": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	return pidFile
}

// isGone waits for the process whose id is in the file to end: its parent was
// killed too, so that the system reaps it a moment later.
func isGone(t *testing.T, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	t.Errorf("process %d was left behind", pid)
}

// zombie reports whether a process has ended, and nobody has asked how. Where
// there is no init, nobody does.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, found := strings.Cut(string(stat), ") ")
	return err == nil && found && strings.HasPrefix(state, "Z")
}

// hanging are the options of a provider whose credentials a process has.
func hanging(limit time.Duration) Options {
	return Options{
		Section: Section{
			KeyID: "alias/a", Regions: []string{"us-east-1"}, Profile: "frost", Endpoint: "http://127.0.0.1:1",
		},
		source: limit,
	}
}

// TestHangingProcess: a credential_process that hangs is given up after a
// while, said to be what hangs, and leaves no child behind.
func TestHangingProcess(t *testing.T) {
	pidFile := withProcess(t, "sleep 1000")
	_, err := Open(t.Context(), hanging(time.Second))
	if keyprovider.ReasonOf(err) != keyprovider.Credentials ||
		!strings.Contains(err.Error(), "credential_process did not end in time") {
		t.Errorf("%v", err)
	}
	isGone(t, pidFile)
}

// TestProcessEndsWithTheProgram: the end of what wanted the credentials ends
// the process, at once.
func TestProcessEndsWithTheProgram(t *testing.T) {
	pidFile := withProcess(t, "sleep 1000")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := Open(ctx, hanging(time.Hour))
		ended <- err
	}()
	for {
		if _, err := os.Stat(pidFile); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; keyprovider.ReasonOf(err) != keyprovider.Canceled {
		t.Error(err)
	}
	isGone(t, pidFile)
}

// TestGoodProcess: one that prints credentials works as before.
func TestGoodProcess(t *testing.T) {
	kms := kmstest.StartFaultKMS(t)
	key := kms.CreateKey(kmstest.Identity)
	answer := filepath.Join(t.TempDir(), "answer")
	credentials := `{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"}`
	if err := os.WriteFile(answer, []byte(credentials), 0o600); err != nil {
		t.Fatal(err)
	}
	withProcess(t, "cat "+answer)
	p, err := Open(t.Context(), Options{Section: Section{KeyID: key, Profile: "frost", Endpoint: kms.Endpoint()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
