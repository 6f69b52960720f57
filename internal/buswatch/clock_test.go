package buswatch

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	const ms = time.Millisecond
	many := func(n int, r reading) (out []reading) {
		for range n {
			out = append(out, r)
		}
		return out
	}
	tests := []struct {
		name     string
		readings []reading
		want     time.Duration
	}{
		{"no reading", nil, 0},
		{"too small to tell", []reading{{5 * ms, 10 * ms}}, 0},
		{"too small to tell, behind", []reading{{-5 * ms, 10 * ms}}, 0},
		{"told", []reading{{6 * ms, 10 * ms}}, 6 * ms},
		{"the quickest answer tells the most", []reading{{40 * ms, 80 * ms}, {9 * ms, 4 * ms}, {30 * ms, 60 * ms}}, 9 * ms},
		{"a slow answer does not hide a difference", []reading{{9 * ms, 4 * ms}, {100 * ms, 200 * ms}}, 9 * ms},
		{"a clock was set", []reading{{0, 1 * ms}, {time.Second, 20 * ms}}, time.Second},
		{"and back", []reading{{time.Second, 1 * ms}, {0, 20 * ms}}, 0},
		{"an old reading is forgotten", append([]reading{{9 * ms, 4 * ms}}, many(clockReadings, reading{11 * ms, 8 * ms})...), 11 * ms},
		{"and not before", append([]reading{{9 * ms, 4 * ms}}, many(clockReadings-1, reading{11 * ms, 8 * ms})...), 9 * ms},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c clock
			for _, r := range test.readings {
				c.add(r)
			}
			if got := c.offset(); got != test.want {
				t.Errorf("offset %v, want %v", got, test.want)
			}
		})
	}
}

// This machine's clock is 90 s ahead, the way takes 10 ms there and 30 ms back.
func TestReadingErrsByHalfTheRoundTrip(t *testing.T) {
	server := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	asked := server.Add(90*time.Second - 10*time.Millisecond)
	r := newReading(asked, 40*time.Millisecond, server)
	if wrong := (r.offset - 90*time.Second).Abs(); wrong > 20*time.Millisecond {
		t.Errorf("offset %v is wrong by %v", r.offset, wrong)
	}
}
