package monitor

import (
	"errors"
	"strings"
	"testing"
)

// What can't be done is refused with words that help, and changes nothing. A
// fleet that is not there would not survive being asked.
func TestCommandsRefused(t *testing.T) {
	for line, want := range map[string]string{
		"kill":            `"" is no node: use 0 to 3, or gateway`,
		"kill 4":          `"4" is no node`,
		"start 1":         "node1 runs",
		"start gateway":   "gateway runs",
		"slow":            "needs the number of a node",
		"slow -1":         `"-1" is no node`,
		"slow 1 soon":     `"soon" is no time above 0`,
		"slow 1 0s":       "no time above 0",
		"throttle 1 2":    "needs the number of a node",
		"full WORK":       "use KEYS or RESULTS",
		"free":            "no stream is full",
		"fast 2":          "fast takes no argument",
		"pause for a bit": "pause takes no argument",
		"explode":         "no such command: explode; try help",
	} {
		t.Run(line, func(t *testing.T) {
			said, err := new(Stand).Do(t.Context(), line)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("said %q, %v; want the error %q", said, err, want)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	s := new(Stand)
	if said, err := s.Do(t.Context(), "  "); said != "" || err != nil {
		t.Errorf("nothing is answered by %q, %v", said, err)
	}
	if said, err := s.Do(t.Context(), "help"); said != Help || err != nil {
		t.Errorf("help is answered by %q, %v", said, err)
	}
	if _, err := s.Do(t.Context(), "quit"); !errors.Is(err, ErrQuit) {
		t.Errorf("quit: %v", err)
	}
}
