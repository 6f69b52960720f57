package fleet

import (
	"encoding/json"
	"fmt"
)

// target is an entry of Prometheus's file_sd_configs. Its labels name the
// program whose metrics these are; the programs themselves do not.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// targets lists what serves metrics, as Prometheus reads it. The addresses of
// nodes that were not written here are unknown.
func (o Options) targets() []byte {
	all := []target{}
	add := func(port int, role, name string) {
		if port == 0 {
			return
		}
		labels := map[string]string{"fleet": o.Name, "role": role, "node": name}
		all = append(all, target{[]string{fmt.Sprintf("127.0.0.1:%d", port)}, labels})
	}
	add(o.port(0), "gateway", gatewayName)
	if o.Manifest == nil {
		for i := range o.N {
			add(o.port(1+i), "worker", fmt.Sprintf("worker-%d", i))
		}
	}
	text, _ := json.MarshalIndent(all, "", "  ") // strings alone: it can't fail
	return append(text, '\n')
}
