package main

import "testing"

// TestReshareTurns: a pause is obeyed whenever it came after this command's own word, even
// before the command saw keys move; an older pause, and one that a replica still shows, is not
// somebody else's.
func TestReshareTurns(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		state reshareState
		told  uint64
		ran   bool
		want  turn
	}{
		"approvals are missing":                   {reshareState{Needed: 2, NeededBy: 2}, 0, false, turnWait},
		"a node of the next fleet is missing":     {reshareState{Succeeds: true, Absent: []int{1}}, 7, false, turnWait},
		"nobody has said that keys move":          {reshareState{Succeeds: true}, 0, false, turnRun},
		"somebody paused before this command":     {reshareState{Succeeds: true, said: 6}, 0, false, turnRun},
		"a replica does not show the word yet":    {reshareState{Succeeds: true, said: 6}, 7, false, turnHeard},
		"paused before keys were seen to move":    {reshareState{Succeeds: true, said: 8}, 7, false, turnPaused},
		"paused while they move":                  {reshareState{Succeeds: true, said: 8}, 7, true, turnPaused},
		"paused while they move, begun elsewhere": {reshareState{Succeeds: true, said: 8}, 0, true, turnPaused},
		"they move":      {reshareState{Succeeds: true, said: 7, Running: true, Left: 3}, 7, true, turnShow},
		"all have moved": {reshareState{Succeeds: true, said: 7, Running: true, Moved: 3}, 7, true, turnDone},
	} {
		if got := c.state.turn(c.told, c.ran); got != c.want {
			t.Errorf("%s: %d, want %d", what, got, c.want)
		}
	}
}
