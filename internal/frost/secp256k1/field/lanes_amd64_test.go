//go:build amd64 && !purego

package field

import "testing"

// withoutIFMA does all of a test in Go. Tests of this package run one after the other.
func withoutIFMA(t *testing.T) {
	before := ifma
	ifma = false
	t.Cleanup(func() { ifma = before })
}
