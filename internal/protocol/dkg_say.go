package protocol

import "time"

// What a node says in the rounds counts if its session key was good at the time at which
// the bus stored it. A node whose clock is wrong can't know: its key is dated ahead or
// back, every reader passes over what it sealed, and goes on doing so when the clock is
// right again. All others would wait for it until the job expires. So a node reads its
// own slots as everybody does, and says again what does not count there: the same words,
// sealed by the key that it has by then. Certificates need none of this: they prove
// themselves.

// utterance is the deal or the abort that a node published last.
type utterance struct {
	publish Publish
	at      time.Time // when it was published last, by the node's clock
	pause   time.Duration
	ignored bool // the slot got something since then that does not count
}

// Pauses before something is said again: as long as it has been in vain, about. Junk stays
// in the rounds, so a clock that stays wrong must not fill them: the deals of 8 batches, 512
// KiB each, said again every 2 minutes, take 140 MiB of their 1 GiB in 70 minutes.
const (
	sayAgainAfter = 2 * time.Second
	sayAgainMost  = 2 * time.Minute
)

func utter(p Publish, now time.Time) *utterance {
	return &utterance{publish: p, at: now, pause: sayAgainAfter}
}

// again is the message once more, if it does not count and it is time. The slot may have
// a value by then, which the publisher finds.
func (u *utterance) again(now time.Time) []Effect {
	if u == nil || !u.ignored || now.Sub(u.at).Abs() < u.pause {
		return nil
	}
	u.at, u.pause, u.ignored = now, min(2*u.pause, sayAgainMost), false
	return []Effect{u.publish}
}
