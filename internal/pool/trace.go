package pool

import (
	"fmt"
	"runtime"
	"strings"
)

// Trace tells where a recovered panic came from: functions and lines, and no
// values. A stack as Go prints it has arguments in it, and those may be secret.
func Trace() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	var out strings.Builder
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&out, "%s:%d ", f.Function, f.Line)
		}
		if !more {
			return strings.TrimSpace(out.String())
		}
	}
}
