package natsconn

import (
	"fmt"
	"regexp"
	"strconv"
)

// MinVersion is the oldest NATS server that works. Followers read streams with
// direct gets of many messages at once (ADR-31), which came with 2.11: an older
// server takes the question for one about a single message and never says that
// it is done. Everything else that the fleet uses is older.
const (
	MinVersion = "2.11.0"

	minMajor, minMinor     = 2, 11
	batchMajor, batchMinor = 2, 12
)

var versionPattern = regexp.MustCompile(`^v?(\d{1,9})\.(\d{1,9})\.`)

// checkVersion refuses a server that is too old. One whose version is no number
// is somebody's own build, and is taken.
func (c *Conn) checkVersion() error {
	have := c.ConnectedServerVersion()
	if isFrom(have, minMajor, minMinor) {
		return nil
	}
	return fmt.Errorf("%s (%s) is nats-server %.32s, and %s or newer is needed: upgrade every server of the cluster",
		c.Server(), c.ConnectedUrlRedacted(), have, MinVersion)
}

// isFrom reports whether a server is of a version or newer.
func isFrom(have string, wantMajor, wantMinor int) bool {
	parts := versionPattern.FindStringSubmatch(have)
	if parts == nil {
		return true
	}
	major, _ := strconv.Atoi(parts[1]) // digits, by the pattern
	minor, _ := strconv.Atoi(parts[2])
	return major > wantMajor || major == wantMajor && minor >= wantMinor
}

// HasBatches reports whether the server knows of atomic batches, which came with 2.12. An
// older one would store each message of a batch for itself. That of a stream's leader may be
// older than the one that this connection is to: its answer says so.
func (c *Conn) HasBatches() bool { return isFrom(c.ConnectedServerVersion(), batchMajor, batchMinor) }
