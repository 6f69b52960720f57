//go:build !linux

package loadgen

import "time"

func rest(d time.Duration) { time.Sleep(d) }
