package fleet

import "path/filepath"

// writeCluster writes the servers' directories, the administrator's files, and
// the credentials of every program.
func writeCluster(dir string, o Options) error {
	certificates, err := newAuthority("Frostfleet " + o.Name + " NATS")
	if err != nil {
		return err
	}
	routes, err := newAuthority("Frostfleet " + o.Name + " NATS routes")
	if err != nil {
		return err
	}
	users, err := writeUsers(dir, o)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{
		{filepath.Join(natsDir, "ca.key"), certificates.keyPEM},
		{filepath.Join(natsDir, "routes-ca.key"), routes.keyPEM},
		{AuthorityFile, certificates.certPEM},
		{filepath.Join(filepath.Dir(GatewayFile), AuthorityFile), certificates.certPEM},
		{ReadmeFile, o.readme()},
	} {
		if err := writeNew(filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	for i := range o.Administrators {
		if err := writeNew(filepath.Join(dir, administratorName(i), AuthorityFile), certificates.certPEM); err != nil {
			return err
		}
	}
	for i := range o.N {
		if err := writeNodeBus(dir, o, i, certificates.certPEM); err != nil {
			return err
		}
	}
	for i := range o.Cluster.Servers {
		if err := writeServer(dir, o, i, users, certificates, routes); err != nil {
			return err
		}
	}
	return nil
}

// writeNodeBus writes what a node needs beside its own file to reach the bus,
// and, for a node that has one already, what is to be added to it.
func writeNodeBus(dir string, o Options, i int, authority []byte) error {
	node := filepath.Join(dir, filepath.Dir(NodeFile(i)))
	if o.Manifest != nil {
		if err := writeNew(filepath.Join(node, "bus.toml"), render("bus.toml", o.values(i, 0))); err != nil {
			return err
		}
	}
	return writeNew(filepath.Join(node, AuthorityFile), authority)
}

// writeServer writes the directory of server i: all that its machine needs, and
// no key of any other's.
func writeServer(dir string, o Options, i int, users natsUsers, certificates, routes *authority) error {
	host, name := o.Cluster.Servers[i].Host, serverName(i)
	cert, key, err := certificates.leaf(name, host)
	if err != nil {
		return err
	}
	routeCert, routeKey, err := routes.leaf(name, host)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		serverConf:   o.serverConf(i, users),
		clientsConf:  []byte(clientsHead + clientAccount(o.Client, users.Client)),
		"server.crt": cert, "server.key": key, "route.crt": routeCert, "route.key": routeKey,
		routesCA: routes.certPEM,
	}
	for file, text := range o.permissionFiles() {
		files[file] = []byte(text)
	}
	for file, data := range files {
		if err := writeNew(filepath.Join(dir, ServerDir(i), file), data); err != nil {
			return err
		}
	}
	return nil
}
