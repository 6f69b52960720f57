package config

import (
	"fmt"

	"github.com/frostfleet/frostfleet/internal/exit"
)

// Exit is the section [exit]: whether this node gives its shares away, and to whom. It is
// left out by default, and then the node never does.
type Exit struct {
	Allow     bool   `toml:"allow"`
	Recipient string `toml:"recipient"` // of the one ceremony that may have them: age1...
}

func (e *Exit) check(s *source) {
	if s.Has("exit.recipient") {
		if _, err := exit.ParseRecipient(e.Recipient); err != nil {
			s.Fail("exit.recipient", "is %v", err)
		}
	}
	if e.Allow && !s.Has("exit.recipient") {
		s.Fail("exit.allow", "is true, and recipient is missing: name the one ceremony that may have this node's shares")
	}
}

// AllowsExit returns nil if this node's operator lets its shares be exported to a recipient,
// and otherwise what the file lacks.
func (n *Node) AllowsExit(r exit.Recipient) error {
	const form = "[exit]\nallow = true\nrecipient = %q"
	switch {
	case !n.Exit.Allow:
		return fmt.Errorf("this node gives no share away: %s does not allow it. Its operator, once sure of the ceremony and "+
			"of its recipient, writes into that file:\n\n"+form, n.src.path, r)
	case n.Exit.Recipient != r.String():
		return fmt.Errorf("this node gives its shares to another recipient alone: %s pins %s, and %s is asked for",
			n.src.path, n.Exit.Recipient, r)
	}
	return nil
}
