package fleet

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	declared "github.com/frostfleet/frostfleet/nats"
)

// The permission files of package nats are those of fleet "main", and of a
// worker, a gateway and a client. Others' are the same with names replaced.
const (
	exampleFleet  = "main"
	exampleWorker = permissions + "/worker-0.conf"
	exampleClient = permissions + "/client-alice.conf"

	exampleGateway = permissions + "/gateway-a.conf"

	exampleAdministrator = permissions + "/administrator-carol.conf"
)

// permissionFiles are the files that every server of the fleet includes.
func (o Options) permissionFiles() map[string]string {
	files := map[string]string{
		permissions + "/client-" + o.Client + ".conf":     clientPermissions(o.Name, o.Client),
		permissions + "/gateway-" + gatewayName + ".conf": gatewayPermissions(o.Name, gatewayName),
	}
	for _, name := range []string{"exports.conf", "gateway.conf", "worker-imports.conf"} {
		files[permissions+"/"+name] = perNode(ofFleet(o.Name, permissions+"/"+name), o.N)
	}
	for i := range o.N {
		files[fmt.Sprintf("%s/worker-%d.conf", permissions, i)] = workerPermissions(o.Name, i)
	}
	for i := range o.Administrators {
		name := administratorName(i)
		files[permissions+"/administrator-"+name+".conf"] = administratorPermissions(o.Name, name)
	}
	return files
}

// ofFleet is a file of package nats for another fleet.
func ofFleet(fleet, file string) string {
	text, err := fs.ReadFile(declared.Config, file)
	if err != nil {
		panic("fleet: " + err.Error()) // a file that is part of the program
	}
	return strings.NewReplacer(
		"frost."+exampleFleet+".", "frost."+fleet+".",
		"FROST_"+strings.ToUpper(exampleFleet)+"_", "FROST_"+strings.ToUpper(fleet)+"_",
	).Replace(string(text))
}

var nodeStream = regexp.MustCompile(`_ROUNDS_(\d+)`)

// perNode repeats each line about the stream of node 0 for every node, in place of
// those about the other nodes of the example.
func perNode(text string, n int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		switch found := nodeStream.FindStringSubmatch(line); {
		case found == nil:
			out.WriteString(line)
		case found[1] == "0":
			for i := range n {
				out.WriteString(nodeStream.ReplaceAllString(line, fmt.Sprintf("_ROUNDS_%d", i)))
			}
		}
	}
	return out.String()
}

func workerPermissions(fleet string, i int) string {
	return strings.NewReplacer(
		"Worker 0:", fmt.Sprintf("Worker %d:", i), "worker-0", fmt.Sprintf("worker-%d", i), `.0"`, fmt.Sprintf(`.%d"`, i),
		`.0.*"`, fmt.Sprintf(`.%d.*"`, i),
	).Replace(ofFleet(fleet, exampleWorker))
}

func gatewayPermissions(fleet, gateway string) string {
	return strings.NewReplacer(
		"Gateway a,", "Gateway "+gateway+",", `.gateway.a"`, ".gateway."+gateway+`"`, `.carried.a"`, ".carried."+gateway+`"`,
	).Replace(ofFleet(fleet, exampleGateway))
}

func clientPermissions(fleet, client string) string {
	return strings.NewReplacer(
		"Client alice.", "Client "+client+".", `.alice"`, "."+client+`"`, ".alice.", "."+client+".",
	).Replace(ofFleet(fleet, exampleClient))
}

// clientsHead begins the file of the clients' accounts.
const clientsHead = "# An account for each client: its own jobs, its own results.\n"

func accountName(client string) string { return "CLIENT_" + client }

// clientAccount is a client's account, as an entry of clients.conf.
func clientAccount(client, public string) string {
	return fmt.Sprintf("%s {\n  include %q\n  users: [ { nkey: %s } ]\n}\n",
		accountName(client), permissions+"/client-"+client+".conf", public)
}

// serverValues are what the template of a server's configuration reads.
type serverValues struct {
	Options
	natsUsers
	Name, GatewayName                              string
	Listen, Advertise, RouteListen, RouteAdvertise string
	Others                                         []string // where the other servers listen for routes
	Copies                                         int      // of everything: one on each server
	AccountStore                                   string   // what the streams' account may take on all servers
}

func (o Options) serverConf(i int, users natsUsers) []byte {
	s := o.Cluster.Servers[i]
	v := serverValues{
		Options: o, natsUsers: users, Name: serverName(i), GatewayName: gatewayName, Copies: len(o.Cluster.Servers),
		Listen: s.listen(s.Port), Advertise: s.address(s.Port),
		RouteListen: s.listen(s.RoutePort), RouteAdvertise: s.address(s.RoutePort),
		AccountStore: accountStore(o.Cluster.MaxStore, len(o.Cluster.Servers)),
	}
	for j, other := range o.Cluster.Servers {
		if j != i {
			v.Others = append(v.Others, other.address(other.RoutePort))
		}
	}
	return render(serverConf, v)
}

// accountStore is nine tenths of what all servers together may store: the account
// is full before a server is, and a full account only refuses what is new.
func accountStore(perServer string, servers int) string {
	digits, unit := perServer[:len(perServer)-2], perServer[len(perServer)-2:]
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		panic("fleet: " + err.Error()) // check took it
	}
	smaller := map[string]string{"MB": "KB", "GB": "MB", "TB": "GB"}[unit]
	return fmt.Sprintf("%d%s", n*900*uint64(servers), smaller)
}
