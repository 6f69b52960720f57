//go:build amd64 && !purego

package field

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// withoutIFMA does all of a test in Go. Tests of this package run one after the other.
func withoutIFMA(t *testing.T) {
	before := ifma
	ifma = false
	t.Cleanup(func() { ifma = before })
}

// Without any part of AVX-512 that is used there are no lanes.
func TestPartsOfAVX512(t *testing.T) {
	const child = "FROSTFLEET_TEST_LANES"
	if os.Getenv(child) != "" {
		fmt.Println("lanes:", FastLanes())
		return
	}
	for _, part := range []string{"avx512f", "avx512bw", "avx512ifma"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPartsOfAVX512$")
		cmd.Env = append(os.Environ(), child+"=1", "GODEBUG=cpu."+part+"=off")
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), "lanes: false\n") {
			t.Errorf("without %s: %s, %v", part, out, err)
		}
	}
}

// No register that a lane or a mask may have been in is left out.
func TestWipesAllRegisters(t *testing.T) {
	src, err := os.ReadFile("lanes_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	_, wipe, _ := strings.Cut(string(src), "TEXT ·wipeIFMA(SB)")
	wipe = strings.Join(strings.Fields(wipe), " ")
	for i := range 32 {
		if clear := fmt.Sprintf(" VPXORQ Z%d, Z%[1]d, Z%[1]d ", i); !strings.Contains(wipe, clear) {
			t.Errorf("not there: %s", clear)
		}
	}
	for i := 1; i < 8; i++ {
		if clear := fmt.Sprintf(" KXORQ K%d, K%[1]d, K%[1]d ", i); !strings.Contains(wipe, clear) {
			t.Errorf("not there: %s", clear)
		}
	}
}
