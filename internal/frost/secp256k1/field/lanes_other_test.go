//go:build !amd64 || purego

package field

import "testing"

func withoutIFMA(*testing.T) {}
