package fleet

import (
	"fmt"
	"path/filepath"
)

// readmeValues are what the template of a cluster's instructions reads.
type readmeValues struct {
	Options
	Local                 bool // all servers on one machine
	ServerDirs, NodeFiles []string
	BusFlags              string
}

// BusFlags are the flags with which frostctl bus reaches a cluster as its
// administrator, from directory dir.
func (c *Cluster) BusFlags(fleet, dir string) string {
	return fmt.Sprintf("--fleet %s --url %s --credentials %s --tls-ca %s --replicas %d", fleet, c.URL(),
		filepath.Join(dir, AdministratorFile), filepath.Join(dir, AuthorityFile), len(c.Servers))
}

func (o Options) readme() []byte {
	v := readmeValues{Options: o, Local: true, BusFlags: o.Cluster.BusFlags(o.Name, "")}
	for i, s := range o.Cluster.Servers {
		v.ServerDirs = append(v.ServerDirs, ServerDir(i))
		v.Local = v.Local && s.Host == o.Cluster.Servers[0].Host
	}
	for i := range o.N {
		v.NodeFiles = append(v.NodeFiles, NodeFile(i))
	}
	return render(ReadmeFile, v)
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
