package docs

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestControl: CONTROL is kept for ever, and holds what every administrator may store in
// it, so that none of them fills it for the others; and the page says how much that is.
func TestControl(t *testing.T) {
	var declared struct {
		Streams []map[string]any `json:"streams"`
	}
	if err := json.Unmarshal([]byte(page(t, "../nats/streams.json")), &declared); err != nil {
		t.Fatal(err)
	}
	for _, s := range declared.Streams {
		if s["name"] != "CONTROL" {
			continue
		}
		for key, want := range map[string]any{
			"storage": "file", "discard": "new", "discard_new_per_subject": true, "max_msgs_per_subject": 4096.0,
			"max_msg_size": "4KiB", "max_bytes": "320MiB", "deny_delete": true, "deny_purge": true, "max_age": nil,
		} {
			if s[key] != want {
				t.Errorf("CONTROL: %s is %v, want %v", key, s[key], want)
			}
		}
		const overhead = 256 // of a message in the store: subject, headers, checksum
		if room := wire.MaxAdministrators * 4096 * (4<<10 + overhead); room > 320<<20 {
			t.Errorf("administrators may store %d bytes, and CONTROL has %d", room, 320<<20)
		}
		if wire.MaxFreeze != 4<<10 || wire.MaxFreezesOfOne != 256 || wire.MaxLifts != 32 || wire.MaxFreezeReason != 256 {
			t.Error("bounds of freezes are others than the pages say")
		}
		if text := page(t, "freeze.md"); !strings.Contains(text, "256 freezes in force, and for 4,096 messages") {
			t.Error("freeze.md does not say how much an administrator has room for")
		}
		return
	}
	t.Error("CONTROL is not declared")
}
