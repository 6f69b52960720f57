package bench_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// BenchmarkZF compares what the fleet computes for a signature with ZF frost's Rust, in
// processor time on one core and in turns: below 1, Frostfleet takes less. On both sides
// t signers commit and sign and one aggregates and verifies, 1,000 signatures of 1,000
// keys at a time. Only ours has encodings of nonces, checks of them and of a signer's own
// shares, and decodes its keys.
func BenchmarkZF(b *testing.B) {
	works := []struct {
		name, goal, work, suite string
		t, n                    int
	}{
		{"ed25519_sign_cpu_ratio_to_zf_2_of_3", "<= 0.8", "fleet-solana", "ed25519", 2, 3},
		{"ed25519_sign_cpu_ratio_to_zf_16_of_24", "<= 0.8", "fleet-solana-16-of-24", "ed25519", 16, 24},
		{"taproot_sign_cpu_ratio_to_zf_2_of_3", "<= 0.25", "fleet-bitcoin", "secp256k1-tr", 2, 3},
	}
	bin := buildZF(b)
	for _, w := range works {
		args := []string{"sign", w.suite, strconv.Itoa(w.t), strconv.Itoa(w.n), "1000"}
		results.Record(w.name, costRatio(b, w.name, w.work, bin, args), "ratio", w.goal)
	}
}

// buildZF builds bench/baseline-zf where `make test` builds it, so that it is there the
// next time.
func buildZF(b *testing.B) string {
	b.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		b.Fatal(err)
	}
	target := filepath.Join(root, ".cache", "zf")
	cmd := exec.Command("cargo", "build", "--release", "--locked", "--quiet",
		"--manifest-path", filepath.Join(root, "bench", "baseline-zf", "Cargo.toml"), "--target-dir", target)
	if text, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("building ZF frost, which needs cargo 1.81 or later: %v: %s", err, text)
	}
	return filepath.Join(target, "release", "zf")
}
