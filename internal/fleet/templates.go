package fleet

import (
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*"))

// values are what the templates read.
type values struct {
	Options
	Gateway, URL string
	Index, Port  int    // of the node; the program's health and metrics
	ManifestPath string // from the node's folder
}

func (o Options) values(index, port int) values {
	v := values{
		Options: o, Gateway: gatewayName, URL: inOrder(o.BusURL, index), Index: index, Port: port,
		ManifestPath: "../" + ManifestFile,
	}
	if v.URL == "" {
		v.URL = fmt.Sprintf("nats://127.0.0.1:%d", o.BusPort)
	}
	return v
}

// Several reports whether the program has servers to choose from.
func (v values) Several() bool { return strings.Contains(v.URL, ",") }

func render(name string, v any) []byte {
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, name, v); err != nil {
		panic("fleet: " + err.Error()) // of a template that names what there is not
	}
	return []byte(text.String())
}

func (o Options) port(i int) int {
	if i >= len(o.ServerPorts) {
		return 0
	}
	return o.ServerPorts[i]
}

func nodeConfig(o Options, i int) []byte { return render("node.toml", o.values(i, o.port(1+i))) }

// joinerConfig is that of a node of the next manifest.
func joinerConfig(o Options, j Joiner) []byte {
	v := o.values(j.Index, j.Port)
	v.ManifestPath = "../" + NextFile
	return render("node.toml", v)
}

func gatewayConfig(o Options) []byte { return render("gateway.toml", o.values(0, o.port(0))) }

func clientConfig(o Options) []byte { return render("client.toml", o.values(0, 0)) }
