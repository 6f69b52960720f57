package config

import (
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/exit"
)

const ceremony = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"

// TestExit: a node gives its shares to the one recipient that its file has, and to nobody by
// default.
func TestExit(t *testing.T) {
	recipient, err := exit.ParseRecipient(ceremony)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := exit.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for section, says := range map[string]string{
		"": "allow = true\nrecipient = \"" + ceremony + "\"",
		"[exit]\nallow = false\nrecipient = \"" + ceremony + "\"\n":                     "does not allow it",
		"[exit]\nrecipient = \"" + ceremony + "\"\n":                                    "does not allow it",
		"[exit]\nallow = true\nrecipient = \"" + identity.Recipient().String() + "\"\n": "pins " + identity.Recipient().String(),
		"[exit]\nallow = true\nrecipient = \"" + ceremony + "\"\n":                      "",
	} {
		n, err := parseNode(write(t, awsKMS+section))
		if err != nil {
			t.Errorf("%q: %v", section, err)
			continue
		}
		if err := n.AllowsExit(recipient); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", section, err, says)
		}
	}
	for section, says := range map[string]string{
		"[exit]\nallow = true\n":                          "exit.allow: is true, and recipient is missing",
		"[exit]\nallow = true\nrecipient = \"\"\n":        "exit.recipient: is not a ceremony's recipient",
		"[exit]\nrecipient = \"" + ceremony[:61] + "\"\n": "exit.recipient: is not a ceremony's recipient",
		"[exit]\nallow = 1\n":                             "exit.allow",
		"[exit]\nallow = true\nrecipients = [\"age1\"]\n": "recipients",
	} {
		if _, err := parseNode(write(t, awsKMS+section)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", section, err, says)
		}
	}
}
