package cluster_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
)

// oldServer greets as nats-server 2.9.10 does, which Debian 12 has. The real one
// passes frostctl bus check, and then no node gets ready.
func oldServer(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprint(conn, `INFO {"server_id":"X","version":"2.9.10","proto":1,"headers":true,"max_payload":4194304}`+"\r\n")
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

// TestOldServer: every program refuses a server that is too old, with the version
// that it has and the one that is needed.
func TestOldServer(t *testing.T) {
	o := newOperator(t)
	url := oldServer(t)
	o.run("frostctl fleet init fleet --server-port 0 --bus-url " + url)
	for _, line := range []string{
		"frostctl bus check --fleet dev --nodes 3 --url " + url,
		"frostctl bus apply --fleet dev --nodes 3 --url " + url,
		"frost-worker run --config fleet/node0/node.toml",
		"frost-gateway run --config fleet/gateway/gateway.toml",
		"frostctl keygen --config fleet/client.toml --chain bitcoin --count 1",
	} {
		cmd := o.command(line)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || err == nil {
			t.Errorf("%s: %v", line, err)
		}
		for _, part := range []string{"nats-server 2.9.10", "2.11.0 or newer", "upgrade"} {
			if !strings.Contains(string(out), part) {
				t.Errorf("%s does not say %q: %s", line, part, out)
			}
		}
	}
}
