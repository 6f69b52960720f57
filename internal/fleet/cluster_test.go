package fleet

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/keyprovider/backends"
	declared "github.com/frostfleet/frostfleet/nats"
)

// clustered writes a fleet with three servers.
func clustered(t *testing.T, hosts ...string) (dir string, o Options) {
	t.Helper()
	c, err := NewCluster(3, hosts, 4222, 6222)
	if err != nil {
		t.Fatal(err)
	}
	o = options()
	o.Cluster = c
	dir = filepath.Join(t.TempDir(), "fleet")
	if _, err := Init(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	return dir, o
}

// serverOptions has nats-server read a configuration, in its own directory.
func serverOptions(t *testing.T, dir string, i int) *server.Options {
	t.Helper()
	t.Chdir(filepath.Join(dir, ServerDir(i)))
	o, err := server.ProcessConfigFile(serverConf)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestClusterFiles: every program's file loads, has all servers and the replicas,
// and its user is one of every server.
func TestClusterFiles(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir, o := clustered(t)
	const first, second, third = "tls://127.0.0.1:4222", "tls://127.0.0.1:4223", "tls://127.0.0.1:4224"
	const url = first + "," + second + "," + third
	order := map[string]string{ // each node begins with another one
		"gateway": url, "client": url, "administrator": url,
		"node 0": url, "node 1": second + "," + third + "," + first, "node 2": third + "," + first + "," + second,
	}
	gateway, err := config.LoadGateway(filepath.Join(dir, GatewayFile))
	if err != nil {
		t.Fatal(err)
	}
	client, err := config.LoadClient(filepath.Join(dir, ClientFile))
	if err != nil {
		t.Fatal(err)
	}
	administrator, err := config.ParseAdministrator(filepath.Join(dir, AdministratorConfig(0)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]config.Bus{"gateway": gateway.Bus, "client": client.Bus, "administrator": administrator.Bus}
	for i := range o.N {
		n, err := config.LoadNode(filepath.Join(dir, NodeFile(i)), backends.All())
		if err != nil {
			t.Fatal(err)
		}
		all[fmt.Sprint("node ", i)] = n.Bus
	}
	users := map[string]bool{}
	for name, b := range all {
		if b.URL != order[name] || b.Embedded || b.Replicas != 3 && name != "client" && name != "administrator" {
			t.Errorf("%s: %+v", name, b)
		}
		users[publicOf(t, b.Credentials)] = true
	}
	for _, file := range []string{AdministratorFile, systemSeed} {
		users[publicOf(t, filepath.Join(dir, file))] = true
	}
	for i := range 3 {
		s := serverOptions(t, dir, i)
		for _, u := range s.Nkeys {
			if !users[u.Nkey] {
				t.Errorf("server %d has user %s in %s, and nobody has the seed", i, u.Nkey, u.Account.Name)
			}
		}
		if len(s.Nkeys) != len(users) {
			t.Errorf("server %d has %d users, %d have seeds", i, len(s.Nkeys), len(users))
		}
		if !s.SyncAlways || !s.JetStream || s.JetStreamMaxStore != 200<<30 || s.JetStreamDomain != "" || s.SystemAccount != "SYS" ||
			s.TLSConfig == nil || s.Cluster.TLSConfig == nil || len(s.Routes) != 2 || s.Port != 4222+i || s.Cluster.Port != 6222+i {
			t.Errorf("server %d: %+v", i, s)
		}
	}
	if c := serverOptions(t, dir, 0).Cluster; c.PingInterval != time.Second || c.MaxPingsOut != 2 {
		t.Errorf("a server that hangs is noticed after %d pings of %v", c.MaxPingsOut, c.PingInterval)
	}
	if readme := read(t, filepath.Join(dir, ReadmeFile)); !strings.Contains(readme, "--url "+url+" ") {
		t.Errorf("README.md has other servers: %s", readme)
	}
	modes(t, dir)
}

func publicOf(t *testing.T, seedFile string) string {
	t.Helper()
	key, err := nkeys.ParseDecoratedUserNKey([]byte(read(t, seedFile)))
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// modes wants everything to be for its owner only.
func modes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestServersHoldNoOthersKeys: what goes to a server's machine has its own two
// keys, and no seed, authority's key or other server's key.
func TestServersHoldNoOthersKeys(t *testing.T) {
	dir, _ := clustered(t)
	keys := map[string]string{}
	for path, text := range snapshot(t, filepath.Join(dir, natsDir)) {
		if !strings.Contains(text, "PRIVATE KEY") && !strings.HasPrefix(text, "SU") {
			continue
		}
		if other, twice := keys[text]; twice {
			t.Errorf("%s and %s hold one key", path, other)
		}
		keys[text] = path
		name := strings.TrimPrefix(path, filepath.Join(dir, natsDir)+"/")
		if !regexp.MustCompile(`^(nats-[123]/(server|route)\.key|(routes-)?ca\.key|(administrator|system)\.nk)$`).MatchString(name) {
			t.Errorf("%s holds a secret", name)
		}
	}
	if len(keys) != 3*2+2+2 {
		t.Errorf("%d keys: the search is broken", len(keys))
	}
}

// TestCertificates: each server's certificates are of their authority, for its
// host, and of no other's.
func TestCertificates(t *testing.T) {
	hosts := []string{"nats-1.example.org", "10.0.0.2", "fd00::3"}
	dir, o := clustered(t, hosts...)
	pool := func(file string) *x509.CertPool {
		p := x509.NewCertPool()
		if !p.AppendCertsFromPEM([]byte(read(t, file))) {
			t.Fatal(file)
		}
		return p
	}
	for i, host := range hosts {
		server := filepath.Join(dir, ServerDir(i))
		programs, routes := pool(filepath.Join(dir, AuthorityFile)), pool(filepath.Join(server, routesCA))
		for file, authority := range map[string]*x509.CertPool{"server.crt": programs, "route.crt": routes} {
			block, _ := pem.Decode([]byte(read(t, filepath.Join(server, file))))
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: authority, DNSName: host, KeyUsages: usages}); err != nil {
				t.Errorf("%s of %s: %v", file, host, err)
			}
			if cert.VerifyHostname("other.example.org") == nil {
				t.Errorf("%s of %s is for others too", file, host)
			}
			other := map[*x509.CertPool]*x509.CertPool{programs: routes, routes: programs}[authority]
			if _, err := cert.Verify(x509.VerifyOptions{Roots: other, KeyUsages: usages}); err == nil {
				t.Errorf("%s of %s: both authorities are one", file, host)
			}
		}
	}
	if want := "tls://nats-1.example.org:4222,tls://10.0.0.2:4222,tls://[fd00::3]:4222"; o.Cluster.URL() != want {
		t.Errorf("%s, want %s", o.Cluster.URL(), want)
	}
	s := serverOptions(t, dir, 0)
	if s.Host != "0.0.0.0" || s.ClientAdvertise != "nats-1.example.org:4222" || s.Cluster.Advertise != "nats-1.example.org:6222" {
		t.Errorf("%s %s %s", s.Host, s.ClientAdvertise, s.Cluster.Advertise)
	}
}

// TestPermissionFiles: the files of fleet main are those of package nats, for
// every worker, gateway and client that it has.
func TestPermissionFiles(t *testing.T) {
	for _, client := range []string{"alice", "bob"} {
		for name, text := range (Options{Name: exampleFleet, N: 3, Client: client}).permissionFiles() {
			if name == permissions+"/gateway-"+gatewayName+".conf" {
				continue // the example's have other names
			}
			want, err := fs.ReadFile(declared.Config, name)
			if err != nil || text != string(want) {
				t.Errorf("%s differs from package nats (%v):\n%s", name, err, text)
			}
		}
	}
	for _, gateway := range []string{"a", "b"} {
		want, err := fs.ReadFile(declared.Config, permissions+"/gateway-"+gateway+".conf")
		if text := gatewayPermissions(exampleFleet, gateway); err != nil || text != string(want) {
			t.Errorf("gateway %s differs from package nats (%v):\n%s", gateway, err, text)
		}
	}
	o := Options{Name: "other-2", N: 12, Client: "treasury"}
	for name, text := range o.permissionFiles() {
		if rest := regexp.MustCompile(`frost\.main|FROST_MAIN|alice`).FindString(text); rest != "" {
			t.Errorf("%s is still %s's:\n%s", name, rest, text)
		}
		if strings.Contains(name, "/gateway-") && !strings.Contains(text, `"frost.other-2.presence.gateway.gateway0"`) {
			t.Errorf("%s:\n%s", name, text)
		}
		if strings.HasSuffix(name, "worker-11.conf") && (strings.Contains(text, `.0"`) || !strings.Contains(text, `frost.other-2.dkg.*.deal.11"`)) {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// TestPerNode: what stands for three nodes in the example is there for every node.
func TestPerNode(t *testing.T) {
	const example = "a\n  INFO.FROST_A_ROUNDS_0\n  INFO.FROST_A_ROUNDS_1\n  INFO.FROST_A_ROUNDS_2\n" +
		"  GET.FROST_A_ROUNDS_0.>\n  GET.FROST_A_ROUNDS_1.>\n  GET.FROST_A_ROUNDS_2.>\nb\n"
	if got := perNode(example, 3); got != example {
		t.Errorf("three nodes: %s", got)
	}
	const two = "a\n  INFO.FROST_A_ROUNDS_0\n  INFO.FROST_A_ROUNDS_1\n  GET.FROST_A_ROUNDS_0.>\n  GET.FROST_A_ROUNDS_1.>\nb\n"
	if got := perNode(example, 2); got != two {
		t.Errorf("two nodes: %s", got)
	}
	if got := perNode(example, 12); !strings.Contains(got, "  GET.FROST_A_ROUNDS_11.>\n") || strings.Count(got, "\n") != 26 {
		t.Errorf("twelve nodes: %s", got)
	}
}

// TestClusterAroundAManifest: nodes with files of their own get what they add.
func TestClusterAroundAManifest(t *testing.T) {
	m := newManifest(2)
	if err := Join(m, enrolled(t, 3)); err != nil {
		t.Fatal(err)
	}
	c, err := NewCluster(5, nil, 4222, 6222)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "fleet")
	if _, err := Init(t.Context(), dir, Options{Manifest: m, Client: "treasury", Cluster: c}); err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(dir, filepath.Dir(NodeFile(2)))
	own := read(t, "../../configs/node-software.toml")
	own = own[:strings.Index(own, "[bus]")]
	for name, text := range map[string]string{
		"node.toml": own + read(t, filepath.Join(node, "bus.toml")),
	} {
		if err := os.WriteFile(filepath.Join(node, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, err := config.LoadNode(filepath.Join(node, "node.toml"), backends.All())
	const url = "tls://127.0.0.1:4224,tls://127.0.0.1:4225,tls://127.0.0.1:4226,tls://127.0.0.1:4222,tls://127.0.0.1:4223"
	if err != nil || n.Bus.Replicas != 5 || n.Bus.URL != url {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(node, "key.json")); err == nil {
		t.Error("a node's keys were made")
	}
}

// TestNoCluster: what can't be a cluster is refused before anything is written.
func TestNoCluster(t *testing.T) {
	three := []string{"a", "b", "c"}
	for name, c := range map[string]struct {
		servers int
		hosts   []string
		port    int
		want    string
	}{
		"one":            {1, nil, 4222, "3 or 5"},
		"even":           {4, nil, 4222, "3 or 5"},
		"hosts":          {5, three, 4222, "3 hosts"},
		"a URL":          {3, []string{"a", "b", "nats://c"}, 4222, "not a name"},
		"a quote":        {3, []string{"a", "b", `c"`}, 4222, "not a name"},
		"port":           {3, three, 65536, "1 to 65535"},
		"one port twice": {3, []string{"a", "a", "b"}, 6222, "two servers"},
	} {
		if _, err := NewCluster(c.servers, c.hosts, c.port, 6222); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, change := range map[string]func(*Cluster){
		"size":      func(c *Cluster) { c.MaxStore = "much" },
		"store":     func(c *Cluster) { c.StoreDir = "a\" }\n" },
		"no store":  func(c *Cluster) { c.StoreDir = "" },
		"variables": func(c *Cluster) { c.StoreDir = "$HOME" },
	} {
		o := options()
		o.Cluster, _ = NewCluster(3, nil, 4222, 6222)
		change(o.Cluster)
		dir := filepath.Join(t.TempDir(), "fleet")
		if _, err := Init(t.Context(), dir, o); err == nil {
			t.Errorf("%s was taken", name)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
	for _, size := range []struct{ per, all string }{{"100GB", "270000MB"}, {"1TB", "2700GB"}, {"7MB", "18900KB"}} {
		if got := accountStore(size.per, 3); got != size.all {
			t.Errorf("%s on each of three: %s, want %s", size.per, got, size.all)
		}
	}
}

// TestInOrder: the lists of nodes begin with all servers in turn, also where others run
// the servers.
func TestInOrder(t *testing.T) {
	for i, want := range []string{"a,b,c", "b,c,a", "c,a,b", "a,b,c"} {
		if got := inOrder("a,b,c", i); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	o := options()
	o.BusURL = "nats://a:4222,nats://b:4222"
	if got := string(nodeConfig(o, 1)); !strings.Contains(got, `url = "nats://b:4222,nats://a:4222"`) {
		t.Errorf("node 1: %s", got)
	}
	o.BusURL = "nats://a:4222"
	if got := string(nodeConfig(o, 1)); !strings.Contains(got, `url = "nats://a:4222"`) || strings.Contains(got, "order") {
		t.Errorf("a single server: %s", got)
	}
}

// TestClusterFails: a cluster that could not be written leaves nothing.
func TestClusterFails(t *testing.T) {
	dir := t.TempDir()
	o := options()
	o.Cluster, _ = NewCluster(3, nil, 4222, 6222)
	o.Network = "moon"
	if _, err := Init(t.Context(), dir, o); err == nil {
		t.Fatal("a fleet on the moon")
	}
	o.Network = "regtest"
	if _, err := Init(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	o.Administrators = 1
	if err := discard(dir, o); err != nil {
		t.Fatal(err)
	}
	if left := snapshot(t, dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if !bytes.Contains(o.readme(), []byte("nats/nats-3")) {
		t.Error("README.md lacks a server")
	}
}
