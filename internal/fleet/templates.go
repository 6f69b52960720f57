package fleet

import "fmt"

func (o Options) busURL() string {
	if o.BusURL != "" {
		return o.BusURL
	}
	return fmt.Sprintf("nats://127.0.0.1:%d", o.BusPort)
}

func (o Options) port(i int) int {
	if i >= len(o.ServerPorts) {
		return 0
	}
	return o.ServerPorts[i]
}

func nodeConfig(o Options, i int) string {
	insecure := ""
	if o.AllowInsecure {
		insecure = "allow_insecure = true\n"
	}
	return fmt.Sprintf(`# Node %d of fleet %s.
[network]
type = %q

[server]
role = "node"
host = "127.0.0.1"
port = %d # /livez, /readyz, /metrics

[node]
index = %d
storage_path = "data"
max_signers = %d # n of the manifest
min_signers = %d # t of the manifest
manifest = "../manifest.json"
access = "../access.toml"

[node.key_provider]
type = "software" # for development: the keys lie in a file
key_file = "key.json"
%s
[bus]
url = %q
`, i, o.Name, o.Network, o.port(1+i), i, o.N, o.T, insecure, o.busURL())
}

func gatewayConfig(o Options) string {
	bus := fmt.Sprintf("url = %q\n", o.BusURL)
	if o.BusURL == "" {
		bus = fmt.Sprintf(
			"embedded = true # a nats-server in this process, for one machine\nstore_path = \"bus\"\nport = %d\n",
			o.BusPort,
		)
	}
	return fmt.Sprintf(`# The gateway of fleet %s.
[network]
type = %q

[server]
role = "gateway"
host = "127.0.0.1"
port = %d # /livez, /readyz, /metrics

[gateway]
name = %q
key_file = "gateway.key"
manifest = "../manifest.json"
access = "../access.toml"

[bus]
%s`, o.Name, o.Network, o.port(0), gatewayName, bus)
}

func clientConfig(o Options) string {
	return fmt.Sprintf(`# How client %s reaches fleet %s.
[client]
name = %q
key_file = "client.key"
manifest = "manifest.json"
access = "access.toml"

[bus]
url = %q
`, o.Client, o.Name, o.Client, o.busURL())
}
