package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFleetCluster: what is printed names the servers and the command for the
// streams, and a directory that is there stays.
func TestFleetCluster(t *testing.T) {
	t.Chdir(t.TempDir())
	stdout, stderr, code := call(t, "", "fleet", "init", "fleet", "--cluster", "3", "--hosts", "a.example,b.example,b.example")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{
		"3 NATS servers: tls://a.example:4222,tls://b.example:4222,tls://b.example:4223\n",
		"(cd fleet/nats/nats-3 && nats-server -c server.conf) # on b.example\n",
		"--credentials fleet/nats/administrator.nk --tls-ca fleet/ca.crt --replicas 3\n", "fleet/README.md",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("printed %q, want %q", stdout, want)
		}
	}
	if _, stderr, code = call(t, "", "fleet", "init", "fleet", "--cluster", "3"); code != exitError || !strings.Contains(stderr, "not empty") {
		t.Errorf("again: exit code %d, said %q", code, stderr)
	}
	var line struct{ URL, Readme string }
	stdout, stderr, code = call(t, "", "fleet", "init", "other", "--cluster", "5", "--bus-port", "5000", "--json")
	if err := json.Unmarshal([]byte(stdout), &line); err != nil || code != 0 || line.Readme != "other/README.md" ||
		!strings.HasSuffix(line.URL, ",tls://127.0.0.1:5004") {
		t.Errorf("exit code %d, printed %q, said %q (%v)", code, stdout, stderr, err)
	}
}

// TestAddClient: what is printed has two reloads of each server.
func TestAddClient(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, stderr, code := call(t, "", "fleet", "init", "fleet", "--cluster", "3"); code != 0 {
		t.Fatal(stderr)
	}
	stdout, stderr, code := call(t, "", "fleet", "add-client", "fleet", "treasury")
	if code != 0 || strings.Count(stdout, "nats-server --signal reload=fleet/nats/nats-2/nats-server.pid\n") != 2 ||
		!strings.Contains(stdout, "give it fleet/clients/treasury\n") {
		t.Errorf("exit code %d, printed %q, said %q", code, stdout, stderr)
	}
	var line struct {
		Name, Directory string
		Reload          []string
	}
	stdout, stderr, code = call(t, "", "fleet", "add-client", "fleet", "deposits", "--kinds", "keygen", "--json")
	if err := json.Unmarshal([]byte(stdout), &line); err != nil || code != 0 || len(line.Reload) != 6 ||
		line.Directory != filepath.Join("fleet", "clients", "deposits") {
		t.Errorf("exit code %d, printed %q, said %q (%v)", code, stdout, stderr, err)
	}
	if _, stderr, code = call(t, "", "fleet", "add-client", "fleet", "treasury"); code != exitError || !strings.Contains(stderr, "already") {
		t.Errorf("again: exit code %d, said %q", code, stderr)
	}
	if _, _, code := call(t, "", "check", "--config", "fleet/clients/treasury/client.toml"); code != 0 {
		t.Error("its configuration fails the check")
	}
}

func TestClusterUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for args, says := range map[string]string{
		"fleet init x --cluster 2":                            "use 3 or 5",
		"fleet init x --cluster 0":                            "use 3 or 5",
		"fleet init x --cluster 3 --bus-url nats://a:4222":    "bus-url",
		"fleet init x --cluster 3 --hosts a,b":                "2 hosts",
		"fleet init x --cluster 3 --hosts a,b,c:1":            "not a name",
		"fleet init x --hosts a,b,c":                          "--cluster",
		"fleet init x --cluster 3 --route-port 4222":          "two servers",
		"fleet init x --cluster 3 --max-file-store 7":         "MB, GB or TB",
		"fleet add-client x":                                  "too few",
		"fleet add-client x y --nkey U":                       "public-key",
		"fleet add-client x y --nkey U --public-key 00":       "--public-key",
		"fleet add-client x y --kinds ":                       "--kinds is empty",
		"bus serve":                                           "store config",
		"bus serve --config a --store b":                      "store",
		"bus check --fleet dev --nodes 3 --timeout 0s":        "--timeout",
		"bus apply --fleet dev --nodes 3 --timeout=-1s":       "--timeout",
		"fleet init x --cluster 3 --bus-port 65534":           "1 to 65535",
		"fleet init x --cluster 3 --hosts localhost,b,c --t4": "unknown flag",
	} {
		stdout, stderr, code := call(t, "", strings.Split(args, " ")...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit code %d, printed %q, said %q", args, code, stdout, stderr)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("something was written")
	}
	if _, stderr, code := call(t, "", "fleet", "init", "plain"); code != 0 {
		t.Fatal(stderr)
	}
	for _, args := range [][]string{{"dev", "plain", "--cluster"}, {"fleet", "add-client", "plain", "a"}} {
		if _, stderr, code := call(t, "", args...); code != exitError || !strings.Contains(stderr, "fleet init DIR --cluster 3") {
			t.Errorf("%v without servers: exit code %d, said %q", args, code, stderr)
		}
	}
	if _, stderr, code := call(t, "", "bus", "serve", "--config", "none/server.conf"); code != exitError || !strings.Contains(stderr, "none") {
		t.Errorf("exit code %d, said %q", code, stderr)
	}
}
