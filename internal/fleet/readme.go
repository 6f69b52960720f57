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
func (c *Cluster) BusFlags(fleet string, nodes int, dir string) string {
	return fmt.Sprintf("--fleet %s --nodes %d --url %s --credentials %s --tls-ca %s --replicas %d", fleet, nodes, c.URL(),
		filepath.Join(dir, AdministratorFile), filepath.Join(dir, AuthorityFile), len(c.Servers))
}

func (o Options) readme() []byte {
	v := readmeValues{Options: o, Local: true, BusFlags: o.Cluster.BusFlags(o.Name, o.N, "")}
	for i, s := range o.Cluster.Servers {
		v.ServerDirs = append(v.ServerDirs, ServerDir(i))
		v.Local = v.Local && s.Host == o.Cluster.Servers[0].Host
	}
	for i := range o.N {
		v.NodeFiles = append(v.NodeFiles, NodeFile(i))
	}
	return render(ReadmeFile, v)
}
