package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const aClient = "[client]\nname = \"a\"\nkey_file = \"a.key\"\n"

func clientFile(t *testing.T, more string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.toml")
	if err := os.WriteFile(path, []byte(aClient+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClientHTTP(t *testing.T) {
	t.Parallel()
	path := clientFile(t,
		"[http]\nurl = \"https://a.example:8080, http://127.0.0.1:1\"\ntoken_file = \"t\"\nca = \"/c\"\n")
	c, err := ParseClient(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := (ClientHTTP{"https://a.example:8080, http://127.0.0.1:1", filepath.Join(filepath.Dir(path), "t"),
		"/c"}); c.HTTP != want {
		t.Errorf("%+v, want %+v", c.HTTP, want)
	}
	if c, err = ParseClient(clientFile(t, "")); err != nil || c.HTTP != (ClientHTTP{}) {
		t.Errorf("without [http]: %+v, %v", c, err)
	}
	for more, says := range map[string]string{
		"[http]\n":                      "http.url: is missing",
		"[http]\nca = \"c\"\n":          "http.url: is missing",
		"[http]\nurl = \"\"\n":          "http.url: is empty",
		"[http]\nurls = \"x\"\n":        "unknown key",
		"[http]\nurl = \"https://a\"\n": "http.token_file: is missing",
		"[http]\ntoken_file = \"t\"\nurl = \"http://a:1\"\n":      "plain HTTP to another machine",
		"[http]\ntoken_file = \"t\"\nurl = \"nats://a:1\"\n":      "scheme",
		"[http]\ntoken_file = \"t\"\nurl = \"https://b:c@a\"\n":   "user name",
		"[http]\ntoken_file = \"t\"\nurl = \"https://a/v1\"\n":    "more than a host",
		"[http]\ntoken_file = \"t\"\nurl = \"https://a:99999\"\n": "port",
		"[http]\ntoken_file = \"t\"\nurl = \"https://a,\"\n":      "not a URL",
	} {
		if _, err := ParseClient(clientFile(t, more)); err == nil || !strings.Contains(err.Error(), says) ||
			strings.Contains(err.Error(), "b:c") {
			t.Errorf("%q: %v, want something about %q", more, err, says)
		}
	}
}

// TestToken: nobody else may read it, and it is one word.
func TestToken(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		mode os.FileMode
		want string // token, or
		says string
	}{
		"a token":       {"ff_abc-_09\n", 0o600, "ff_abc-_09", ""},
		"others' eyes":  {"ff_abc\n", 0o640, "", "chmod 600"},
		"two words":     {"ff_abc def\n", 0o600, "", "token file"},
		"empty":         {"", 0o600, "", "token file"},
		"two lines":     {"a\nb\n", 0o600, "", "token file"},
		"not ASCII":     {"naïve\n", 0o600, "", "token file"},
		"a whole novel": {strings.Repeat("x", maxToken+1), 0o600, "", "more than 512 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
			t.Fatal(err)
		}
		got, err := ReadToken(path)
		if got != tt.want || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
