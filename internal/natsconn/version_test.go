package natsconn

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// fakeServer greets as nats-server of a version does, and answers pings. It
// stands for real ones, which take half a minute each to build.
func fakeServer(t *testing.T, version string) (url string) {
	t.Helper()
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintf(conn, "INFO {\"server_id\":\"X\",\"version\":%q,\"proto\":1,\"headers\":true,\"max_payload\":4194304}\r\n", version)
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if lines.Text() == "PING" {
						fmt.Fprint(conn, "PONG\r\n")
					}
				}
			}()
		}
	}()
	return "nats://" + l.Addr().String()
}

// TestVersion: a server that is too old is refused at once, with its version and
// the one that is needed, and not retried.
func TestVersion(t *testing.T) {
	for version, taken := range map[string]bool{
		"2.9.10": false, "2.10.29": false, "2.10.0-beta.3": false, "v2.10.29": false, "1.4.1": false, "0.9.6": false,
		MinVersion: true, "2.11.0-dev": true, "v2.15.2": true, "2.100.0": true, "3.0.0": true, "10.0.0": true,
		"": true, "mine": true, "99999999999999999999.0.0": true,
	} {
		url := fakeServer(t, version)
		c, err := Connect(t.Context(), Options{URL: url, AckTimeout: patience})
		if taken {
			if err != nil {
				t.Errorf("%s: %v", version, err)
				continue
			}
			if err := c.Healthy(); err != nil {
				t.Errorf("%s: %v", version, err)
			}
			c.Close()
			continue
		}
		for _, part := range []string{version, MinVersion, url, "upgrade"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q", version, err, part)
			}
		}
		nc := must[*nats.Conn](t)(nats.Connect(url))
		defer nc.Close()
		if _, err := Wrap(nc, patience); err == nil || !strings.Contains(err.Error(), MinVersion) {
			t.Errorf("%s, somebody else's connection: %v", version, err)
		}
	}
}
