package buswatch

import (
	"fmt"
	"testing"
	"time"
)

func TestLag(t *testing.T) {
	start := time.Unix(1000, 0)
	type step struct {
		at                   int // seconds
		id                   string
		first, last, handled uint64
		behind               uint64
		since                int // seconds
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"an empty stream", []step{{0, "a", 0, 0, 0, 0, 0}, {10, "a", 0, 0, 0, 0, 0}}},
		{"never behind", []step{{0, "a", 1, 5, 5, 0, 0}, {10, "a", 1, 9, 9, 0, 0}}},
		{"read further than the sample tells", []step{{0, "a", 1, 5, 7, 0, 0}}},
		{"just stored", []step{{0, "a", 1, 5, 5, 0, 0}, {10, "a", 1, 6, 5, 1, 0}, {20, "a", 1, 6, 6, 0, 0}}},
		{"stuck", []step{{0, "a", 1, 5, 5, 0, 0}, {10, "a", 1, 6, 5, 1, 0}, {20, "a", 1, 8, 5, 3, 10}, {70, "a", 1, 8, 5, 3, 60}}},
		{"slow: reads what was stored 20 s ago", []step{{0, "a", 1, 10, 0, 10, 0}, {10, "a", 1, 20, 0, 20, 10},
			{20, "a", 1, 30, 10, 20, 10}, {30, "a", 1, 40, 15, 25, 20}, {40, "a", 1, 50, 20, 30, 20}}},
		{"comes back", []step{{0, "a", 1, 9, 0, 9, 0}, {60, "a", 1, 9, 3, 6, 60}, {70, "a", 1, 9, 9, 0, 0}, {80, "a", 1, 12, 9, 3, 0}}},
		{"what is not stored any more need not be read", []step{{0, "a", 1, 9, 0, 9, 0}, {10, "a", 8, 9, 0, 2, 10}, {20, "a", 10, 9, 0, 0, 0}}},
		{"the stream was made anew", []step{{0, "a", 1, 900, 3, 897, 0}, {10, "b", 1, 2, 0, 2, 0}, {20, "b", 1, 2, 2, 0, 0}}},
		{"the stream was made anew and is longer", []step{{0, "a", 1, 9, 3, 6, 0}, {10, "b", 1, 20, 3, 17, 0}}},
		{"the stream lost its end", []step{{0, "a", 1, 900, 3, 897, 0}, {10, "a", 1, 2, 0, 2, 0}}},
		{"reading began again", []step{{0, "a", 1, 9, 9, 0, 0}, {10, "a", 1, 9, 0, 9, 0}, {40, "a", 1, 9, 0, 9, 30}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var l lag
			for _, s := range test.steps {
				now := start.Add(time.Duration(s.at) * time.Second)
				l.extend(end{now, s.id, s.first, s.last})
				behind, since := l.behind(now, s.handled)
				if behind != s.behind || since != time.Duration(s.since)*time.Second {
					t.Errorf("after %d s: %d messages for %v, want %d for %d s", s.at, behind, since, s.behind, s.since)
				}
			}
		})
	}
}

// A reader that stands still for a day is told so, within bounded memory; and
// when it comes back, the age of what it reads is right to a twentieth.
func TestLagIsBounded(t *testing.T) {
	var l lag
	start := time.Unix(0, 0)
	const samples = 8640 // every 10 s
	for i := range samples {
		now := start.Add(time.Duration(i) * 10 * time.Second)
		l.extend(end{now, "a", 1, uint64(i + 1)})
		if behind, since := l.behind(now, 0); behind != uint64(i+1) || since != now.Sub(start) {
			t.Fatalf("sample %d: %d messages for %v", i, behind, since)
		}
		if len(l.marks) > maxMarks {
			t.Fatalf("%d marks", len(l.marks))
		}
	}
	end := start.Add(samples * 10 * time.Second)
	for handled := uint64(0); handled < samples; handled += 500 {
		t.Run(fmt.Sprint(handled), func(t *testing.T) {
			behind, since := l.behind(end, handled)
			want := end.Sub(start.Add(time.Duration(handled) * 10 * time.Second))
			if behind != samples-handled || since > want || want-since > 24*time.Hour/20 {
				t.Errorf("%d messages for %v, want %d for %v", behind, since, samples-handled, want)
			}
		})
	}
}
