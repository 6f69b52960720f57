package reload

import (
	"fmt"
	"testing"
)

// TestRestless: files that are others at each look never stand still. That is said, and shows
// in what is refused, until they do; whoever asks has them judged as they are.
func TestRestless(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		first := &stand{t: t, dir: dir}
		first.both("one")
		s := begin(t, dir)
		s.want("at first", "one", `msg=reloaded`, "")
		for i := range restless - 1 {
			s.both(fmt.Sprint("n", i))
			s.looks(1)
		}
		s.want("changing", "one", "", "")
		s.both("again")
		s.looks(1)
		s.want("all the time", "one", `level=ERROR msg="not reloaded`, "written anew all the time")
		for i := range 5 {
			s.both(fmt.Sprint("m", i))
			s.looks(1)
		}
		s.want("said once", "one", "", "written anew all the time")
		s.both("asked")
		s.ask()
		s.want("somebody asks", "one asked", "msg=reloaded", "")
		s.both("two")
		s.looks(2)
		s.want("stands still", "one asked two", "msg=reloaded", "")
	})
}
