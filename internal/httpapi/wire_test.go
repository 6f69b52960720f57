package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

func dial(t *testing.T, l *Listener) (net.Conn, *bufio.Reader) {
	t.Helper()
	raw, err := net.Dial("tcp", l.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	_ = raw.SetReadDeadline(time.Now().Add(time.Minute))
	return raw, bufio.NewReader(raw)
}

// TestPipelined: requests on one connection are each their own: the token of one is not that of the
// next, nor does what is left of a body that nobody read become a request.
func TestPipelined(t *testing.T) {
	t.Parallel()
	l := listen(t, testServer(t), nil)
	raw, answers := dial(t, l)
	smuggled := "GET /v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + full + "\r\n\r\n"
	ask := func(line, token, body string) string {
		text := line + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		if token != "" {
			text += "Authorization: Bearer " + token + "\r\n"
		}
		if body != "" {
			text += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
		}
		return text + "\r\n" + body
	}
	_, err := io.WriteString(raw, ask("GET /v1/keys", full, "")+ask("GET /v1/keys", "", "")+ask("POST /v1/keys", "",
		smuggled)+
		ask("POST /v1/nothing", full, smuggled)+ask("GET /v1/keys", reader, smuggled)+ask("HEAD /v1/keys", "",
		"")+ask("GET /livez", "", ""))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 401, 401, 404, 200, 401, 200} {
		method := http.MethodGet
		if i == 5 {
			method = http.MethodHead
		}
		answer, err := http.ReadResponse(answers, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("answer %d: %d, want %d", i, answer.StatusCode, want)
		}
	}
}

// TestBrokenFraming: bodies whose end can be read in two ways, or that lie about it, are no request.
func TestBrokenFraming(t *testing.T) {
	t.Parallel()
	l := listen(t, testServer(t), nil)
	head := "POST /v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + full +
		"\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct{ text, want string }{
		"length of a word":   {head + "Content-Length: x\r\n\r\n", "400"},
		"negative length":    {head + "Content-Length: -1\r\n\r\n", "400"},
		"length with a sign": {head + "Content-Length: +1\r\n\r\n{", "400"},
		"chunk of a word":    {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "400"},
		"chunk without end":  {head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n{}\r\n", "400"},
		"huge length": {head + "Content-Length: 9223372036854775807\r\n\r\n" + strings.Repeat("x", noteBody+1),
			"413"},
		"huge chunks": {head + "Transfer-Encoding: chunked\r\n\r\n" +
			strings.Repeat("1000\r\n"+strings.Repeat("x", 0x1000)+"\r\n", 40) + "0\r\n\r\n", "413"},
		"chunked twice":       {head + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "501"},
		"header with a space": {"GET /livez HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n", "400"},
		"folded header":       {"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: a\r\n\x00b\r\n\r\n", "400"},
		"two hosts":           {"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", "400"},
		"NUL in the path":     {"GET /livez\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "400"},
		"two tokens": {"GET /v1/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + full +
			"\r\nAuthorization: Bearer x\r\n\r\n",
			"401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, answers := dial(t, l)
			_, _ = io.WriteString(raw, c.text) // it may be cut off before all is out
			if line, _ := answers.ReadString('\n'); !strings.Contains(line, " "+c.want+" ") {
				t.Errorf("%q, want %s", line, c.want)
			}
		})
	}
}

// TestSlowHeaders: whoever takes too long for the headers loses the connection.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	l := listen(t, testServer(t), nil)
	raw, answers := dial(t, l)
	_, _ = io.WriteString(raw, "GET /livez HTTP/1.1\r\nHost: 127")
	if line, err := answers.ReadString('\n'); err == nil && !strings.Contains(line, " 408 ") &&
		!strings.Contains(line, " 400 ") {
		t.Errorf("%q", line)
	}
}

// TestNoHTTP2InTheClear: HTTP/2 is spoken in TLS alone, where a proxy can't be led to take its frames
// for the next request of HTTP/1.1.
func TestNoHTTP2InTheClear(t *testing.T) {
	t.Parallel()
	l := listen(t, testServer(t), nil)
	raw, answers := dial(t, l)
	_, _ = io.WriteString(raw, http2.ClientPreface)
	if line, _ := answers.ReadString('\n'); strings.HasPrefix(line, "HTTP/1.1 2") {
		t.Errorf("%q", line)
	}
	raw, answers = dial(t, l)
	_, _ = io.WriteString(raw,
		"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"+
			"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	if line, _ := answers.ReadString('\n'); !strings.Contains(line, " 200 ") {
		t.Errorf("an upgrade: %q", line)
	}
}
