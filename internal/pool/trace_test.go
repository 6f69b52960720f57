package pool

import (
	"strings"
	"testing"
)

func TestTraceNamesThePanicAndNoValue(t *testing.T) {
	secret := [4]uint64{0xdeadbeefcafe, 1, 2, 3}
	var trace string
	func() {
		defer func() {
			if recover() != nil {
				trace = Trace()
			}
		}()
		breakWith(secret)
	}()
	if !strings.Contains(trace, "pool.breakWith:") || !strings.Contains(trace, "TestTraceNamesThePanicAndNoValue") {
		t.Errorf("trace %q does not say where", trace)
	}
	if strings.Contains(trace, "deadbeef") {
		t.Errorf("trace %q has a value in it", trace)
	}
}

//go:noinline
func breakWith(s [4]uint64) { panic(s) }
