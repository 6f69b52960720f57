package config

import (
	"strings"
	"testing"
)

// TestWebhookURL: https, or http of this machine, and nothing of it is repeated.
func TestWebhookURL(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://example.org/x?token=hush": true, "http://127.0.0.1:80/x": true, "http://[::1]/": true,
		"http://localhost/": true, "HTTPS://example.org": true,
		"http://example.org/hush": false, "http://127.0.0.1.example.org/hush": false, "ftp://example.org/hush": false,
		"https://u:hush@example.org": false, "https:///hush": false, "https:hush": false, "//example.org/hush": false,
		"https://example.org/#hush": false, "": false, "https://\x00hush": false, "http://169.254.169.254/hush": false,
	} {
		if problem := webhookURL(url); (problem == "") != ok || strings.Contains(problem, "hush") {
			t.Errorf("%q: %q", url, problem)
		}
	}
}
