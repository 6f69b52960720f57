package command

import (
	"io"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// TestMemoryIsHidden: a program that runs dumps no core, and no debugger of its user
// attaches to it.
func TestMemoryIsHidden(t *testing.T) {
	if was, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || was != 1 {
		t.Fatalf("before: %d, %v", was, err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) })
	root := &cobra.Command{Use: "test", RunE: func(*cobra.Command, []string) error {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
			t.Errorf("core dumps: %+v, %v", limit, err)
		}
		if is, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || is != 0 {
			t.Errorf("dumpable: %d, %v", is, err)
		}
		return nil
	}}
	root.SetArgs(nil)
	root.SetOut(io.Discard)
	if code := Run(t.Context(), root); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
