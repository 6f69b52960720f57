package docs

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// texts are all files of the module in which something is said in prose, by
// path: pages, Go sources, configurations.
func texts(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == ".cache" || d.Name() == "bin"):
			return filepath.SkipDir
		case d.Type().IsRegular() && regexp.MustCompile(`\.(md|go|toml|yml|py|json|conf)$`).MatchString(path):
			text, err := os.ReadFile(path)
			found[filepath.ToSlash(path)] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestQuota: whoever says how many jobs a client may have open, says what
// nats/streams.json declares.
func TestQuota(t *testing.T) {
	var declared struct {
		Streams []struct {
			Name  string `json:"name"`
			Quota int    `json:"max_msgs_per_subject"`
		} `json:"streams"`
	}
	if err := json.Unmarshal([]byte(page(t, "../nats/streams.json")), &declared); err != nil {
		t.Fatal(err)
	}
	quota := 0
	for _, s := range declared.Streams {
		if s.Name == "JOBS" {
			quota = s.Quota
		}
	}
	count := 0
	for path, text := range texts(t) {
		if strings.HasSuffix(path, "/claims_test.go") {
			continue
		}
		for _, said := range regexp.MustCompile(`(\d+)\s+(?://\s+)?open\s+(?://\s+)?jobs\b`).FindAllStringSubmatch(text, -1) {
			count++
			if said[1] != strconv.Itoa(quota) {
				t.Errorf("%s says %q, and nats/streams.json %d", path, said[0], quota)
			}
		}
		// The same in other words would escape the search.
		if other := regexp.MustCompile(`\d+ jobs of (this|a) (client|kind)[^.]* open|limited per kind \(\d+\)`).FindString(text); other != "" {
			t.Errorf("%s says %q: write N open jobs", path, other)
		}
	}
	if count < 8 {
		t.Errorf("found %d sentences: the search is broken", count)
	}
}

// TestNoPageOutside: nothing refers to a design that is not in the repository.
func TestNoPageOutside(t *testing.T) {
	for path, text := range texts(t) {
		if strings.Contains(text, "DESIGN"+".md") {
			t.Errorf("%s refers to a page that is not here: docs/architecture.md has the design", path)
		}
	}
}

// TestAnchors: every link to a heading leads to one.
func TestAnchors(t *testing.T) {
	headings := map[string]map[string]bool{}
	anchors := func(path string) map[string]bool {
		if headings[path] == nil {
			headings[path] = map[string]bool{}
			for _, h := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page(t, path), -1) {
				headings[path][anchor(h[1])] = true
			}
		}
		return headings[path]
	}
	count := 0
	for _, path := range pages(t) {
		for _, link := range regexp.MustCompile(`\]\(([^)#:\s]*)#([^)]+)\)`).FindAllStringSubmatch(page(t, path), -1) {
			target := path
			if link[1] != "" {
				target = filepath.Join(filepath.Dir(path), link[1])
			}
			count++
			if !anchors(target)[link[2]] {
				t.Errorf("%s links to %s#%s, and there is no such heading", path, link[1], link[2])
			}
		}
	}
	if count < 50 {
		t.Errorf("found %d links: the search is broken", count)
	}
}

// anchor is what GitHub makes of a heading.
func anchor(heading string) string {
	text := strings.ToLower(regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`).ReplaceAllString(heading, "$1"))
	return strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N}_\- ]`).ReplaceAllString(text, ""), " ", "-")
}

// TestPaths: every file and folder of the module that a page names is there.
func TestPaths(t *testing.T) {
	name := regexp.MustCompile("`((?:cmd|client|configs|docs|internal|nats|scripts|test|bench)/[\\w./-]*[\\w/])`")
	count := 0
	for _, path := range pages(t) {
		if strings.HasSuffix(path, "CHANGELOG.md") || strings.HasPrefix(path, "adr/") {
			continue // history
		}
		for _, found := range name.FindAllStringSubmatch(page(t, path), -1) {
			count++
			if _, err := os.Stat(filepath.Join("..", found[1])); err != nil {
				t.Errorf("%s names %s: %v", path, found[1], err)
			}
		}
	}
	if count < 60 {
		t.Errorf("found %d paths: the search is broken", count)
	}
}
