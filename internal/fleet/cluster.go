package fleet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Cluster is a group of NATS servers of the fleet's own, whose configurations
// Init writes: TLS, an account for each role, and streams on every server.
type Cluster struct {
	Servers  []NATSServer // 3 or 5
	StoreDir string       // of the streams, on each server; relative: inside the server's directory
	MaxStore string       // what streams may take of each server's disk, such as 200GB
}

// NATSServer is where one server of a cluster listens.
type NATSServer struct {
	Host      string // by which programs and the other servers reach it
	Port      int    // for programs
	RoutePort int    // for the other servers
}

// Paths inside a fleet directory with a cluster.
const (
	AuthorityFile     = "ca.crt" // signs the certificates that programs see
	AdministratorFile = "nats/administrator.nk"
	ReadmeFile        = "README.md"

	natsDir     = "nats"
	systemSeed  = "nats/system.nk"
	clientSeed  = "client.nk"
	busSeed     = "bus.nk" // of a node or the gateway, beside its file
	serverConf  = "server.conf"
	clientsConf = "clients.conf"
	pidFile     = "nats-server.pid"
	routesCA    = "routes-ca.crt"
	permissions = "permissions"
	clientsDir  = "clients"
)

// ServerDir is the directory of one of a cluster's servers: all that its machine
// needs.
func ServerDir(i int) string { return path.Join(natsDir, serverName(i)) }

func serverName(i int) string { return fmt.Sprintf("nats-%d", i+1) }

// NewCluster places n servers on hosts, or all on loopback if there are none.
// Servers that share a host have ports of their own, counted up.
func NewCluster(n int, hosts []string, port, routePort int) (*Cluster, error) {
	if n != 3 && n != 5 {
		return nil, fmt.Errorf("a cluster of %d servers: use 3 or 5, so that a majority outlives a failure", n)
	}
	if len(hosts) == 0 {
		hosts = slices.Repeat([]string{"127.0.0.1"}, n)
	}
	if len(hosts) != n {
		return nil, fmt.Errorf("%d hosts for a cluster of %d servers: name one of each", len(hosts), n)
	}
	c := &Cluster{StoreDir: "jetstream", MaxStore: "200GB"}
	here := map[string]int{}
	for _, host := range hosts {
		c.Servers = append(c.Servers, NATSServer{host, port + here[host], routePort + here[host]})
		here[host]++
	}
	return c, c.Check()
}

var (
	hostPattern  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	storePattern = regexp.MustCompile(`^[1-9][0-9]{0,8}(MB|GB|TB)$`)
)

// Check finds what NATS would refuse, or what would not be one line of its
// configuration.
func (c *Cluster) Check() error {
	var errs []error
	taken := map[string]bool{}
	for _, s := range c.Servers {
		if _, err := netip.ParseAddr(s.Host); err != nil && !hostPattern.MatchString(s.Host) {
			errs = append(errs, fmt.Errorf("host %.64q is not a name or an address", s.Host))
		}
		for _, port := range []int{s.Port, s.RoutePort} {
			at := net.JoinHostPort(s.Host, strconv.Itoa(port))
			if port < 1 || port > 65535 {
				errs = append(errs, fmt.Errorf("port %d: use 1 to 65535", port))
			} else if taken[at] {
				errs = append(errs, fmt.Errorf("two servers would listen on %s", at))
			}
			taken[at] = true
		}
	}
	if !storePattern.MatchString(c.MaxStore) {
		errs = append(errs, fmt.Errorf("size %.32q of the streams: use a number with MB, GB or TB", c.MaxStore))
	}
	if c.StoreDir == "" || strings.ContainsAny(c.StoreDir, "\"\\$\x00\n\r\t") {
		errs = append(errs, fmt.Errorf("%.64q is not a directory for the streams", c.StoreDir))
	}
	return errors.Join(errs...)
}

// URL lists all servers, as [bus] url does.
func (c *Cluster) URL() string {
	urls := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		urls[i] = "tls://" + s.address(s.Port)
	}
	return strings.Join(urls, ",")
}

// inOrder is a list of servers as node or gateway i tries them. Each begins with the
// next one: whatever happens to a server happens to few nodes at once.
func inOrder(list string, i int) string {
	urls := strings.Split(list, ",")
	i %= len(urls)
	return strings.Join(slices.Concat(urls[i:], urls[:i]), ",")
}

// address is where others reach a port of the server.
func (s NATSServer) address(port int) string { return net.JoinHostPort(s.Host, strconv.Itoa(port)) }

// listen is where the server listens: on loopback if that is its host, on every
// address of its machine otherwise.
func (s NATSServer) listen(port int) string {
	host := "0.0.0.0"
	switch address, err := netip.ParseAddr(s.Host); {
	case err == nil && address.IsLoopback() || s.Host == "localhost":
		host = s.Host
	case err == nil && address.Is6():
		host = "::"
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
