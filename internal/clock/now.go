//go:build !chaosclock

package clock

import "time"

// Now is the time of day.
func Now() time.Time { return time.Now() }
