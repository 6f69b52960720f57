package docs

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestClaimsHaveTests: every claim about authority and time names a test. That the
// tests exist is checked for all pages.
func TestClaimsHaveTests(t *testing.T) {
	_, section, _ := strings.Cut(page(t, "security.md"), "## Authority and time\n")
	section, _, _ = strings.Cut(section, "\n## ")
	named, claims := regexp.MustCompile("`Test[A-Z]\\w*`"), 0
	list, _, _ := strings.Cut(strings.TrimSpace(section), "\n\n")
	for _, claim := range regexp.MustCompile(`(?m)^ *- `).Split(list, -1)[1:] {
		claims++
		if !named.MatchString(claim) {
			t.Errorf("security.md: no test shows that %.100s", claim)
		}
	}
	if claims < 15 {
		t.Errorf("found %d claims: the search is broken", claims)
	}
}

// TestLiveStreams: what is near enough to a reader's clock is what the streams of
// live messages can hold, and the page says the same.
func TestLiveStreams(t *testing.T) {
	var declared struct {
		Streams []struct {
			Name string `json:"name"`
			Age  string `json:"max_age"`
		} `json:"streams"`
	}
	if err := json.Unmarshal([]byte(page(t, "../nats/streams.json")), &declared); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range declared.Streams {
		if s.Name != "WORK" && s.Name != "SIGN" {
			continue
		}
		found++
		if age, err := time.ParseDuration(s.Age); err != nil || age != wire.LiveAge {
			t.Errorf("%s keeps messages for %q, wire.LiveAge is %s", s.Name, s.Age, wire.LiveAge)
		}
	}
	if found != 2 {
		t.Errorf("found %d streams of live messages", found)
	}
	text := page(t, "security.md")
	if wire.LiveAge+wire.ClockSkew != 12*time.Minute || !strings.Contains(text, "within 12 minutes") {
		t.Errorf("security.md does not say within how many minutes of the clock messages count")
	}
	if wire.MaxAttested != 1024 || !strings.Contains(text, "1,024 delegations") {
		t.Errorf("security.md does not say for how many delegations one signature is good")
	}
}
