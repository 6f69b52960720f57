package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func ask(t *testing.T, method, target string, headers map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestEveryAnswerIsGuarded: also those that say no.
func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/", 200}, {"HEAD", "/", 200}, {"GET", "/console/app.js", 200}, {"GET", "/console/", 404},
		{"GET", "/index.html", 404}, {"GET", "/console/../console.go", 404}, {"GET", "/console/..%2fconsole.go", 404},
		{"GET", "/console/vendor", 404}, {"POST", "/", 405}, {"DELETE", "/console/app.js", 405},
	} {
		r := ask(t, c.method, c.target, nil)
		if r.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.target, r.StatusCode, c.status)
		}
		if got := r.Header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s %s: policy %q", c.method, c.target, got)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s %s: headers %v", c.method, c.target, r.Header)
		}
		if c.method == "HEAD" && len(body(t, r)) != 0 {
			t.Error("HEAD has a body")
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Error("the policy has a hole: ", policy)
	}
}

func TestSizeAndTypes(t *testing.T) {
	t.Parallel()
	const most = 200_000
	total := 0
	for name, f := range files() {
		total += len(f.plain)
		if f.mediaType == "" {
			t.Errorf("%s has no media type", name)
		}
		if !bytes.Equal(body(t, ask(t, "GET", name, nil)), f.plain) {
			t.Errorf("%s is not served as it is", name)
		}
	}
	if total > most {
		t.Errorf("the console has %d bytes, and may have %d", total, most)
	}
	t.Logf("%d bytes", total)
}

func TestCacheAndCompression(t *testing.T) {
	t.Parallel()
	plain := ask(t, "GET", "/console/style.css", nil)
	small := ask(t, "GET", "/console/style.css", map[string]string{"Accept-Encoding": "br, gzip"})
	if small.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" {
		t.Fatal("compressed for the wrong one")
	}
	z, err := gzip.NewReader(small.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(unpacked, body(t, plain)) {
		t.Error("the compressed file is another one: ", err)
	}
	for _, r := range []*http.Response{plain, small} {
		tag := r.Header.Get("ETag")
		headers := map[string]string{"If-None-Match": tag, "Accept-Encoding": r.Header.Get("Content-Encoding")}
		if again := ask(t, "GET", "/console/style.css", headers); again.StatusCode != http.StatusNotModified {
			t.Errorf("tag %s: %d", tag, again.StatusCode)
		}
	}
	if plain.Header.Get("ETag") == small.Header.Get("ETag") {
		t.Error("one tag for two encodings")
	}
}

func TestTakesGzip(t *testing.T) {
	t.Parallel()
	for accepted, want := range map[string]bool{
		"": false, "gzip": true, "br": false, "deflate, GZIP;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false,
		"gzip; q=0.001": true, "gzip;q=1": true, "gzipped": false, "br;q=1,gzip": true,
	} {
		if got := takesGzip(accepted); got != want {
			t.Errorf("%q: %v", accepted, got)
		}
	}
}

// TestNothingFromElsewhere: no file asks for another host, writes markup out of texts, or has a
// script or style inside a page. The browser's test sees the same at work.
func TestNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySet|` +
		`\beval\(|new Function|import\(|https?://|\sstyle="|\son[a-z]+="`)
	allowed := "http://www.w3.org/2000/svg" // a name, not an address
	for name, f := range files() {
		if path.Ext(name) == ".txt" || strings.Contains(name, "/vendor/") {
			continue
		}
		text := strings.ReplaceAll(string(f.plain), allowed, "")
		if found := forbidden.FindString(text); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
}
