package bus

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/natsserver"
)

// childStore makes this program a NATS server on the folder that it names, until its standard
// input ends.
const childStore = "FROSTFLEET_TEST_STORE"

func serveChild(dir string) {
	s, err := natsserver.Start(natsserver.Config{StoreDir: dir, Port: -1, SyncAlways: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.URL())
	_, _ = os.Stdin.Read(make([]byte, 1))
	s.Shutdown()
}

// childServer runs a server in a process of its own.
func childServer(b *testing.B) (url string, pid int) {
	b.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childStore+"="+b.TempDir())
	child.Stderr = os.Stderr
	in, errIn := child.StdinPipe()
	out, errOut := child.StdoutPipe()
	if errIn != nil || errOut != nil {
		b.Fatal(errIn, errOut)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = child.Wait()
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(url), child.Process.Pid
}

// cpuOf is the processor time of a process, as /proc has it, and ownCPU this one's.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	var user, system int64
	if _, err := fmt.Sscan(strings.Join(strings.Fields(after)[11:13], " "), &user, &system); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkTogether has a gateway's bus store results of jobs with one item, so many at about
// the same time, alone and in batches, in turns on one server with a sync for each write.
func BenchmarkTogether(b *testing.B) {
	for _, many := range []int{1, 8, 32, 64, 256, 1000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			url, pid := childServer(b)
			sides := []*togetherSide{{name: "alone"}, {name: "together"}}
			for _, s := range sides {
				s.bus = connectTest(b, url, func(o *Options) { o.Fleet = s.name; o.MaxInFlight = 1024 })
				if err := s.bus.Apply(testContext(b)); err != nil {
					b.Fatal(err)
				}
			}
			sides[0].bus.together = nil
			rounds := 0
			for b.Loop() {
				for _, s := range sides {
					s.round(b, pid, many, rounds)
				}
				rounds++
			}
			for _, s := range sides {
				n := float64(rounds * many)
				b.ReportMetric(n/s.wall.Seconds(), s.name+"-msg/s")
				b.ReportMetric(float64(s.server.Microseconds())/n, s.name+"-bus-cpu-µs")
				b.ReportMetric(float64(s.own.Microseconds())/n, s.name+"-gateway-cpu-µs")
				b.ReportMetric(float64(s.sum.Microseconds())/n, s.name+"-mean-µs")
			}
		})
	}
}

type togetherSide struct {
	name string
	bus  *Bus

	wall, server, own, sum time.Duration
}

func (s *togetherSide) round(b *testing.B, pid, many, round int) {
	payload := bytes.Repeat([]byte{'1'}, 1000)
	server, own, start := cpuOf(b, pid), ownCPU(b), time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	for i := range many {
		all.Go(func() {
			begun := time.Now()
			if _, err := s.bus.Publish(b.Context(), fmt.Sprintf("res.c.%d-%d", round, i), payload, nil); err != nil {
				b.Error(err)
			}
			mu.Lock()
			s.sum += time.Since(begun)
			mu.Unlock()
		})
	}
	all.Wait()
	s.wall += time.Since(start)
	s.server += cpuOf(b, pid) - server
	s.own += ownCPU(b) - own
}
