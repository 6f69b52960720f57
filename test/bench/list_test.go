package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

const shortList, longList = 10_000, 1_000_000

// benchList is the command, for a list and for one that is a hundred times as long: its
// memory, start and checks included.
func (p *proofs) benchList(b *testing.B) {
	bin, err := fleettest.Build()
	if err != nil {
		b.Fatal(err)
	}
	built = true
	short, long := p.list(b, bin, shortList), p.list(b, bin, longList)
	results.Record("derived_rss_mib_at_10k_addresses", short, "MiB", "")
	results.Record("derived_rss_mib_at_1m_addresses", long, "MiB", "")
	results.Record("derived_rss_ratio_1m_to_10k", long/short, "ratio", "<= 1.25")
}

// list prints so many addresses and gives the most memory that took, in MiB.
func (p *proofs) list(b *testing.B, bin string, count int) (peak float64) {
	b.Helper()
	cmd := exec.Command(filepath.Join(bin, "frostctl"), "addresses", "--csv", "--key", p.ids[wire.Bitcoin],
		"--keys", filepath.Join(p.dir, "keys.jsonl"), "--manifest", filepath.Join(p.dir, "manifest.json"),
		"--count", strconv.Itoa(count))
	var rows lines
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &rows, &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for running := true; running; time.Sleep(2 * time.Millisecond) {
		var now float64
		if now, running = peakOf(b, cmd.Process.Pid); running {
			peak = now
		}
	}
	if err := cmd.Wait(); err != nil || rows != lines(count+1) || peak == 0 { // and the header
		b.Fatalf("%d rows, peak %g MiB, %v: %s", rows, peak, err, &said)
	}
	results.Say("%d addresses as CSV in %.1f s, %.1f MiB", count, time.Since(start).Seconds(), peak)
	return peak
}

// lines counts those that are written.
type lines int

func (l *lines) Write(p []byte) (int, error) {
	*l += lines(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// peakOf is the most memory that a child had so far, in MiB, until it has ended. What the
// system tells afterwards (ru_maxrss) is at least what the parent had when it started it.
func peakOf(b *testing.B, pid int) (peak float64, running bool) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, value, found := strings.Cut(string(text), "VmHWM:")
	if !found {
		return 0, false
	}
	if _, err := fmt.Sscanf(value, "%f kB", &peak); err != nil {
		b.Fatal(err)
	}
	return peak / 1024, true
}
