package bench_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The mathematics alone are what internal/frost does for an item, as all nodes, the gateway
// and the client: no bus, disk, encoding of messages, nor signatures of messages. They are
// measured in processes of this test binary, with one thread each.

// measured is what one process did.
type measured struct {
	Items   int     `json:"items"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"` // seconds
	Mallocs uint64  `json:"mallocs"`
	Bytes   uint64  `json:"bytes"` // allocated
	Ideal   float64 `json:"ideal"` // microseconds of an item, of a child that sums up costs
}

// floor is what all cores did.
type floor struct {
	perSecond float64 // items
	cpuMicros float64 // per item
	mallocs   float64 // per item
	bytes     float64 // per item
}

// floorTime is how long a floor is measured, or one operation if that takes
// longer.
const floorTime = 1500 * time.Millisecond

// measureFloor runs the work on so many processes at the same time.
func measureFloor(b *testing.B, work string, processes int) floor {
	b.Helper()
	children := make([]*child, processes)
	for i := range children {
		children[i] = startChild(b, work)
	}
	for _, c := range children {
		c.await(b)
	}
	for _, c := range children {
		c.release(b)
	}
	var f floor
	var items, cpu, mallocs, bytes float64
	for _, c := range children {
		m := c.result(b)
		f.perSecond += float64(m.Items) / m.Seconds
		items += float64(m.Items)
		cpu += m.CPU
		mallocs += float64(m.Mallocs)
		bytes += float64(m.Bytes)
	}
	f.cpuMicros, f.mallocs, f.bytes = cpu*1e6/items, mallocs/items, bytes/items
	return f
}

// cores is how many processes a floor is measured with.
var cores = runtime.NumCPU()

// child is a process that prepares, says so, waits for the start and measures.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr bytes.Buffer
}

func startChild(b *testing.B, work string) *child {
	b.Helper()
	c := &child{cmd: exec.Command(os.Args[0], "-floor", work)}
	c.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	c.cmd.Stderr = &c.stderr
	stdin, errIn := c.cmd.StdinPipe()
	stdout, errOut := c.cmd.StdoutPipe()
	if errIn != nil || errOut != nil {
		b.Fatal(errIn, errOut)
	}
	c.stdin, c.stdout = stdin, bufio.NewReader(stdout)
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c
}

const ready = "ready\n"

func (c *child) await(b *testing.B) {
	b.Helper()
	if line, err := c.stdout.ReadString('\n'); line != ready {
		_ = c.cmd.Wait()
		b.Fatalf("floor: %q, %v: %s", line, err, &c.stderr)
	}
}

func (c *child) release(b *testing.B) {
	b.Helper()
	if err := c.stdin.Close(); err != nil {
		b.Fatal(err)
	}
}

func (c *child) result(b *testing.B) (m measured) {
	b.Helper()
	err := json.NewDecoder(c.stdout).Decode(&m)
	if wait := c.cmd.Wait(); wait != nil || err != nil {
		b.Fatalf("floor: %v, %v: %s", err, wait, &c.stderr)
	}
	return m
}

// floorInChild is the other side of child.
func floorInChild(name string) (m measured, err error) {
	if work, found := strings.CutPrefix(name, costsOf); found {
		fmt.Print(ready)
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return m, err
		}
		m.Ideal, err = idealCost(work, costRounds, costTime)
		return m, err
	}
	prepare := floorWork[name]
	if prepare == nil {
		return m, fmt.Errorf("no floor for %q", name)
	}
	work, err := prepare()
	if err != nil {
		return m, err
	}
	runtime.GC()
	fmt.Print(ready)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return m, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu := time.Now(), ownCPU()
	for time.Since(start) < floorTime {
		items, err := work()
		if err != nil {
			return m, err
		}
		m.Items += items
	}
	m.Seconds, m.CPU = time.Since(start).Seconds(), (ownCPU() - cpu).Seconds()
	runtime.ReadMemStats(&after)
	m.Mallocs, m.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return m, nil
}

// ownCPU is what this process used, in all its threads.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
