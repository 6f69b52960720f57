package growth_test

import (
	"fmt"

	"github.com/frostfleet/frostfleet/test/benchreport"
)

var results = benchreport.New()

// million is the size that the goals are for. A smaller fleet's figures have
// its size in their names.
const million = 1_000_000

// What a worker may need, however many keys it has. A small fleet must keep
// to that too, and it fails the test; of a benchmark it is a goal.
const (
	maxMemory = 300 // MiB
	maxStart  = 5   // seconds
)

// sizeName ends the names of figures of a size.
func sizeName(keys int) string {
	if keys == million {
		return "_at_1m_keys"
	}
	return fmt.Sprintf("_at_%dk_keys", keys/1000)
}

// report makes figures of the steps: the last one's, and how they are to the
// first one's.
func report(all []step) {
	first, last := all[0], all[len(all)-1]
	at := sizeName(last.keys)
	keys := float64(last.keys)
	results.Record("worker_rss_mib"+at, last.memory.rss, "MiB", fmt.Sprintf("<= %d", maxMemory))
	results.Record("worker_rss_anonymous_mib"+at, last.memory.anonymous, "MiB", "")
	results.RecordSpeed("start_seconds"+at, last.start.Seconds(), "s", fmt.Sprintf("<= %d", maxStart))
	results.Record("start_cpu_seconds"+at, last.startCPU.Seconds(), "s", "")
	results.Record("single_sign_p50_ms"+at, ms(last.signP50), "ms", "")
	results.Record("single_sign_p99_ms"+at, ms(last.signP99), "ms", "")
	results.Record("disk_bytes_per_key_log", float64(last.log)/keys, "B", "<= 550")
	results.Record("disk_bytes_per_key_keystore", float64(last.store)/keys, "B", "")
	results.Record("growth_time_per_key_ratio", ms(last.perKey)/ms(first.perKey), "ratio", "")
	results.Record("growth_cpu_per_key_ratio", ms(last.perKeyCPU)/ms(first.perKeyCPU), "ratio", "")
	results.Record("growth_sign_p50_ratio", ms(last.signP50)/ms(first.signP50), "ratio", "")
}
