package main

import (
	"errors"
	"time"
)

// timeFlag is a flag whose value is a time: a day or an instant of RFC 3339, in UTC where it
// says nothing else, or a duration, which is so long ago.
type timeFlag time.Time

func (t *timeFlag) Set(text string) error {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			*t = timeFlag(at)
			return nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		*t = timeFlag(time.Now().Add(-ago))
		return nil
	}
	return errors.New("want a day such as 2026-01-31, a time such as 2026-01-31T12:00:00Z, or 36h for so long ago")
}

func (t *timeFlag) String() string { return instant(time.Time(*t)) }

// Type is shown in help texts.
func (*timeFlag) Type() string { return "time" }
