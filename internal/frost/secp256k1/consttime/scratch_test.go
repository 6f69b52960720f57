package consttime

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"

	"golang.org/x/sys/unix"
)

func cpu() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return ts.Nano()
}

func TestScratch(t *testing.T) {
	if os.Getenv("SCRATCH") == "" {
		t.Skip()
	}
	runtime.LockOSThread()
	r := newRand(1)
	ns := []int{3, 4, 5, 6, 7, 8, 10, 16, 64, 256, 512, 1000}
	best := make([][2]float64, len(ns))
	for round := range 40 {
		for i, n := range ns {
			scalars := make([]*Scalar, n)
			for i := range scalars {
				scalars[i] = randomScalar(r)
			}
			f := func(w int) {
				s := cpu()
				if w == 0 {
					points := make([]vartime.Point, n)
					k := (n + block - 1) / block
					lanes := make([]lane, (n+k-1)/k)
					for from := 0; from < n; from += len(lanes) {
						m := min(len(lanes), n-from)
						multiply(lanes[:m], scalars[from:from+m], points[from:from+m])
					}
					clear(lanes)
				} else {
					for _, s := range scalars[:min(n, 20)] {
						baseMult(s)
					}
				}
				d := float64(cpu()-s) / 1e3
				if w == 0 {
					d /= float64(n)
				} else {
					d /= float64(min(n, 20))
				}
				if round == 0 || d < best[i][w] {
					best[i][w] = d
				}
			}
			f(0)
			f(1)
		}
	}
	for i, n := range ns {
		fmt.Printf("%5d  batched %7.2f  voi %7.2f  %.3f\n", n, best[i][0], best[i][1], best[i][0]/best[i][1])
	}
}
