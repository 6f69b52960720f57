package docs

import (
	"regexp"
	"strings"
	"testing"
)

// TestRestorePutsBack: whatever a guide has an operator put into storage_path, and the folder
// itself, "Restore a node" puts back where that disk is lost.
func TestRestorePutsBack(t *testing.T) {
	_, restore, _ := strings.Cut(page(t, "operations.md"), "#### Its disk is lost\n")
	restore, _, _ = strings.Cut(restore, "#### Start it again\n")
	for name, storage := range map[string]string{"aws-kms.md": "/data/frost-shares-node0",
		"hsm.md": "/var/lib/frostfleet/node0"} {
		lines := regexp.MustCompile("install [^`\n]*"+storage).FindAllString(page(t, name), -1)
		if len(lines) != 2 {
			t.Errorf("%s: %q make and fill %s: want one that makes it, and one that fills it", name, lines, storage)
		}
		for _, line := range lines {
			want := regexp.MustCompile(`\S+\.(json|toml)`).FindAllString(line, -1)
			if strings.HasPrefix(line, "install -d ") {
				want = []string{"install -d -o frostfleet -m 700 "}
			}
			for _, part := range want {
				if !strings.Contains(restore, part) {
					t.Errorf("%s: %q, and operations.md does not put back %q", name, line, part)
				}
			}
		}
	}
}
