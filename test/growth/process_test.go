package growth_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

// memory of a process in MiB, as Linux counts it.
type memory struct {
	rss, peak  float64 // VmRSS and the most that it ever was
	anonymous  float64 // RssAnon: the program's own
	fileMapped float64 // RssFile: pages of files, which the system can take back
}

func (m memory) String() string {
	return fmt.Sprintf("RSS %.0f MiB (own %.0f, files %.0f, peak %.0f)", m.rss, m.anonymous, m.fileMapped, m.peak)
}

func memoryOf(t testing.TB, pid int) (m memory) {
	t.Helper()
	fields := map[string]*float64{"VmRSS:": &m.rss, "VmHWM:": &m.peak, "RssAnon:": &m.anonymous, "RssFile:": &m.fileMapped}
	found := 0
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/status", pid))) {
		name, value, _ := strings.Cut(line, "\t")
		if at := fields[name]; at != nil {
			if _, err := fmt.Sscanf(value, "%f kB", at); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			*at /= 1024
			found++
		}
	}
	if found != len(fields) {
		t.Fatalf("process %d tells %d of %d kinds of memory", pid, found, len(fields))
	}
	return m
}

// tick is the unit of /proc/<pid>/stat: Linux shows a hundredth of a second to
// programs, whatever it counts itself.
const tick = 10 * time.Millisecond

// cpuOf is the processor time that a process has used.
func cpuOf(t testing.TB, pid int) time.Duration {
	t.Helper()
	_, after, _ := strings.Cut(read(t, fmt.Sprintf("/proc/%d/stat", pid)), ") ") // the name may have spaces
	fields := strings.Fields(after)
	if len(fields) < 13 {
		t.Fatalf("process %d: stat has %d fields", pid, len(fields))
	}
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * tick
}

// cpu is the processor time of all processes of the fleet.
func (g *grower) cpu() (sum time.Duration) {
	g.Helper()
	for _, name := range []string{"bus", fleettest.GatewayName, fleettest.NodeName(0), fleettest.NodeName(1), fleettest.NodeName(2)} {
		sum += cpuOf(g.T, g.fleet.PID(name))
	}
	return sum
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// onDisk is what the files below a folder take, in bytes.
func onDisk(t testing.TB, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// streamDir finds the folder of a stream in the bus's files.
func streamDir(t testing.TB, store, stream string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(store, "jetstream", "*", "streams", "*"+stream))
	if err != nil || len(found) != 1 {
		t.Fatalf("folders of stream %s: %v, %v", stream, found, err)
	}
	return found[0]
}
