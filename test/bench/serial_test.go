package bench_test

import (
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// serialShare is a figure of internal/protocol's BenchmarkSerialShare.
var serialShare = regexp.MustCompile(`([\d.]+) (serial_share_\w+_percent)`)

// BenchmarkSerial is how much of a gateway's and of a node's processor time is under its machine's lock, and so keeps
// more cores from doing more.
func BenchmarkSerial(b *testing.B) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkSerialShare$", "-benchtime", "1x", "../../internal/protocol")
	said, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, said)
	}
	goals := map[string]string{"serial_share_gateway_percent": "< 3", "serial_share_node_percent": "< 2"}
	for _, figure := range serialShare.FindAllStringSubmatch(string(said), -1) {
		share, err := strconv.ParseFloat(figure[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		results.Record(figure[2], share, "%", goals[figure[2]])
		delete(goals, figure[2])
	}
	if len(goals) > 0 {
		b.Fatalf("not measured: %v, in %s", goals, said)
	}
}
