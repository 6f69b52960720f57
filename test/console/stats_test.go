package console_test

import (
	"math"
	"time"
)

// stats are figures of a quarter of an hour, with a rise and a gap in them.
func stats(now time.Time) object {
	var items, jobs, median, p99, none, keys []any
	for i := range 180 {
		n := math.Round(600 + 400*math.Sin(float64(i)/20) + 60*math.Sin(float64(i)*1.7))
		items, jobs, none = append(items, n), append(jobs, math.Round(n/20)), append(none, 0)
		keys = append(keys, math.Max(0, math.Round(300*math.Sin(float64(i)/15))))
		if i > 60 && i < 70 {
			median, p99 = append(median, nil), append(p99, nil)
			continue
		}
		median, p99 = append(median, 0.08+n/20000), append(p99, 0.2+n/8000)
	}
	return object{
		"step": 5, "until": now.Format(time.RFC3339),
		"kinds": []object{
			{"kind": "sign", "items": items, "jobs": jobs, "median": median, "p99": p99},
			{"kind": "keygen", "items": keys, "jobs": none, "median": none, "p99": none},
		},
		"failures": []object{{"code": "signing_failed", "count": 2}, {"code": "policy_denied", "count": 1}},
		"denials":  []object{{"rule": "treasury: destination", "count": 1}},
	}
}
