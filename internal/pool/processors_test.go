package pool

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/processors"
)

// Bulk work finds all processors also where the program had one before. That is a program's,
// for as long as it runs, so one of its own tries it.
func TestBulkWorkHasAllProcessors(t *testing.T) {
	const child, full = "FROSTFLEET_TEST_PROCESSORS", 3
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	runtime.GOMAXPROCS(full)
	if processors.Follow(); runtime.GOOS != "linux" {
		return // not followed there
	}
	p := New()
	go p.Run(t.Context())
	for begin := time.Now(); runtime.GOMAXPROCS(0) != 1; time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("a program that does nothing keeps all processors")
		}
	}
	found := make(chan int)
	p.Go(false, "", func() { found <- runtime.GOMAXPROCS(0) })
	if n := <-found; n != full {
		t.Errorf("%d processors for bulk work, want %d", n, full)
	}
}
