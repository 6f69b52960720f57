package fleettest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/freeport"
)

// Token is the bearer token of the HTTP API of a test fleet: all scopes of Client.
const Token = "ff_token-of-tests"

// WithHTTP has Options.BeforeStart give gateways HTTP APIs: the fleet's own, and one more for
// each further port.
func WithHTTP(t T, ports ...int) func(dir string) {
	return func(dir string) {
		t.Helper()
		file := filepath.Join(dir, fleet.GatewayFile)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, port := range ports {
			own := string(text) + httpSection(dir, i, port)
			if i > 0 {
				own = addGateway(t, dir, i, own)
			}
			write(t, filepath.Join(dir, gatewayFile(i)), own)
		}
	}
}

func httpSection(dir string, i, port int) string {
	return fmt.Sprintf(`
[http]
port = %d
directory = "directory%d.db"

[[http.client]]
name = %q
key_file = %q

[[http.token]]
name = "test"
sha256 = "%x"
client = %q
scopes = ["keygen", "sign", "read", "approve"]
`, port, i, Client, filepath.Join(dir, filepath.Dir(fleet.ClientFile), "client.key"), sha256.Sum256([]byte(Token)), Client)
}

// gatewayFile is that of gateway i.
func gatewayFile(i int) string {
	if i == 0 {
		return fleet.GatewayFile
	}
	return filepath.Join(filepath.Dir(fleet.GatewayFile), fmt.Sprintf("gateway%d.toml", i))
}

// SecondGateway is the name of the second one for Kill.
const SecondGateway = "gateway1"

// StartSecondGateway starts the second gateway of WithHTTP.
func (p *Processes) StartSecondGateway() { p.run(SecondGateway, "frost-gateway", gatewayFile(1)) }

// addGateway lists a further gateway, and returns its file.
func addGateway(t T, dir string, i int, text string) string {
	t.Helper()
	name := fmt.Sprint("gateway", i)
	_, entry, err := fleet.Party{Name: name}.NewKey(filepath.Join(dir, filepath.Dir(fleet.GatewayFile), name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	access := filepath.Join(dir, fleet.AccessFile)
	listed, err := os.ReadFile(access)
	if err != nil {
		t.Fatal(err)
	}
	write(t, access, string(listed)+"\n"+entry)
	var lines []string
	section := ""
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, " ")
		if strings.HasPrefix(line, "[") {
			section = strings.TrimSpace(line)
		}
		switch section + key {
		case "[gateway]name":
			line = fmt.Sprintf("name = %q\n", name)
		case "[gateway]key_file":
			line = fmt.Sprintf("key_file = %q\n", name+".key")
		case "[gateway]audit_path":
			line = fmt.Sprintf("audit_path = %q\n", name+"-audit")
		case "[server]port":
			line = fmt.Sprintf("port = %d\n", freeport.New(t))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}
