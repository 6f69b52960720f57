package bench_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/frostfleet/frostfleet/test/benchreport"
)

// BenchmarkBaselines compares the mathematics of 2-of-3 with that of other Go
// libraries, in processor time on one core and in turns, so that the ratios hold
// on any machine: above 1, Frostfleet is that many times faster.
func BenchmarkBaselines(b *testing.B) {
	dkg, frost := buildBaseline(b, "baseline"), buildBaseline(b, "baseline-frost")
	compare(b, "ratio_to_bytemare_dkg", "keygen-bitcoin", ">= 230", dkg, "-suite", "secp256k1", "-count", "30")
	compare(b, "ratio_to_bytemare_dkg_ed25519", "keygen-solana", "", dkg, "-suite", "ed25519", "-count", "600")
	compare(b, "ratio_to_bytemare_frost_ed25519", "sign-solana", "", frost, "-count", "2000")
}

// buildBaseline builds a module of bench/, which is none of this one's
// dependencies.
func buildBaseline(b *testing.B, module string) string {
	b.Helper()
	bin := filepath.Join(b.TempDir(), module)
	dir := filepath.Join("..", "..", "bench", module)
	if text, err := exec.Command("go", "build", "-C", dir, "-o", bin, ".").CombinedOutput(); err != nil {
		b.Fatalf("building %s: %v: %s", dir, err, text)
	}
	return bin
}

// compare records how many times faster a work of floorWork is than another program's.
func compare(b *testing.B, name, work, goal, bin string, args ...string) {
	b.Helper()
	ratio := 1 / costRatio(b, name, work, bin, args)
	results.Record(name, ratio, "ratio", goal)
}

// costRatio is the processor time of one item of a work to that in another program, the
// median of turns.
func costRatio(b *testing.B, name, work, bin string, args []string) float64 {
	b.Helper()
	var ratios []float64
	for range rounds {
		ours := measureFloor(b, work, 1).cpuMicros / 1000
		theirs := baseline(b, bin, args)
		results.Say("%s: %.3f ms, theirs %.3f ms", name, ours, theirs)
		ratios = append(ratios, ours/theirs)
	}
	return benchreport.Median(ratios)
}

// baseline is what one item costs there, in milliseconds of processor time.
func baseline(b *testing.B, bin string, args []string) float64 {
	b.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v: %s", bin, err, &stderr)
	}
	var answer struct {
		Each float64 `json:"cpu_ms_each"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Each <= 0 {
		b.Fatalf("%s: %v: %s", bin, err, text)
	}
	return answer.Each
}
