package fitness

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// machine is a folder like /proc. Times are in ticks.
func machine(user, idle, steal int, waited string, own ...string) fstest.MapFS {
	m := fstest.MapFS{
		"stat":    {Data: fmt.Appendf(nil, "cpu  %d 0 0 %d 0 0 0 %d 0 0\ncpu0 1\n", user, idle, steal)},
		"loadavg": {Data: []byte("1.50 1 1 1/100 7\n")},
	}
	for i, line := range own {
		m[fmt.Sprintf("%d/stat", 10+i)] = &fstest.MapFile{Data: []byte(line)}
	}
	if waited != "" {
		for _, resource := range []string{"cpu", "io", "memory"} {
			m["pressure/"+resource] = &fstest.MapFile{
				Data: fmt.Appendf(nil, "some avg10=0.00 avg60=0.00 avg300=0.00 total=%s\nfull avg10=0.00\n", waited)}
		}
	}
	return m
}

// stat is a line of a process.
func stat(name string, parent, used, waitedFor int) string {
	return fmt.Sprintf("1 (%s) S %d 1 1 0 -1 4194560 1 0 0 0 %d 0 %d 0 20 0 1 0 1\n", name, parent, used, waitedFor)
}

func look(t *testing.T, m fstest.MapFS, at time.Duration) Sample {
	t.Helper()
	s, err := Look(m, 10, time.Unix(0, 0).Add(at))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLook: what the benchmark's processes use is no one else's: its own, a child's, a
// grandchild's, and one's that it waited for.
func TestLook(t *testing.T) {
	t.Parallel()
	from := look(t, machine(1000, 0, 0, "0", stat("bench", 1, 100, 0)), 0)
	to := look(t, machine(1900, 80, 20, "2500000",
		stat("bench", 1, 300, 50), stat("a) S 1 b", 10, 200, 0), stat("c", 11, 300, 0), stat("other", 1, 400, 0)), 10*time.Second)
	s := Between(from, to, []time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond}, false)
	// Of 1,000 ticks 900 are busy: 750 by the benchmark, 150 by others; 20 are stolen.
	if s.Steal != 2 || s.Others != 15 || s.Load != 1.5 || s.Sync != 2 || s.Pressure["io"] != 25 {
		t.Errorf("%+v", s)
	}
	if s.Unfit != "other programs 15 %, pressure on memory 25 %" {
		t.Errorf("unfit: %q", s.Unfit)
	}
}

// TestNoPSI: a kernel without it is said to have none, and is judged by the rest.
func TestNoPSI(t *testing.T) {
	t.Parallel()
	from := look(t, machine(0, 0, 0, "", stat("bench", 1, 0, 0)), 0)
	to := look(t, machine(100, 900, 0, "", stat("bench", 1, 100, 0)), 10*time.Second)
	s := Between(from, to, nil, true)
	if s.Pressure != nil || s.Unfit != "" || !strings.Contains(s.String(), "no PSI") {
		t.Errorf("%+v: %s", s, s)
	}
}

// TestUnfit: at a threshold a machine is fit, above it is not; waiting for processors and
// disks counts on an idle machine only.
func TestUnfit(t *testing.T) {
	t.Parallel()
	pressure := func(of string, percent float64) map[string]float64 { return map[string]float64{of: percent} }
	for _, c := range []struct {
		state State
		idle  bool
		want  string
	}{
		{State{Steal: MaxSteal, Others: MaxOthers, Sync: 5, Pressure: pressure("memory", MaxMemory)}, true, ""},
		{State{Steal: 2.5}, false, "steal 2.5 %"},
		{State{Others: 6, Load: 30}, false, "other programs 6 %"},
		{State{Load: 30}, true, ""},
		{State{Sync: 6.25}, true, "disk sync 6.25 ms"},
		{State{Sync: 20}, false, ""},
		{State{Sync: 20.5}, false, "disk sync 20.5 ms"},
		{State{Pressure: pressure("memory", 2)}, false, "pressure on memory 2 %"},
		{State{Pressure: pressure("cpu", 90)}, false, ""},
		{State{Pressure: pressure("cpu", 90)}, true, "pressure on processors 90 %"},
		{State{Pressure: pressure("io", 90)}, false, ""},
		{State{Pressure: pressure("io", 11)}, true, "pressure on disks 11 %"},
		{State{Steal: 3, Sync: 7}, true, "steal 3 %, disk sync 7 ms"},
	} {
		if got := c.state.why(c.idle); got != c.want {
			t.Errorf("%+v, idle %v: %q, want %q", c.state, c.idle, got, c.want)
		}
	}
}

// TestLookRefuses: what is not as Linux writes it is an error, not zero.
func TestLookRefuses(t *testing.T) {
	t.Parallel()
	good := func() fstest.MapFS { return machine(1, 1, 1, "1", stat("bench", 1, 1, 1)) }
	for name, spoil := range map[string]func(fstest.MapFS){
		"no stat":       func(m fstest.MapFS) { delete(m, "stat") },
		"short stat":    func(m fstest.MapFS) { m["stat"].Data = []byte("cpu 1 2 3\n") },
		"no number":     func(m fstest.MapFS) { m["stat"].Data = []byte("cpu a 0 0 0 0 0 0 0\n") },
		"no total":      func(m fstest.MapFS) { m["pressure/io"].Data = []byte("some avg10=0.00\n") },
		"no load":       func(m fstest.MapFS) { delete(m, "loadavg") },
		"no process":    func(m fstest.MapFS) { delete(m, "10/stat") },
		"spoilt self":   func(m fstest.MapFS) { m["10/stat"].Data = []byte("10 bench") },
		"short process": func(m fstest.MapFS) { m["10/stat"].Data = []byte("10 (bench) S 1") },
	} {
		m := good()
		spoil(m)
		if _, err := Look(m, 10, time.Now()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestWatch: this machine can be watched. What it is like, this test can't know.
func TestWatch(t *testing.T) {
	t.Parallel()
	w, before, err := Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if before.Sync <= 0 {
		t.Errorf("no write was timed: %s", before)
	}
	then := time.Now()
	state, err := w.Since(then)
	if err != nil || state.Load < 0 {
		t.Errorf("%s, %v", state, err)
	}
	t.Logf("before: %s\nnow: %s", before, state)
	w.Stop()
}
