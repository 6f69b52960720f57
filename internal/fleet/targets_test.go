package fleet

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestTargets: Prometheus finds the programs that have a port, under the names
// by which rules and dashboards know them.
func TestTargets(t *testing.T) {
	of := func(port int, role, node string) target {
		return target{[]string{fmt.Sprintf("127.0.0.1:%d", port)}, map[string]string{"fleet": "test", "role": role, "node": node}}
	}
	for name, test := range map[string]struct {
		ports    []int
		manifest bool
		want     []target
	}{
		"all":         {[]int{4000, 4001, 4002}, false, []target{of(4000, "gateway", "gateway0"), of(4001, "worker", "worker-0"), of(4002, "worker", "worker-1")}},
		"some":        {[]int{0, 4001}, false, []target{of(4001, "worker", "worker-0")}},
		"none":        {nil, false, []target{}},
		"other nodes": {[]int{4000, 4001, 4002}, true, []target{of(4000, "gateway", "gateway0")}},
	} {
		dir, o := t.TempDir(), options()
		o.ServerPorts = test.ports
		if test.manifest {
			cards := t.TempDir()
			m, err := Init(t.Context(), cards, options())
			if err != nil {
				t.Fatal(err)
			}
			o.Manifest = m
		}
		if _, err := Init(t.Context(), dir, o); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, TargetsFile))
		if err != nil {
			t.Fatal(err)
		}
		got := []target{}
		if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %s (%v), want %v", name, data, err, test.want)
		}
	}
}
