package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/freeport"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// The stand's fleet: 2 of 3.
const (
	servers  = 3
	nodes    = 3
	gateways = 2

	device  = 2 // the node whose keys are in KMS
	flooder = "flooder"
)

func serverName(i int) string  { return fmt.Sprint("server", i) }
func nodeName(i int) string    { return fmt.Sprint("node", i) }
func gatewayName(i int) string { return fmt.Sprint("gateway", i) }

// clientName is the name of the load's client in the network.
const clientName = "client"

// ports of the fleet, each the first of its row.
type ports struct{ nats, routes, http int }

// configure writes the fleet as an operator does, adds a gateway, a client and a node
// with its keys in KMS.
func (s *Stand) configure() {
	s.t.Helper()
	s.ports = ports{freeport.Range(s.t, servers), freeport.Range(s.t, servers), freeport.Range(s.t, nodes+gateways+1)}
	s.frostctl("fleet", "init", s.dir, "--name", fleettest.Name, "--cluster", fmt.Sprint(servers),
		"--nodes", fmt.Sprint(nodes), "--threshold", "2", "--client", fleettest.Client,
		"--bus-port", fmt.Sprint(s.ports.nats), "--route-port", fmt.Sprint(s.ports.routes),
		"--server-port", fmt.Sprint(s.ports.http))
	var err error
	if s.manifest, err = config.LoadManifest(filepath.Join(s.dir, fleet.ManifestFile)); err != nil {
		s.t.Fatal(err)
	}
	s.keysInKMS()
	s.addGateway()
	s.frostctl("fleet", "add-client", s.dir, flooder)
	if s.links {
		s.linkAll()
	}
}

// linkAll leads every connection through a link.
func (s *Stand) linkAll() {
	s.t.Helper()
	for i := range servers {
		s.linkServer(i)
	}
	for i := range nodes {
		s.linkProgram(nodeName(i), fleet.NodeFile(i))
	}
	for i := range gateways {
		s.linkProgram(gatewayName(i), gatewayFile(i))
	}
	s.linkProgram(clientName, fleet.ClientFile)
	s.linkProgram(flooder, "clients/"+flooder+"/"+fleet.ClientFile)
}

func gatewayFile(i int) string {
	if i == 0 {
		return fleet.GatewayFile
	}
	return fmt.Sprintf("gateway%d/gateway.toml", i)
}

// frostctl runs a command that must succeed.
func (s *Stand) frostctl(args ...string) {
	s.t.Helper()
	if out, err := children.output(exec.Command(filepath.Join(s.first, "frostctl"), args...)); err != nil {
		s.t.Fatalf("frostctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// keysInKMS moves a node's keys into an imitation of AWS KMS, which can be made to
// fail.
func (s *Stand) keysInKMS() {
	s.t.Helper()
	identity, derivation := s.kms.CreateKey(kmstest.Identity), s.kms.CreateKey(kmstest.Derivation)
	fleettest.UseProviders(s.t, s.dir, s.manifest, map[int]string{device: fmt.Sprintf(
		"type = \"aws-kms\"\nkey_id = %q\nderivation_key_id = %q\nendpoint = %q\n",
		identity, derivation, s.kms.Endpoint())})
}

// addGateway adds the second one, as docs/cluster.md says.
func (s *Stand) addGateway() {
	s.t.Helper()
	dir := filepath.Join(s.dir, filepath.Dir(gatewayFile(1)))
	name := gatewayName(1)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	_, entry, err := fleet.Party{Name: name}.NewKey(filepath.Join(dir, "gateway.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.edit(fleet.AccessFile, func(text string) string { return text + "\n" + entry })
	s.write(gatewayFile(1), s.replaced(rotated(s.read(fleet.GatewayFile)), `name = "gateway0"`, fmt.Sprintf("name = %q", name),
		fmt.Sprintf("port = %d #", s.ports.http), fmt.Sprintf("port = %d #", s.ports.http+1+nodes)))
	s.write(filepath.Join(filepath.Dir(gatewayFile(1)), fleet.AuthorityFile), s.read(fleet.AuthorityFile))
	user, err := nkeys.CreateUser()
	if err != nil {
		s.t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		s.t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(filepath.Join(filepath.Dir(gatewayFile(1)), "bus.nk"), string(seed)+"\n")
	for i := range servers {
		s.edit(serverConf(i), func(text string) string {
			return s.replaced(text, " # gateway0\n", fmt.Sprintf(
				" # gateway0\n      { nkey: %s, permissions: { include \"permissions/gateway-%s.conf\" } }\n", public, name))
		})
		permissions := filepath.Join(fleet.ServerDir(i), "permissions")
		s.write(filepath.Join(permissions, "gateway-"+name+".conf"),
			s.replaced(s.read(filepath.Join(permissions, "gateway-gateway0.conf")), "gateway0", name))
	}
}

// rotated is a program's file with the first of its servers at the end.
func rotated(text string) string {
	return regexp.MustCompile(`(?m)^url = "([^",]+),([^"]+)"`).ReplaceAllString(text, `url = "$2,$1"`)
}

func serverConf(i int) string { return filepath.Join(fleet.ServerDir(i), "server.conf") }

// linkServer has a server reach the others through links. What it tells them of
// itself is a port where nobody listens, or they would find each other without links.
func (s *Stand) linkServer(i int) {
	s.t.Helper()
	nowhere := freeport.New(s.t)
	s.edit(serverConf(i), func(text string) string {
		for j := range servers {
			if j == i {
				text = s.replaced(text, fmt.Sprintf("advertise: \"127.0.0.1:%d\"\n  no_advertise", s.ports.routes+i),
					fmt.Sprintf("advertise: \"127.0.0.1:%d\"\n  no_advertise", nowhere))
				continue
			}
			addr := s.net.link(serverName(i), serverName(j), s.ports.routes+j)
			text = s.replaced(text, fmt.Sprintf("nats-route://127.0.0.1:%d\"", s.ports.routes+j),
				fmt.Sprintf("nats-route://%s\"", addr))
		}
		return text
	})
}

// linkProgram has a program reach the servers through links.
func (s *Stand) linkProgram(name, file string) {
	s.t.Helper()
	s.edit(file, func(text string) string {
		for j := range servers {
			addr := s.net.link(name, serverName(j), s.ports.nats+j)
			text = s.replaced(text, fmt.Sprint("tls://127.0.0.1:", s.ports.nats+j), "tls://"+addr)
		}
		return text
	})
}

// replaced replaces pairs of texts, each of which must be there.
func (s *Stand) replaced(text string, pairs ...string) string {
	s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			s.t.Fatalf("no %q in\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func (s *Stand) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *Stand) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Stand) edit(name string, f func(string) string) {
	s.t.Helper()
	s.write(name, f(s.read(name)))
}
