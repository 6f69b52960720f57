package fitness

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/stat and /proc/PID/stat, as Linux shows it to programs.
const tick = 10 * time.Millisecond

// Look reads a sample out of a folder like /proc. The benchmark's processes are that of
// the id self, its children and theirs, and those that they waited for.
func Look(proc fs.FS, self int, now time.Time) (Sample, error) {
	s := Sample{At: now}
	if err := s.readStat(proc); err != nil {
		return s, err
	}
	own, err := ownTime(proc, self)
	if err != nil {
		return s, err
	}
	s.Own = own
	if err := s.readPressure(proc); err != nil {
		return s, err
	}
	text, err := fs.ReadFile(proc, "loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(text), &s.Load)
	}
	return s, err
}

// readStat reads the first line of stat: user nice system idle iowait irq softirq steal.
func (s *Sample) readStat(proc fs.FS) error {
	text, err := fs.ReadFile(proc, "stat")
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return fmt.Errorf("stat begins with %.80q", line)
	}
	var times [8]time.Duration
	for i := range times {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return fmt.Errorf("stat: %w", err)
		}
		times[i] = time.Duration(n) * tick
		s.Total += times[i]
	}
	s.Busy, s.Steal = times[0]+times[1]+times[2], times[7]
	return nil
}

// readPressure reads how long something waited, of each resource.
func (s *Sample) readPressure(proc fs.FS) error {
	for _, resource := range []string{"cpu", "io", "memory"} {
		text, err := fs.ReadFile(proc, "pressure/"+resource)
		if err != nil { // a kernel without PSI, or with PSI switched off (EOPNOTSUPP)
			s.Waited = nil
			return nil
		}
		line, _, _ := strings.Cut(string(text), "\n")
		some, total, found := strings.Cut(line, "total=")
		micros, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
		if !found || err != nil || !strings.HasPrefix(some, "some ") {
			return fmt.Errorf("pressure/%s begins with %.80q", resource, line)
		}
		if s.Waited == nil {
			s.Waited = map[string]time.Duration{}
		}
		s.Waited[resource] = time.Duration(micros) * time.Microsecond
	}
	return nil
}

// process is what a line of PID/stat says.
type process struct {
	parent int
	used   time.Duration // its children that ended included
}

// ownTime is what a process and its descendants used.
func ownTime(proc fs.FS, self int) (time.Duration, error) {
	entries, err := fs.ReadDir(proc, ".")
	if err != nil {
		return 0, err
	}
	all := map[int]process{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		text, err := fs.ReadFile(proc, entry.Name()+"/stat")
		if err != nil {
			continue // it ended
		}
		if all[pid], err = parseProcess(string(text)); err != nil {
			return 0, fmt.Errorf("process %d: %w", pid, err)
		}
	}
	if _, found := all[self]; !found {
		return 0, fmt.Errorf("no process %d", self)
	}
	var sum time.Duration
	for pid, p := range all {
		if descends(all, pid, self) {
			sum += p.used
		}
	}
	return sum, nil
}

// descends reports whether a process is self or below it. Parents that changed meanwhile
// can make no circle of more steps than there are processes.
func descends(all map[int]process, pid, self int) bool {
	for range len(all) {
		if pid == self {
			return true
		}
		p, found := all[pid]
		if !found {
			return false
		}
		pid = p.parent
	}
	return false
}

func parseProcess(text string) (p process, err error) {
	at := strings.LastIndex(text, ") ") // the name before it may have anything
	if at < 0 {
		return p, errors.New("stat without a name")
	}
	fields := strings.Fields(text[at+2:])
	if len(fields) < 15 {
		return p, fmt.Errorf("stat has %d fields after the name", len(fields))
	}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return p, err
	}
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return p, err
		}
		p.used += time.Duration(n) * tick
	}
	return p, nil
}
