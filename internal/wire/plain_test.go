package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestPlainRefusals: a refusal is read by people who don't write Go.
func TestPlainRefusals(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	good, err := json.Marshal(Job{
		ID: "0198c0de-7a10-7cc3-98c4-dc0c0c07398f", Kind: KindKeygen, Chain: "solana", Count: 1, Expires: now.Add(time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	for count, want := range map[string]string{
		"1.0": `field "count" is 1.0, want a whole number`, "1e3": `field "count" is 1e3, want a whole number`,
		`"1"`: `field "count" is a JSON string, want a whole number`, "99999999999999999999": `want a whole number`,
		"1e400": "want a whole number", "NaN": "not JSON, at byte",
		`1,"expires":"tomorrow"`:         `"tomorrow" is not a time as RFC 3339 writes it`,
		`1,"expires":1767323045`:         `a time is a JSON string, such as "2026-01-31T12:30:00Z"`,
		`1,"expires":"31.01.2026 12:30"`: "such as 2026-01-31T12:30:00Z",
		"1,":                             "not JSON, at byte", "": "not JSON, at byte", `1,"colour":1`: `unknown field "colour"`,
	} {
		payload := strings.Replace(string(good), `"count":1`, `"count":`+count, 1)
		if strings.Contains(count, "expires") {
			payload = strings.Replace(payload, `"expires":"2026-01-02T03:05:05Z",`, "", 1)
		}
		_, refusal := SignedJob{Client: "alice", Kind: KindKeygen, Payload: []byte(payload)}.Parse(now)
		if refusal == nil || refusal.Code != CodeMalformedJob || !strings.Contains(refusal.Reason, want) ||
			strings.Contains(refusal.Reason, "Go ") || strings.Contains(refusal.Reason, "json:") ||
			strings.Contains(refusal.Reason, "2006") || strings.Contains(refusal.Reason, "Unmarshal") {
			t.Errorf("%s: %+v, want %s", payload, refusal, want)
		}
	}
	for payload, want := range map[string]string{
		"\xef\xbb\xbf" + string(good): "begins with a byte-order mark", "\xff\xfe{\x00": "is UTF-16", "\xfe\xff\x00{": "is UTF-16",
	} {
		_, refusal := SignedJob{Client: "alice", Kind: KindKeygen, Payload: []byte(payload)}.Parse(now)
		if refusal == nil || refusal.Code != CodeMalformedJob || !strings.Contains(refusal.Reason, want) {
			t.Errorf("%q: %+v, want %s", payload, refusal, want)
		}
	}
}

// A job may list a thousand keys, which are read in one step of a machine.
func TestKeyIDIsReadInPlace(t *testing.T) {
	id := KeyID{strings.Repeat("0", 32), 999}.String()
	if n := testing.AllocsPerRun(100, func() { _, _ = ParseKeyID(id) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestKeyIDOutOfRange(t *testing.T) {
	for id, want := range map[string]string{
		strings.Repeat("0", 32) + ".99999": "there is no index 99999, a batch has at most 1000 keys",
		strings.Repeat("0", 32) + ".1000":  "there is no index 1000",
		strings.Repeat("0", 32) + ".01":    "is not <32 hexadecimal digits>.<index>",
		strings.Repeat("0", 32) + ".-1":    "there is no index -1",
		strings.Repeat("0", 31) + ".1":     "is not <32 hexadecimal digits>.<index>",
	} {
		if _, err := ParseKeyID(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
}
